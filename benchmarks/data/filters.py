"""What the filters keep of good answers and cut of planted garbage, and how fast the cleaners are.

    pip download --no-deps --no-binary llamafactory llamafactory==0.9.5
    tar xzf llamafactory-0.9.5.tar.gz
    OMP_NUM_THREADS=1 PYTHONPATH=src:. python benchmarks/data/filters.py llamafactory-0.9.5/data

Good answers: `alpaca_zh_demo.json` (1000) and `alpaca_en_demo.json` (999), not redistributed here;
the chosen answers of `dpo_*_demo.json` (300 each) beside them. Garbage is made
of the rows that the filters keep, by tests/data/planted.py, with three seeds. Speed: rows of 279 characters (question
and answer together, cut from the same rows), each cleaner by itself and the whole chain, rows per CPU second, median of
three interleaved rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.data.planted import FILTER_OF, UNSEEN_REFUSALS, kinds, plant

from danlu.data.cleaners.html import Html
from danlu.data.cleaners.language import Language
from danlu.data.cleaners.length import Length
from danlu.data.cleaners.normalize import Normalize
from danlu.data.cleaners.prompt_echo import PromptEcho
from danlu.data.cleaners.refusals import Refusals
from danlu.data.cleaners.repetition import Repetition
from danlu.data.cleaners.symbols import Symbols
from danlu.data.cleaners.truncated import Truncated
from danlu.data.row import Dropped, Row
from danlu.recipe import cleaners as configs

FILTERS = {
    "length": Length(configs.LengthFilter()),
    "repetition": Repetition(configs.RepetitionFilter()),
    "symbols": Symbols(configs.SymbolsFilter()),
    "truncated": Truncated(configs.TruncatedFilter()),
    "refusals": Refusals(configs.RefusalsFilter()),
    "prompt_echo": PromptEcho(configs.PromptEchoFilter()),
    "language": Language(configs.LanguageFilter()),
}
REWRITERS = {"normalize": Normalize(configs.NormalizeCleaner()), "html": Html(configs.HtmlCleaner())}
SEEDS, ROUNDS, CHARACTERS = (17, 18, 19), 3, 279


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="data/ of the llamafactory sdist")
    folder = parser.parse_args().folder
    rows = {language: alpaca(folder, language) for language in ("zh", "en")}
    good = {language: kept(rows[language], language) for language in rows}
    for language in rows:
        cut(good[language], language)
    for language in rows:
        kept(chosen(folder, language), f"{language}, dpo")
    unseen = [chat(str(number), "?", line) for number, line in enumerate(UNSEEN_REFUSALS.split("\n")) if line]
    print(
        f"\nrefusals in phrases unknown to the rules: {len(dropped(FILTERS['refusals'], unseen))} of {len(unseen)} cut"
    )
    speed({language: short(rows[language]) for language in rows})


def alpaca(folder: Path, language: str) -> list[Row]:
    """The demo rows of LLaMA-Factory as conversations of one turn."""
    rows: list[Row] = []
    records: list[dict[str, Any]] = json.loads((folder / f"alpaca_{language}_demo.json").read_text("utf-8"))
    for number, record in enumerate(records, start=1):
        question = "\n".join(filter(None, (record["instruction"], record.get("input"))))
        rows.append(chat(f"{language}:{number}", question, record["output"]))
    return rows


def chosen(folder: Path, language: str) -> list[Row]:
    """The conversations of the DPO demo rows with their chosen answers."""
    roles = {"human": "user", "gpt": "assistant", "system": "system"}
    records: list[dict[str, Any]] = json.loads((folder / f"dpo_{language}_demo.json").read_text("utf-8"))
    turns = [[*record["conversations"], record["chosen"]] for record in records]
    talks = [tuple({"role": roles[turn["from"]], "content": turn["value"]} for turn in talk) for talk in turns]
    return [Row(f"{language}:{number}", "dpo", number, messages=talk) for number, talk in enumerate(talks, start=1)]


def chat(row_id: str, question: str, answer: str) -> Row:
    """A row of one turn."""
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(row_id, "alpaca", 1, messages=messages)


def dropped(cleaner: Any, rows: Iterable[Row]) -> set[str]:
    """Ids of the rows that a cleaner drops."""
    return {item.row.id for item in cleaner(rows) if isinstance(item, Dropped)}


def kept(rows: list[Row], language: str) -> list[Row]:
    """The good rows that all filters keep; prints how many each drops."""
    losses = {name: dropped(cleaner, rows) for name, cleaner in FILTERS.items()}
    gone = set().union(*losses.values())
    print(f"\n{language}: {len(rows)} rows, kept {1 - len(gone) / len(rows):.1%}; dropped by ", end="")
    print(", ".join(f"{name} {len(ids)}" for name, ids in losses.items()))
    return [row for row in rows if row.id not in gone]


def cut(rows: list[Row], language: str) -> None:
    """Prints the share of each kind of garbage that its own filter cuts, and that any filter does."""
    print("\n| language | garbage | planted | cut by its filter | by any |\n|---|---|---|---|---|")
    for kind in kinds(language):
        planted = [row for seed in SEEDS for row in plant(rows, language, kind, seed)]
        own = FILTERS[FILTER_OF[kind]]
        alive = [item for item in own(planted) if isinstance(item, Row)]
        left = [row for row in alive if not any(dropped(cleaner, [row]) for cleaner in FILTERS.values())]
        shares = f"{1 - len(alive) / len(planted):.1%} | {1 - len(left) / len(planted):.1%}"
        print(f"| {language} | {kind} | {len(planted)} | {shares} |")


def short(rows: list[Row]) -> list[Row]:
    """Rows of 279 characters in all, from those that have as many."""
    cuts = []
    for row in rows:
        question, answer = row.question()[:140], row.answer()
        length = CHARACTERS - len(question)
        # Turned answers make more rows than the cleaners' caches hold, so that no pass finds what an earlier one left.
        for turn in range(0, 16 * 5, 5) if len(answer) >= length else ():
            cuts.append(chat(row.id, question, (answer[turn:] + answer[:turn])[:length]))
    return cuts


def speed(rows: dict[str, list[Row]]) -> None:
    """Prints rows per CPU second of each cleaner and of the chain. A cut answer ends in the middle of a sentence; for
    the chain a full stop is put there, so that no row leaves it early.
    """
    print("\n| cleaner | " + " | ".join(f"{language}, rows per CPU s" for language in rows) + " |\n|---|---|---|")
    whole = {
        language: [chat(row.id, row.question(), row.answer()[:-1] + "。.?"[language == "en"]) for row in rows[language]]
        for language in rows
    }
    jobs: dict[str, list[Any]] = {name: [cleaner] for name, cleaner in {**REWRITERS, **FILTERS}.items()}
    jobs["whole chain"] = [*REWRITERS.values(), *FILTERS.values()]
    measured: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        for name, cleaners in jobs.items():
            for language, given in whole.items():
                measured.setdefault((name, language), []).append(rate(cleaners, given))
    for name in jobs:
        cells = [measured[name, language] for language in rows]
        shown = (f"{statistics.median(c):,.0f} ({min(c):,.0f} to {max(c):,.0f})" for c in cells)
        print(f"| {name} | " + " | ".join(shown) + " |")


def _alive(items: Iterable[Row | Dropped]) -> Iterator[Row]:
    return (item for item in items if isinstance(item, Row))


def rate(cleaners: list[Any], rows: list[Row], least: float = 0.5) -> float:
    """Rows per CPU second through a chain of cleaners, dropped rows leaving it; at least half a second of work."""
    started, count = time.process_time(), 0
    while time.process_time() - started < least:
        items: Any = rows
        for cleaner in cleaners:
            items = _alive(cleaner(items))
        for _ in items:
            pass
        count += len(rows)
    return count / (time.process_time() - started)


if __name__ == "__main__":
    main()
