"""Rows between two steps: shards on disk, each with its rows, the features of the next step, and its books."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from danlu.data.operators import Features
from danlu.data.row import Row

ROW_FIELDS = tuple(Row.__dataclass_fields__)


@dataclass
class Books:
    """What happened to the rows of a shard in one pass.

    Attributes:
        positions: of the surviving rows, in the shard as it was read; one for each row of the rows file.
        read: records that came in from the source (only the first pass reads).
        keys: of the records of each file, where the source names columns.
        dropped: dictionaries with position, row_id, file, line, step, reason.
        findings: personal data that was found, without its values.
        labels: (label that redaction made, kinds in it, keyed hash of what it was) of labels that were rewritten.
        examples: step -> a few rows before and after it, or as it dropped them; personal data tagged.
    """

    positions: list[int] = field(default_factory=list)
    read: int = 0
    keys: dict[str, list[str]] = field(default_factory=dict)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    labels: list[tuple[str, str, str]] = field(default_factory=list)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def dump_row(row: Row) -> bytes:
    """A row as a line of JSON."""
    return orjson.dumps({name: getattr(row, name) for name in ROW_FIELDS})


def load_row(line: bytes) -> Row:
    """The row of a line of JSON."""
    values = orjson.loads(line)
    for name in ("messages", "tools", "labels", "rejected", "changed_by"):
        values[name] = tuple(values[name])
    return Row(**values)


class ShardFolder:
    """The shards of one pass. A shard is there when its books are: they are written last, and renamed into place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def is_done(self, index: int) -> bool:
        """Whether a shard was finished, by this process or one before it."""
        return self._path(index, "books").is_file()

    def write(self, index: int, rows: Sequence[Row], books: Books) -> None:
        """Write a shard so that a crash leaves all of it or none; features that belong to it come first."""
        self._put(self._path(index, "rows"), b"".join(dump_row(row) + b"\n" for row in rows))
        self._put(self._path(index, "books"), orjson.dumps(books))

    def write_features(self, index: int, name: str, features: Features) -> None:
        """Write the features that the step `name` needs of a shard's rows."""
        path = self._path(index, name)
        with open(path.with_suffix(".part"), "wb") as file:
            np.savez(file, **features)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
        os.replace(path.with_suffix(".part"), path)

    def rows(self, index: int) -> list[Row]:
        """The rows of a shard."""
        return [load_row(line) for line in self.lines(index)]

    def lines(self, index: int) -> list[bytes]:
        """The rows of a shard as they are stored, for those who want few of them."""
        return self._path(index, "rows").read_bytes().splitlines()

    def books(self, index: int) -> Books:
        """The books of a shard."""
        return Books(**orjson.loads(self._path(index, "books").read_bytes()))

    def has_features(self, index: int, name: str) -> bool:
        """Whether they were written, by this process or one before it."""
        return self._path(index, name).is_file()

    def features(self, index: int, name: str) -> Features:
        """The features that the step `name` needs of a shard's rows."""
        with np.load(self._path(index, name), allow_pickle=False) as file:
            return dict(file.items())

    def _path(self, index: int, kind: str) -> Path:
        return self.folder / f"{index:06d}.{kind}"

    def _put(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(f".{path.suffix[1:]}-part")
        temporary.write_bytes(data)
        os.replace(temporary, path)


class ShardCorpus:
    """The living rows of all shards of a pass, in the order of the sources.

    Args:
        shards: where they lie.
        living: for each shard, which of its rows still live (bool [rows]).
    """

    def __init__(self, shards: ShardFolder, living: list[np.ndarray]) -> None:
        self.shards, self.living = shards, living
        self._starts = np.concatenate([[0], np.cumsum([int(mask.sum()) for mask in living])]).astype(np.int64)
        self._held: tuple[int, list[bytes]] = (-1, [])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def shard(self, index: int) -> list[Row]:
        """The living rows of one shard."""
        return [load_row(line) for line in self._lines(index)]

    def _lines(self, index: int) -> list[bytes]:
        """The living rows of one shard as they are stored; the last ones read are kept at hand."""
        if self._held[0] != index:
            lines, mask = self.shards.lines(index), self.living[index]
            self._held = (index, [line for line, lives in zip(lines, mask, strict=True) if lives])
        return self._held[1]

    def batches(self) -> Iterator[Sequence[Row]]:
        """The living rows, a shard at a time."""
        for index in range(len(self.living)):
            yield self.shard(index)

    def rows(self, indices: Sequence[int]) -> list[Row]:
        """The rows at these positions; each shard is read once, however the positions are ordered."""
        wanted = np.asarray(indices, dtype=np.int64)
        homes = np.searchsorted(self._starts, wanted, side="right") - 1
        found: dict[int, Row] = {}
        for home in np.unique(homes):
            lines, start = self._lines(int(home)), int(self._starts[home])
            for position in wanted[homes == home].tolist():
                if position not in found:
                    found[position] = load_row(lines[position - start])
        return [found[position] for position in wanted.tolist()]

    def locate(self, position: int) -> tuple[int, int]:
        """(shard, index among all its rows, dead ones included) of a position."""
        home = int(np.searchsorted(self._starts, position, side="right") - 1)
        alive = np.flatnonzero(self.living[home])
        return home, int(alive[position - self._starts[home]])

    def features(self, name: str) -> Features:
        """The stored features of the living rows for the step `name`."""
        result: Features = {}
        for index, mask in enumerate(self.living):
            for key, values in self.shards.features(index, name).items():
                if key not in result:  # filled in place: signatures are what most memory goes to
                    result[key] = np.empty((len(self), *values.shape[1:]), values.dtype)
                result[key][self._starts[index] : self._starts[index + 1]] = values[mask]
        return result
