"""How source files are read: cut into chunks here, decoded anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from danlu.data.row import Record


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive records of one file, raw as far as decoding them is work.

    Attributes:
        file: name of the file (without its folder; relative to the folder of a folder source).
        items: (1-based line or index, the raw record) in order; what a raw record is is the reader's affair.
        shared: what decoding needs to know besides: encoding, header line, columns of a table.
        columns: names of a table's columns, also of those in which no record has a value.
    """

    file: str
    items: list[tuple[int, Any]]
    shared: Any = None
    columns: tuple[str, ...] = ()


class Reader(Protocol):
    """A source. Built from its config alone (`Reader(config)`), picklable by that config."""

    def files(self) -> list[Path]:
        """The files it reads, sorted. A UserError where there are none. Empty for what is not files."""
        ...

    def skipped(self) -> dict[str, str]:
        """What lies in the folder or matches the glob and is not read: name -> why."""
        ...

    def chunks(self, size: int) -> Iterator[Chunk]:
        """All records in order, `size` a chunk (the last of a file may be smaller); the file is never held whole."""
        ...

    def bytes_read(self) -> tuple[float, int] | None:
        """How many bytes were read so far, and how many there are; None where nobody knows."""
        ...

    def decode(self, chunk: Chunk) -> list[Record]:
        """A record for each item, in order; a pure function, called in another process where that pays."""
        ...
