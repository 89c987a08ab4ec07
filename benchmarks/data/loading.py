"""JSON Lines into Python rows: CPU seconds against other readers, interleaved, and what each of them loses.

python benchmarks/data/loading.py [--rows 200000] [--rounds 3]

Peers that are not installed are left out. Every reader gives Python dicts, which is what a data stage works on; those
that go line by line hold no more than they must.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from danlu.data.formats import to_row
from danlu.data.sources.jsonl import JsonlReader
from danlu.recipe.sources import JsonlSource

Rows = list[Any]
WORDS = (
    "保险",
    "理赔",
    "客户",
    "您好",
    "请问",
    "需要",
    "提供",
    "发票",
    "claim",
    "insurance",
    "policy",
    "please",
    "the",
)


def write_rows(path: Path, count: int) -> None:
    """Nested conversations, every fourth with a tool call, in two languages."""
    draw = random.Random(17)

    def text(length: int) -> str:
        return " ".join(draw.choices(WORDS, k=length))

    with path.open("w", encoding="utf-8") as file:
        for index in range(count):
            messages: list[dict[str, Any]] = [{"role": "user", "content": text(20)}]
            if index % 4 == 0:
                call = {"name": "look_up", "arguments": {"id": index, "tags": ["a", "b"]}}
                messages.append({"role": "assistant", "content": "", "tool_calls": [{"function": call}]})
                messages.append({"role": "tool", "content": text(5)})
            messages.append({"role": "assistant", "content": text(25)})
            row = {"id": index, "messages": messages, "metadata": {"user": f"u{index % 1000}", "scores": [0.5, index]}}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def danlu_records(path: Path) -> Iterator[Any]:
    """Read and decode, nothing lost unsaid."""
    reader = JsonlReader(JsonlSource(path=str(path)))
    for chunk in reader.chunks(2048):
        yield from reader.decode(chunk)


def danlu_rows(path: Path) -> Iterator[Any]:
    """Read, decode, detect the format, check every message, and make rows."""
    config = JsonlSource(path=str(path))
    for record in danlu_records(path):
        yield to_row(record, f"{record.file}:{record.line}", config)


def by_orjson(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from (orjson.loads(line) for line in file)


def by_orjson_in_batches(path: Path) -> Iterator[Any]:
    """The like of what danlu does: rows of a batch are held together, for which Python's garbage collector charges."""
    with path.open("rb") as file:
        while lines := list(islice(file, 2048)):
            yield from [orjson.loads(line) for line in lines]


def by_msgspec(path: Path) -> Iterator[Any]:
    import msgspec

    decoder = msgspec.json.Decoder()
    with path.open("rb") as file:
        yield from (decoder.decode(line) for line in file)


def by_python(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        yield from (json.loads(line) for line in file)


def by_pyarrow(path: Path) -> Rows:
    import pyarrow.json

    rows: Rows = pyarrow.json.read_json(path).to_pylist()
    return rows


def by_polars(path: Path) -> Rows:
    import polars

    rows: Rows = polars.read_ndjson(path).to_dicts()
    return rows


def by_duckdb(path: Path) -> Rows:
    import duckdb

    table = duckdb.sql(f"select * from read_json('{path}', format = 'newline_delimited')")
    return [dict(zip(table.columns, values, strict=True)) for values in table.fetchall()]


def by_datasets(path: Path) -> Rows:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        return list(datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache))


def by_danlu(path: Path) -> Rows:
    records = danlu_records(path)
    return [record.value if record.value is not None else f"refused: {record.problem}" for record in records]


PEERS: dict[str, Callable[[Path], Iterable[Any]]] = {
    "orjson": by_orjson,
    "msgspec": by_msgspec,
    "json": by_python,
    "pyarrow": by_pyarrow,
    "polars": by_polars,
    "duckdb": by_duckdb,
    "datasets": by_datasets,
}


