"""CSV and TSV with a header line."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from danlu.data.row import Record
from danlu.recipe.data import CsvSource
from danlu.recipe.errors import UserError


def read_csv(config: CsvSource) -> Iterator[Record]:
    """Records of a CSV file; `line` is where the record ends in the file. Empty cells are absent keys.

    Raises:
        UserError: no header, a column named twice, or bytes that are not UTF-8.
    """
    path = Path(config.path)
    csv.field_size_limit(sys.maxsize)  # a long answer in one cell is no error
    delimiter = config.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = _next(reader)
            if not header or isinstance(header, str) or len(set(header)) != len(header):
                raise UserError("needs a first line with a different name for each column", where=f"{path}:1")
            while (cells := _next(reader)) is not None:
                if isinstance(cells, str):
                    yield Record(path.name, reader.line_num, None, cells)
                elif cells:
                    yield _record(path.name, reader.line_num, header, cells)
        except UnicodeDecodeError as error:
            raise UserError(f"is not UTF-8: {error}", where=str(path), fix="save it as UTF-8") from None


def _next(reader: csv.Reader) -> list[str] | str | None:  # type: ignore[name-defined]
    """The next record's cells, or why they could not be read, or None at the end."""
    try:
        return next(reader, None)
    except csv.Error as error:
        return f"broken CSV: {error}"


def _record(name: str, line: int, header: list[str], cells: list[str]) -> Record:
    if len(cells) != len(header):
        return Record(name, line, None, f"has {len(cells)} cells where the header names {len(header)} columns")
    return Record(name, line, {key: cell for key, cell in zip(header, cells, strict=True) if cell != ""})
