"""Rows that training rows are compared with, evaluation sets and the reference: rewritten as training rows are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from danlu.data.books import Problems
from danlu.data.columns import ColumnsSeen, keys_of
from danlu.data.flow import SHARD_ROWS, Flow, segmented
from danlu.data.formats import RowProblem, check_row, read_row
from danlu.data.passes import READ, Steps
from danlu.data.personal.scrubber import Scrubber
from danlu.data.reading import Chunk
from danlu.data.row import Record, Row
from danlu.data.row_keys import key_names
from danlu.data.shards import Books
from danlu.data.sources import SOURCES
from danlu.models.messages import answer_is_empty
from danlu.recipe.data import DataSection
from danlu.recipe.sources import Source


@dataclass
class ComparedRows:
    """The rows of an evaluation set or a reference, after the row-by-row cleaners and redaction of the recipe.

    They may be prompts alone. Steps that compare rows with each other (duplicates, conflicts) do not run on them.

    Attributes:
        flow: of the stage: its runner and its key of pseudonyms.
        config: the recipe's section.
        source: where they come from.
        where: field of the recipe that names it.
        lenient: whether a row that a step would drop stays, as that step left it.
        left_out: after they were read: step -> rows that it took away; `read` for rows that could not be used.
    """

    flow: Flow
    config: DataSection
    source: Source
    where: str
    lenient: bool = False
    left_out: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Row]:
        """The rows in order, a chunk at a time.

        Raises:
            UserError: rows that cannot be used, where the recipe has no `on_bad_row: drop`; it quotes no personal data.
        """
        self.left_out.clear()
        problems, seen = Problems(self.config), ColumnsSeen(self.source)
        chunks = SOURCES.load(self.source.type)(self.source).chunks(SHARD_ROWS)
        for rows, books in self.flow.runner.map(ComparePass(self.source, self._steps()), chunks):
            for file, keys in books.keys.items():
                seen.add(file, keys)
            for entry in books.dropped:
                self.left_out[entry["step"]] += 1
                problems.add((entry["file"], entry["line"]), entry["step"], entry["reason"])
            yield from rows
        seen.check()
        problems.raise_if_any(self.where)

    def _steps(self) -> tuple[Steps, ...]:
        """All row-by-row steps, in the order in which training rows go through them."""
        first, *rest = [rows for rows, _ in segmented(self.config.clean)]
        later = tuple(cleaner for rows in rest for cleaner in rows)
        keep = key_names(self.config)
        steps = (Steps(first, self.config.redact, self.flow.key, keep), Steps(later, key=self.flow.key))
        return tuple(replace(step, lenient=self.lenient) for step in steps)


@dataclass(frozen=True)
class ComparePass:
    """Records of a source -> rows to compare with, and the books of those that are left out."""

    source: Source
    steps: tuple[Steps, ...]

    def __call__(self, chunk: Chunk) -> tuple[list[Row], Books]:
        """The rows of a chunk; nothing is written to disk."""
        scrubber = Scrubber(self.steps[0].redact)
        rows, books = [], Books()
        records = SOURCES.load(self.source.type)(self.source).decode(chunk)
        if self.source.columns:
            books.keys[chunk.file] = keys_of(self.source, chunk, records, scrubber.scrub_many)
        for position, record in enumerate(records):
            try:
                rows.append(_compared(record, self.source))
                books.positions.append(position)
            except RowProblem as problem:
                reason = scrubber.scrub(str(problem))
                books.dropped.append({"file": record.file, "line": record.line, "step": READ, "reason": reason})
        for steps in self.steps:
            rows = steps.apply(rows, books)
        return rows, Books(dropped=books.dropped, keys=books.keys)


def _compared(record: Record, source: Source) -> Row:
    """A record as a Row; an answer may be missing or empty at its end.

    Raises:
        RowProblem: it is broken, or asks nothing.
    """
    row = read_row(record, f"{record.file}:{record.line}", source)
    if row.messages and row.messages[-1]["role"] == "assistant" and answer_is_empty(row.messages[-1]):
        row = replace(row, messages=row.messages[:-1])
    if not row.text and not any(message["role"] == "assistant" for message in row.messages):
        if not row.question().strip():
            raise RowProblem("asks nothing")
        return row
    return check_row(row)
