"""The rows on their way through the stage: which shards they lie in, who still lives, and who was dropped why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from danlu.data.cleaners import CLEANERS, OVER_ALL_ROWS
from danlu.data.columns import ColumnsSeen
from danlu.data.operators import DatasetCleaner, Features
from danlu.data.passes import CleanPass, FeaturePass, ReadPass, Runner, Steps, dropped_entries
from danlu.data.personal.scrubber import Scrubber
from danlu.data.reading import Chunk, Reader
from danlu.data.row import Dropped, Row
from danlu.data.shards import Books, ShardCorpus, ShardFolder
from danlu.data.sources import SOURCES
from danlu.recipe.cleaners import Cleaner
from danlu.recipe.redaction import RedactSection
from danlu.recipe.sources import Source

SHARD_ROWS = 2048

Tell = Callable[[str, int, int | None], None]
"""Told of progress: step, rows done, rows in all (None where nobody knows)."""


class Flow:
    """Rows in shards, pass by pass.

    Args:
        runner: where passes run.
        work: folder that survives a kill; finished shards in it are not made again.
        tell: told of progress.
        key: of pseudonyms.
    """

    def __init__(self, runner: Runner, work: Path, tell: Tell, key: bytes = b"") -> None:
        self.runner, self.work, self.tell, self.key = runner, work, tell, key
        self.passes: list[ShardFolder] = []
        self.living: list[np.ndarray] = []
        self.read = 0
        self.scrubber = Scrubber()
        self._dropped: dict[int, list[dict[str, Any]]] = {}

    # -- passes ----------------------------------------------------------------------------------------------------

    def read_sources(
        self,
        sources: Sequence[Source],
        cleaners: Sequence[Cleaner],
        redact: RedactSection | None,
        keep: tuple[str, ...] = (),
    ) -> None:
        """The first pass: every record of every source into shards, row cleaners and redaction applied.

        `keep` names the keys of the metadata whose values rows are told apart by, also after redaction.
        """
        self.scrubber = Scrubber(redact)
        folder = self._folder()
        row_cleaners, judge = segmented(cleaners)[0]
        steps = Steps(row_cleaners, redact, self.key, keep, judge, feature_name(0, judge))
        readers: list[Reader] = [SOURCES.load(source.type)(source) for source in sources]
        index, shares = 0, list[float]()
        self.tell("read", 0, None)
        for source, reader, prefix in zip(sources, readers, _prefixes(readers), strict=True):
            first = index
            numbered = enumerate(_watched(reader.chunks(SHARD_ROWS), readers, shares), start=index)
            for count in self.runner.map(ReadPass(source, prefix, steps, folder), numbered):
                index += 1
                self.read += count
                share = shares[index - 1]
                self.tell("read", self.read, max(self.read, round(self.read / share)) if share else None)
            if source.columns:
                self._check_columns(source, ShardFolder(folder), range(first, index))
        self._enter(folder, index)

    def _check_columns(self, source: Source, shards: ShardFolder, indices: range) -> None:
        seen = ColumnsSeen(source)
        for index in indices:
            for file, keys in shards.books(index).keys.items():
                seen.add(file, keys)
        seen.check()

    def clean(self, cleaners: Sequence[Cleaner]) -> Iterator[tuple[Cleaner, Any]]:
        """Run what is left of `cleaners` after the first pass; yields each dataset cleaner with its report.

        The first pass has run the row cleaners before the first dataset cleaner, and redaction.
        """
        segments = segmented(cleaners)
        for number, (_, judge) in enumerate(segments):
            if judge is None:
                break
            self.tell(judge.type, 0, len(self.corpus()))
            cleaner: DatasetCleaner = CLEANERS.load(judge.type)(judge)
            verdict = cleaner.decide(self.corpus().features(feature_name(number, judge)), self.corpus())
            self.drop(verdict.dropped, judge.type)
            yield judge, verdict.report
            following = segments[number + 1]
            if following[0]:
                self._clean_pass(
                    Steps(
                        following[0], key=self.key, following=following[1], name=feature_name(number + 1, following[1])
                    )
                )
            elif following[1] is not None:
                make = CLEANERS.load(following[1].type)(following[1]).features
                self.compute(make, feature_name(number + 1, following[1]))

    def _clean_pass(self, steps: Steps) -> None:
        folder = self._folder()
        total, done = len(self.corpus()), 0
        name = steps.cleaners[0].type
        items = list(enumerate(self.living))
        for count in self.runner.map(CleanPass(steps, self.passes[-1].folder, folder), items):
            done += count
            self.tell(name, done, total)
        self._enter(folder, len(items))

    def compute(self, make: Callable[[Sequence[Row]], Features], name: str) -> None:
        """Make other features for the rows as they are."""
        total, done = len(self.corpus()), 0
        for count in self.runner.map(FeaturePass(make, name, self.passes[-1].folder), range(len(self.living))):
            done += count
            self.tell(name.partition("-")[2] or name, min(done, total), total)

    def _folder(self) -> Path:
        return self.work / f"pass-{len(self.passes)}"

    def _enter(self, folder: Path, shards: int) -> None:
        self.passes.append(ShardFolder(folder))
        self.living = [np.ones(len(self.passes[-1].books(index).positions), dtype=bool) for index in range(shards)]

    # -- what lives ------------------------------------------------------------------------------------------------

    def corpus(self) -> ShardCorpus:
        """The rows that live now."""
        return ShardCorpus(self.passes[-1], self.living)

    def drop(self, reasons: Mapping[int, str], step: str) -> None:
        """End rows by their positions among the living."""
        corpus = self.corpus()
        positions = sorted(reasons)
        self.living = [mask.copy() for mask in self.living]
        books: tuple[int, Books] = (-1, Books())
        ended: dict[int, list[tuple[int, Dropped]]] = {}
        for position, row in _looked_up(corpus, positions):
            shard, index = corpus.locate(position)
            if books[0] != shard:
                books = (shard, self.passes[-1].books(shard))
            self.living[shard][index] = False
            ended.setdefault(shard, []).append((books[1].positions[index], Dropped(row, step, reasons[position])))
        for shard, dropped in ended.items():
            self._dropped.setdefault(shard, []).extend(dropped_entries(dropped, self.scrubber))

    # -- the books -------------------------------------------------------------------------------------------------

    def dropped(self, shard: int) -> list[dict[str, Any]]:
        """Every dropped row of a shard, of all passes, in the order of the source."""
        entries = [entry for folder in self.passes for entry in folder.books(shard).dropped]
        return sorted(entries + self._dropped.get(shard, []), key=lambda entry: int(entry["position"]))

    def positions(self, shard: int) -> list[int]:
        """Where the living rows of a shard stand in the shard as it was read."""
        all_positions = self.passes[-1].books(shard).positions
        return [position for position, lives in zip(all_positions, self.living[shard], strict=True) if lives]

    def books(self) -> Iterator[Books]:
        """The books of all passes and shards."""
        for folder in self.passes:
            for index in range(len(self.living)):
                yield folder.books(index)


def _looked_up(corpus: ShardCorpus, positions: Sequence[int]) -> Iterator[tuple[int, Row]]:
    """The rows at these positions, with them; some are in memory at a time."""
    for start in range(0, len(positions), SHARD_ROWS):
        part = positions[start : start + SHARD_ROWS]
        yield from zip(part, corpus.rows(part), strict=True)


def segmented(cleaners: Sequence[Cleaner]) -> list[tuple[tuple[Cleaner, ...], Cleaner | None]]:
    """The cleaners cut after each one that looks at all rows: [(row cleaners, dataset cleaner or None), ...]."""
    segments: list[tuple[tuple[Cleaner, ...], Cleaner | None]] = []
    rows: list[Cleaner] = []
    for cleaner in cleaners:
        if cleaner.type in OVER_ALL_ROWS:
            segments.append((tuple(rows), cleaner))
            rows = []
        else:
            rows.append(cleaner)
    return [*segments, (tuple(rows), None)]


def _watched(chunks: Iterator[Chunk], readers: Sequence[Reader], shares: list[float]) -> Iterator[Chunk]:
    """The chunks; for each, `shares` gets how much of all bytes was read when it came: 0 where nobody knows."""
    for chunk in chunks:
        known = [found for reader in readers if (found := reader.bytes_read()) is not None]
        whole = sum(size for _, size in known)
        shares.append(sum(done for done, _ in known) / whole if whole and len(known) == len(readers) else 0.0)
        yield chunk


def _prefixes(readers: Sequence[Reader]) -> list[str]:
    """`#0`, `#1` ... for sources that have a file name in common, so that row ids stay unique; else nothing."""
    names = [{path.name for path in reader.files()} or {"hub"} for reader in readers]
    shared = [any(mine & other for j, other in enumerate(names) if j != i) for i, mine in enumerate(names)]
    return [f"#{index}" if clash else "" for index, clash in enumerate(shared)]


def feature_name(number: int, judge: Cleaner | None) -> str:
    """Of the features that the dataset cleaner of segment `number` needs."""
    return f"{number}-{judge.type}" if judge else ""
