"""The data stage: sources -> rows -> cleaners -> tokens -> split, with every row's fate booked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danlu.data.cleaners import CLEANERS
from danlu.data.dataset import LEDGER, RENDERING, SUMMARY, DatasetWriter
from danlu.data.formats import RowProblem, check_row, to_row
from danlu.data.ledger import Ledger
from danlu.data.row import Dropped, Row
from danlu.data.sources import SOURCES
from danlu.data.splitting import split_of
from danlu.models.chat import ChatRenderer, RenderingProblem, Sample
from danlu.recipe.data import DataSection, Source
from danlu.recipe.errors import UserError
from danlu.runs.durable import write_json

READ, RENDER, TOKENS = "read", "render", "max_tokens"
SHOWN = 20

Progress = Callable[[int], None]


def prepare_dataset(config: DataSection, renderer: ChatRenderer, folder: Path, progress: Progress) -> dict[str, Any]:
    """Write the dataset artifact's files into `folder` and return the ledger's summary.

    Args:
        config: the recipe's data section.
        renderer: of the model that will be trained.
        folder: an existing, empty folder.
        progress: called with the number of rows read so far.

    Raises:
        UserError: an unreadable source; bad or over-long rows where the recipe says 'fail'; nothing left to train on.
    """
    steps = [READ, *(cleaner.type for cleaner in config.clean), RENDER, TOKENS]
    problems = Problems(config)
    writer = DatasetWriter(folder)
    try:
        with Ledger(folder / LEDGER, _unique(steps)) as ledger:
            books = _Books(config, renderer, ledger, writer, problems)
            for row in _cleaned(_rows(config, ledger, progress), config, books.drop):
                books.keep(row)
            problems.raise_if_any()
            summary = ledger.summary()
    finally:
        writer.close()
    if not summary["splits"]["train"]:
        raise UserError(
            f"no training rows are left of {summary['read']} read: {_losses(summary)}",
            where="data",
            fix="look at the ledger above; relax the steps that dropped the rows, or give more rows",
        )
    write_json(folder / SUMMARY, summary)
    write_json(folder / RENDERING, {"hash": renderer.rendering_hash})
    return summary


class Problems:
    """Rows that the recipe says must not be there; all are counted, the first twenty are told."""

    def __init__(self, config: DataSection) -> None:
        bad = config.on_bad_row == "fail"
        self._fatal = {READ: bad, RENDER: bad, TOKENS: config.on_too_long == "fail"}
        self._shown: dict[str, list[str]] = {"bad": [], "long": []}
        self._counts = {"bad": 0, "long": 0}

    def is_fatal(self, step: str) -> bool:
        """Whether a row dropped by this step makes the stage fail."""
        return self._fatal.get(step, False)

    def add(self, row: Row, step: str, reason: str) -> None:
        """Remember a row that makes the stage fail."""
        group = "long" if step == TOKENS else "bad"
        self._counts[group] += 1
        if len(self._shown[group]) < SHOWN:
            self._shown[group].append(f"{row.file}:{row.line}: {reason}")

    def raise_if_any(self) -> None:
        """Raise the UserError that lists them, if there are any."""
        for group, what, fix in (
            ("bad", "cannot be used", "mend the rows, or set data.on_bad_row: drop to leave them out and book them"),
            ("long", "are too long", "raise data.max_tokens, or set data.on_too_long: drop or truncate"),
        ):
            count = self._counts[group]
            if count:
                listed = "\n  ".join(self._shown[group])
                more = f"\n  ... and {count - SHOWN} more" if count > SHOWN else ""
                raise UserError(f"{count} rows {what}:\n  {listed}{more}", where="data", fix=fix)


def _rows(config: DataSection, ledger: Ledger, progress: Progress) -> Iterator[Row | Dropped]:
    """Every record of every source, as a Row or as Dropped with the reason it is none."""
    names = [Path(source.path).name for source in config.sources]
    for index, source in enumerate(config.sources):
        prefix = f"{names[index]}#{index}" if names.count(names[index]) > 1 else names[index]
        shape = source.format
        for record in _records(source):
            ledger.read += 1
            progress(ledger.read)
            row_id = f"{prefix}:{record.line}"
            try:
                yield to_row(record, row_id, shape)
            except RowProblem as problem:
                yield Dropped(Row(row_id, record.file, record.line), READ, str(problem))


def _records(source: Source) -> Iterator[Any]:
    if not Path(source.path).is_file():
        raise UserError(f"there is no file '{source.path}'", where="data.sources", fix="check the path")
    yield from SOURCES.load(source.type)(source)


def _cleaned(items: Iterable[Row | Dropped], config: DataSection, on_drop: Callable[[Dropped], None]) -> Iterator[Row]:
    """The rows that pass every cleaner; what is dropped on the way goes to `on_drop`."""
    rows = _live(items, on_drop)
    for cleaner in config.clean:
        rows = _live(CLEANERS.load(cleaner.type)(cleaner)(rows), on_drop)
    return rows


def _live(items: Iterable[Row | Dropped], on_drop: Callable[[Dropped], None]) -> Iterator[Row]:
    for item in items:
        if isinstance(item, Dropped):
            on_drop(item)
        else:
            yield item


@dataclass
class _Books:
    """Where the results of the stage go: dataset files, ledger, and the list of rows that must not be there."""

    config: DataSection
    renderer: ChatRenderer
    ledger: Ledger
    writer: DatasetWriter
    problems: Problems

    def drop(self, item: Dropped) -> None:
        """Book a dropped row."""
        if self.problems.is_fatal(item.step):
            self.problems.add(item.row, item.step, item.reason)
        self.ledger.dropped_row(item.row.id, (item.row.file, item.row.line), item.step, item.reason)

    def keep(self, row: Row) -> None:
        """Render a row, apply the length limit, and write it to its split."""
        try:
            samples = self._samples(check_row(row))
        except (RenderingProblem, RowProblem) as problem:
            self.drop(Dropped(row, RENDER, str(problem)))
            return
        limit = self.config.max_tokens
        longest = max(len(sample.input_ids) for sample in samples)
        cut = 0
        if longest > limit:
            if self.config.on_too_long != "truncate":
                self.drop(Dropped(row, TOKENS, f"longer than {limit} tokens: {longest}"))
                return
            samples, cut = _truncated(samples, limit)
            if not samples:
                self.drop(Dropped(row, TOKENS, f"no learned token within {limit} tokens"))
                return
        split = split_of(row, self.config.split)
        self.writer.write(row, split, samples)
        tokens, learned = sum(len(s.input_ids) for s in samples), sum(s.learned for s in samples)
        place = (row.file, row.line)
        self.ledger.kept_row(row.id, place, row.changed_by, split=split, tokens=tokens, learned=learned, truncated=cut)

    def _samples(self, row: Row) -> list[Sample]:
        if not row.messages:
            ids = [*self.renderer.encode_text(row.text), self.renderer.document_end_id]
            return [Sample(ids, [(1, len(ids))], [])]
        return self.renderer.samples(row.messages, thinking=row.thinking, tools=list(row.tools) or None)


def _truncated(samples: list[Sample], limit: int) -> tuple[list[Sample], int]:
    """Samples cut to `limit` tokens, those with nothing left to learn left out; and how many tokens went."""
    result = []
    for sample in samples:
        spans = [(start, min(end, limit)) for start, end in sample.spans if start < limit]
        if spans:
            result.append(Sample(sample.input_ids[:limit], spans, sample.turns[: len(spans)]))
    before, after = (sum(len(s.input_ids) for s in group) for group in (samples, result))
    return result, before - after


def _unique(steps: list[str]) -> list[str]:
    return list(dict.fromkeys(steps))


def _losses(summary: dict[str, Any]) -> str:
    lost = {step["step"]: step["in"] - step["out"] for step in summary["steps"] if step["in"] > step["out"]}
    split = f"validation {summary['splits']['validation']}, test {summary['splits']['test']}"
    return ", ".join(f"{step} dropped {count}" for step, count in lost.items()) or f"all went to {split}"
