"""Whether the columns that a recipe names are there: a misspelt one would leave its rows without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from danlu.data.reading import Chunk
from danlu.data.row import Record
from danlu.recipe.errors import UserError, nearest
from danlu.recipe.sources import Source

LISTED = 50

Scrub = Callable[[Sequence[str]], list[str]]


def keys_of(source: Source, chunk: Chunk, records: Sequence[Record], scrub: Scrub) -> list[str]:
    """The keys of a chunk's records and its table's columns: those that the source names, and fifty others.

    `scrub` takes personal data out of these: they are written down.
    """
    seen = dict.fromkeys(chunk.columns)
    for record in records:
        seen.update(dict.fromkeys(record.value or ()))
    named = set(source.columns.values())
    return [key for key in seen if key in named] + scrub([key for key in seen if key not in named][:LISTED])


class ColumnsSeen:
    """The keys of each file of a source; only of a source that names columns."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._keys: dict[str, dict[str, None]] = {}

    def add(self, file: str, keys: Iterable[str]) -> None:
        """These keys stand in rows of the file."""
        self._keys.setdefault(file, {}).update(dict.fromkeys(keys))

    def check(self) -> None:
        """Refuse a file in which no row has a column that the source names.

        Raises:
            UserError: as said, with the nearest name that is there.
        """
        for file, keys in self._keys.items():
            for ours, theirs in self._source.columns.items():
                if keys and theirs not in keys:
                    raise UserError(
                        f"no row has the column '{theirs}' that `columns` names for '{ours}'",
                        where=file,
                        fix=nearest(theirs, list(keys)[:LISTED]) + "; or leave it out of `columns`",
                    )