def measure(path: Path, rows: int, rounds: int, peers: dict[str, Callable[[Path], Iterable[Any]]]) -> None:
    """Print rows per CPU second of each, and the ratio to an orjson loop of the same round."""
    contenders: dict[str, Callable[[Path], Iterable[Any]]] = {
        "danlu: read + decode": danlu_records,
        "danlu: read + decode + to_row": danlu_rows,
        "orjson, 2,048 rows at a time": by_orjson_in_batches,
        **peers,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            start = time.process_time()
            deque(contender(path), maxlen=0)
            seconds[name].append(time.process_time() - start)
    print("| reader | rows per CPU second, median (lowest to highest) | share of an orjson loop |")
    print("|---|---|---|")
    for name, taken in seconds.items():
        speeds = sorted(rows / second for second in taken)
        ratio = statistics.median(base / mine for base, mine in zip(seconds["orjson"], taken, strict=True))
        spread = f"{speeds[0]:,.0f} to {speeds[-1]:,.0f}"
        print(f"| {name} | {statistics.median(speeds):,.0f} ({spread}) | {ratio:.2f} |")


CHINESE = "客户来电说，保险的理赔要多少时间？我们会在三个工作日之内给您回复。"


def facts() -> dict[str, tuple[bytes, Callable[[Rows], str]]]:
    """Hard cases: the file, and what became of it."""
    plain = b'{"text": "a"}\n'
    return {
        "a key that first appears in row 25,001": (
            plain * 25_000 + b'{"text": "a", "tools": "late"}\n',
            lambda rows: "kept" if rows[-1].get("tools") == "late" else "LOST",
        ),
        "GB18030": (
            json.dumps({"text": CHINESE}, ensure_ascii=False).encode("gb18030") + b"\n",
            lambda rows: "read" if rows[0]["text"] == CHINESE else "WRONG TEXT",
        ),
        "a broken line among 3": (
            plain + b'{"text": \n' + plain,
            lambda rows: f"the other {sum(isinstance(row, dict) and row.get('text') == 'a' for row in rows)} kept",
        ),
        "bytes that are not UTF-8 in 1 of 3": (
            plain + b'{"text": "caf\xe9"}\n' + plain,
            lambda rows: (
                "row refused" if "invalid UTF-8" in str(rows[1]) else f"given as {type(rows[1]['text']).__name__}"
            ),
        ),
        "a key twice in an object": (
            b'{"text": "first", "text": "second"}\n',
            lambda rows: "row refused" if "twice" in str(rows[0]) else "first value LOST",
        ),
        "a number of 30 digits": (
            b'{"id": 123456789012345678901234567890}\n',
            lambda rows: "row refused" if "refused" in str(rows[0]) else _number(rows[0]["id"]),
        ),
        "half a character (\\ud800)": (
            b'{"text": "a\\ud800"}\n',
            lambda rows: "row refused" if "half a character" in str(rows[0]) else f"given as {rows[0]['text']!a}",
        ),
    }


def _number(value: Any) -> str:
    return "kept" if str(value) == "123456789012345678901234567890" else f"DIGITS LOST ({type(value).__name__})"


def compare(folder: Path, peers: dict[str, Callable[[Path], Iterable[Any]]]) -> None:
    """Print what each reader makes of the hard cases."""
    readers = {"danlu": by_danlu, **peers}
    print("| case | " + " | ".join(readers) + " |")
    print("|---|" + "---|" * len(readers))
    for index, (case, (content, judge)) in enumerate(facts().items()):
        path = folder / f"case-{index}.jsonl"
        path.write_bytes(content)
        outcomes = []
        for reader in readers.values():
            try:
                outcomes.append(judge(list(reader(path))))
            except Exception as error:  # each library has its own
                outcomes.append(f"whole file refused ({type(error).__name__})")
        print(f"| {case} | " + " | ".join(outcomes) + " |")


def main() -> None:
    """Both tables, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = {name: peer for name, peer in PEERS.items() if importlib.util.find_spec(name)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "rows.jsonl"
        write_rows(path, options.rows)
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, {options.rounds} rounds\n")
        measure(path, options.rows, options.rounds, {name: peer for name, peer in found.items() if name != "datasets"})
        print()
        compare(folder, found)


if __name__ == "__main__":
    main()
