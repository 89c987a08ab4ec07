"""What every source of the table promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from danlu.data.formats import to_row
from danlu.data.row import Record
from danlu.data.sources import SOURCES
from danlu.recipe import data as recipe

CONFIGS: dict[str, Any] = {
    get_args(member)[0].model_fields["type"].default: get_args(member)[0]
    for member in get_args(get_args(recipe.Source)[0])
}
ROWS = [{"prompt": f'问题 {index}?\n"quoted", yes', "completion": f"Answer {index}"} for index in range(30)]


def _jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _json(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def _csv(path: Path, rows: list[dict[str, str]]) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["prompt", "completion"])
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, rows: list[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS: dict[str, Callable[[Path, list[dict[str, str]]], None]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}


def read(kind: str, path: Path) -> list[Record]:
    return list(SOURCES.load(kind)(CONFIGS[kind](path=str(path))))


def test_the_table_the_recipe_the_endings_and_this_kit_name_the_same_sources() -> None:
    assert set(SOURCES) == set(CONFIGS) == set(recipe.SUFFIXES.values()) == set(WRITERS)


@pytest.mark.parametrize("suffix", sorted(recipe.SUFFIXES))
def test_an_ending_picks_its_source(suffix: str) -> None:
    source = TypeAdapter[Any](recipe.Source).validate_python({"path": f"rows{suffix.upper()}"})
    assert source.type == recipe.SUFFIXES[suffix]


@pytest.mark.parametrize("kind", sorted(SOURCES))
class TestEverySource:
    """Run for each name of the table."""

    def test_it_loses_and_changes_nothing(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        records = read(kind, path)
        assert [record.value for record in records] == ROWS
        assert all(record.file == path.name and record.problem == "" for record in records)

    def test_places_are_unique_and_rise(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        lines = [record.line for record in read(kind, path)]
        assert lines == sorted(set(lines)) and lines[0] >= 1

    def test_reading_again_gives_the_same(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        assert read(kind, path) == read(kind, path)

    def test_records_become_rows(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        rows = [to_row(record, f"{record.file}:{record.line}", "auto") for record in read(kind, path)]
        assert [row.messages[1]["content"] for row in rows] == [row["completion"] for row in ROWS]

    def test_no_rows_are_no_records(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, [])
        assert read(kind, path) == []
