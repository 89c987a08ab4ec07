"""CSV and TSV with a header line."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from danlu.data.encodings import EncodingOf, escaped, undecodable
from danlu.data.files import FileReader, SourceFile, inner_suffix
from danlu.data.reading import Chunk
from danlu.data.row import Record
from danlu.recipe.errors import UserError

LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class CsvReader(FileReader):
    """Records of CSV files; `line` is where the record ends in the file. Empty cells are absent keys."""

    kind = "csv"

    def chunks_of(self, file: SourceFile, size: int) -> Iterator[Chunk]:
        """Records of one file as lists of cells, or as (problem, raw text).

        Raises:
            UserError: no header, or a column named twice.
        """
        csv.field_size_limit(sys.maxsize)  # a long answer in one cell is no error
        with file.open() as opened:
            table = _Table(opened, file, self.config)
            batch: list[tuple[int, Any]] = []
            for item in table.records():
                batch.append(item)
                if len(batch) == size:
                    yield Chunk(file.name, batch, table.header, table.header)
                    batch = []
            if batch:
                yield Chunk(file.name, batch, table.header, table.header)

    def decode(self, chunk: Chunk) -> list[Record]:
        """A record for each list of cells."""
        records = []
        for line, cells in chunk.items:
            if isinstance(cells, tuple):
                records.append(Record(chunk.file, line, None, *cells))
            else:
                value = {key: cell for key, cell in zip(chunk.shared, cells, strict=True) if cell != ""}
                records.append(Record(chunk.file, line, value))
        return records


class _Table:
    """One file: its header, then its records, each held against the header."""

    def __init__(self, opened: BinaryIO, file: SourceFile, config: Any) -> None:
        delimiter = config.delimiter or ("\t" if inner_suffix(file.name).lower() == ".tsv" else ",")
        self._lines = _Lines(opened, EncodingOf(file, config.encoding))
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        header = self._next()
        if not header or isinstance(header, str) or len(set(header)) != len(header) or self._lines.problem:
            reason = self._lines.problem or "needs a first line with a different name for each column"
            raise UserError(reason, where=f"{file.path}:1", fix="name the columns there; a tab-separated file is .tsv")
        self.header = tuple(header)

    def records(self) -> Iterator[tuple[int, list[str] | tuple[str, str]]]:
        """Line of the end of each record, and its cells or (problem, raw text)."""
        while True:
            before = self._reader.line_num
            self._lines.forget()
            cells = self._next()
            if cells is None:
                return
            problem = self._problem(cells, before + 1)
            if problem:
                yield self._reader.line_num, (problem, "".join(self._lines.seen).rstrip("\r\n"))
            elif cells:
                yield self._reader.line_num, cells  # type: ignore[misc]  # a str is a problem

    def _next(self) -> list[str] | str | None:
        """The next record's cells, or why they could not be read, or None at the end."""
        try:
            return next(self._reader, None)
        except csv.Error as error:
            return f"broken CSV: {error}"

    def _problem(self, cells: list[str] | str, first: int) -> str:
        if self._lines.problem:
            return self._lines.problem
        if isinstance(cells, str):
            last = self._reader.line_num
            return cells if last <= first else f"{cells} (lines {first} to {last}; is a quote left open?)"
        if cells and len(cells) != len(self.header):
            return f"has {len(cells)} cells where the header names {len(self.header)} columns"
        return ""


class _Lines:
    """Decoded lines for csv.reader; those of the current record are remembered, and what was wrong with their bytes."""

    def __init__(self, opened: BinaryIO, found: EncodingOf) -> None:
        self._opened, self._found = opened, found
        self._waiting: list[str] = []
        self.seen: list[str] = []
        self.problem = ""

    def forget(self) -> None:
        """A new record begins."""
        self.seen.clear()
        self.problem = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if not self._waiting:
            text = self._decoded(next(self._opened))
            if "\r" not in text[:-2]:
                self.seen.append(text)
                return text
            self._waiting = LINE.findall(text)[::-1]  # a lone \r ends a line too, as Excel for Mac wrote it
        self.seen.append(self._waiting.pop())
        return self.seen[-1]

    def _decoded(self, line: bytes) -> str:
        if line.isascii():
            return line.decode("ascii")
        encoding = self._found.of((line,))
        try:
            return line.decode(encoding)
        except UnicodeDecodeError as error:
            self.problem = self.problem or undecodable(error)
            return escaped(line, encoding)
