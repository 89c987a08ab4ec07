"""Source files and data sections made up for tests, and a short way through the data stage."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from danlu.data.prepare import Surroundings, prepare_dataset
from danlu.models.chat import ChatRenderer
from danlu.recipe.data import DataSection


def chat(question: str, answer: str = "Yes.") -> dict[str, Any]:
    """A record of format `messages` with one exchange."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write_jsonl(path: Path, records: Iterable[Any]) -> Path:
    """One record a line; a `str` is written as it is, broken or not."""
    lines = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in records]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


def section(path: Path, **fields: Any) -> DataSection:
    """A data section with one source; nothing is held out unless told."""
    given = {"sources": [{"path": str(path)}], "split": {"validation": 0, "test": 0}, **fields}
    return DataSection.model_validate(given)


def prepare(config: DataSection, renderer: ChatRenderer, out: Path, **around: Any) -> dict[str, Any]:
    """The data stage into a new folder `out`, its work beside it; returns the ledger's summary."""
    out.mkdir(parents=True)
    given = {"model": Path(renderer.tokenizer.name_or_path), "work": out.with_name(f"{out.name}-work"), **around}
    return prepare_dataset(config, Surroundings(renderer=renderer, **given), out)


def ledger_rows(out: Path) -> list[dict[str, Any]]:
    """ledger.parquet, row by row."""
    rows: list[dict[str, Any]] = pq.read_table(out / "ledger.parquet").to_pylist()
    return rows
