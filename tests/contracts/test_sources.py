"""What every source of the table promises."""

from __future__ import annotations

import csv
import json
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from danlu.data.formats import to_row
from danlu.data.reading import Chunk, Reader
from danlu.data.row import Record
from danlu.data.sources import SOURCES
from danlu.recipe import sources as recipe

CONFIGS: dict[str, Any] = {
    get_args(member)[0].model_fields["type"].default: get_args(member)[0]
    for member in get_args(get_args(recipe.Source)[0])
}
TEXTS = [f'问题 {index}?\t"quoted", yes <|im_end|> \\ {{}}' for index in range(30)]
ROWS = [{"text": text} for text in TEXTS]


def _jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("\n" + "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _json(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def _csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text"])
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, rows: list[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema([("text", pa.string())])), path)


def _text(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("\n" + "\n\n".join(row["text"] for row in rows), encoding="utf-8")


WRITERS: dict[str, Callable[[Path, list[dict[str, str]]], None]] = {
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "text": _text,
    "huggingface": _jsonl,  # which the stand-in for the library reads
}


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the `datasets` library: a data set is a JSON Lines file."""

    def load_dataset(path: str, name: str | None, **options: Any) -> list[Any]:
        return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line]

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


def reader_of(kind: str, path: Path) -> Reader:
    made: Reader = SOURCES.load(kind)(CONFIGS[kind](path=str(path)))
    return made


def read(kind: str, path: Path, size: int = 7) -> list[Record]:
    reader = reader_of(kind, path)
    return [record for chunk in reader.chunks(size) for record in reader.decode(chunk)]


def test_the_table_the_recipe_the_endings_and_this_kit_name_the_same_sources() -> None:
    assert set(SOURCES) == set(CONFIGS) == {*recipe.SUFFIXES.values(), "huggingface"} == set(WRITERS)


@pytest.mark.parametrize("packed", ["", ".gz", ".ZST"])
@pytest.mark.parametrize("suffix", sorted(recipe.SUFFIXES))
def test_an_ending_picks_its_source(suffix: str, packed: str) -> None:
    source = TypeAdapter[Any](recipe.Source).validate_python({"path": f"rows{suffix.upper()}{packed}"})
    assert source.type == recipe.SUFFIXES[suffix]


@pytest.mark.parametrize("kind", sorted(SOURCES))
class TestEverySource:
    """Run for each name of the table."""

    def test_it_loses_and_changes_nothing(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        records = read(kind, path)
        assert [record.value for record in records] == ROWS
        assert {record.file for record in records} == {path.name}
        assert not any(record.problem for record in records)

    def test_places_are_unique_and_rise(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        lines = [record.line for record in read(kind, path)]
        assert lines == sorted(set(lines)) and lines[0] >= 1

    @pytest.mark.parametrize("size", [1, 7, 30, 1000])
    def test_the_size_of_chunks_changes_no_record(self, kind: str, tmp_path: Path, size: int) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        assert read(kind, path, size) == read(kind, path)
        assert [len(chunk.items) for chunk in reader_of(kind, path).chunks(size)][:-1] == [size] * ((29) // size)

    def test_a_chunk_is_decoded_by_another_reader_elsewhere(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        reader = reader_of(kind, path)
        config = pickle.dumps(CONFIGS[kind](path=str(path)))
        for chunk in reader.chunks(7):
            copy: Chunk = pickle.loads(pickle.dumps(chunk))
            records = SOURCES.load(kind)(pickle.loads(config)).decode(copy)
            assert records == reader.decode(chunk)
            assert [record.line for record in records] == [number for number, _ in chunk.items]

    def test_files_are_named_and_nothing_is_skipped(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        reader = reader_of(kind, path)
        assert reader.files() == ([] if kind == "huggingface" else [path]) and reader.skipped() == {}

    def test_records_become_rows(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, ROWS)
        config = CONFIGS[kind](path=str(path))
        rows = [to_row(record, f"{record.file}:{record.line}", config) for record in read(kind, path)]
        assert [row.text for row in rows] == TEXTS

    def test_no_rows_are_no_records(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "rows.data"
        WRITERS[kind](path, [])
        assert read(kind, path) == []
