"""After cleaning: the split, evaluation rows kept out of training, and training rows matched to production."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np

from danlu.data.columns import ColumnsSeen, keys_of
from danlu.data.contamination import ContaminationIndex
from danlu.data.drift import compare, match
from danlu.data.flow import SHARD_ROWS, Flow
from danlu.data.formats import RowProblem, to_row
from danlu.data.operators import Corpus, MemoryCorpus
from danlu.data.passes import scrubber
from danlu.data.row import Row
from danlu.data.row_keys import count_lacking, key_hash
from danlu.data.shards import ShardCorpus
from danlu.data.sources import SOURCES
from danlu.data.splitting import SPLITS, assign_splits, split_features
from danlu.recipe.data import DataSection, ReferenceSection
from danlu.recipe.errors import UserError
from danlu.recipe.sources import Source

TRAIN = SPLITS.index("train")
SPLIT, CONTAMINATION, REFERENCE = "split", "contamination", "reference"


@dataclass
class Held:
    """Which split each row belongs to.

    Attributes:
        splits: for each shard and row of the last pass an index into SPLITS, or -1 for a row that is dead.
        report: what the steps of this file found.
        index: n-grams of the evaluation rows, where children have to be compared with them too.
        repeated: ids of the held-out rows, by split, that rows kept for training repeat.
        lacking: for each field of the recipe that names a key of the rows, how many rows lack it.
    """

    splits: list[np.ndarray]
    report: dict[str, Any] = field(default_factory=dict)
    index: ContaminationIndex | None = None
    repeated: dict[str, list[str]] = field(default_factory=dict)
    lacking: list[dict[str, Any]] = field(default_factory=list)

    def corpus(self, flow: Flow, *, split: int) -> ShardCorpus:
        """The living rows of one split."""
        masks = [living & (splits == split) for living, splits in zip(flow.living, self.splits, strict=True)]
        return ShardCorpus(flow.passes[-1], masks)


def hold_out(flow: Flow, config: DataSection, seed: int) -> Held:
    """Split the living rows, then drop training rows that repeat evaluation rows, then match the reference."""
    held = _split(flow, config)
    _keep_evaluation_out(flow, held, config)
    if config.reference is not None:
        _match_reference(flow, held, config.reference, seed)
    return held


def _split(flow: Flow, config: DataSection) -> Held:
    flow.compute(partial(split_features, config=config.split), SPLIT)
    corpus = flow.corpus()
    features = corpus.features(SPLIT)
    lacking = [
        _lacking(features[kind] != 0, corpus, (f"data.split.{name}", key), flow)
        for name, kind, key in (
            ("group_by", "group", config.split.group_by),
            ("stratify_by", "stratum", config.split.stratify_by),
        )
        if key is not None
    ]
    assignment = assign_splits(features, corpus, config.split)
    splits, start = [], 0
    for living in flow.living:
        mine = np.full(len(living), -1, dtype=np.int8)
        count = int(living.sum())
        mine[living] = assignment.splits[start : start + count]
        splits.append(mine)
        start += count
    flow.drop(assignment.dropped, SPLIT)
    return Held(splits, {SPLIT: assignment.report}, lacking=lacking)


def _lacking(has: np.ndarray, corpus: Corpus, setting: tuple[str, str], flow: Flow) -> dict[str, Any]:
    """What the ledger says of rows that lack what a field of the recipe names."""
    lacking = count_lacking(has, corpus, setting, scrubber(flow.key).scrub_many)
    return {"field": setting[0], "key": setting[1], "rows": lacking, "of": len(has)}


def _drop_training(flow: Flow, held: Held, reasons: Mapping[int, str], step: str) -> None:
    """Drop rows by their positions among the training rows."""
    if not reasons:
        return
    alive = np.concatenate(flow.living)
    training = (np.concatenate(held.splits) == TRAIN) & alive
    positions = np.flatnonzero(training[alive])
    flow.drop({int(positions[position]): reason for position, reason in reasons.items()}, step)


def read_rows(source: Source) -> Iterator[Row]:
    """The rows of a source outside of the flow: evaluation sets and references, of which every row must be usable.

    Raises:
        UserError: a row that cannot be used.
    """
    reader = SOURCES.load(source.type)(source)
    seen = ColumnsSeen(source)
    for chunk in reader.chunks(SHARD_ROWS):
        records = reader.decode(chunk)
        seen.add(chunk.file, keys_of(source, chunk, records))
        for record in records:
            try:
                yield to_row(record, f"{record.file}:{record.line}", source)
            except RowProblem as problem:
                raise UserError(str(problem), where=f"{record.file}:{record.line}", fix="mend the row") from None
    seen.check(scrubber(b"").scrub_many)


def _evaluation_sets(config: DataSection) -> Iterator[tuple[str, Iterator[Row]]]:
    """External evaluation sets by their file names, numbered where two have the same."""
    sources = config.contamination.evaluation_sets
    names = [PurePath(source.path).name for source in sources]
    for number, (name, source) in enumerate(zip(names, sources, strict=True)):
        yield (f"{name} #{number}" if names.count(name) > 1 else name), read_rows(source)


def _keep_evaluation_out(flow: Flow, held: Held, config: DataSection) -> None:
    sets: dict[str, Iterable[Row]] = dict(_evaluation_sets(config))
    own = {f"{name} split": name for name in SPLITS if name != "train"}
    for title, name in own.items():
        sets[title] = _rows(held.corpus(flow, split=SPLITS.index(name)))
    index = ContaminationIndex(sets)
    if config.augment.steps:
        held.index = index
    training = held.corpus(flow, split=TRAIN)
    founds = []
    counts: list[int] = []
    for batch in training.batches():
        flow.tell(CONTAMINATION, sum(counts), len(training))
        founds.append(index.found(batch))
        counts.append(len(batch))
    founds = index.credible(founds)
    reasons: dict[int, str] = {}
    for found, count, start in zip(founds, counts, np.cumsum([0, *counts]).tolist(), strict=False):
        hits = index.best(found, count)
        reasons |= {start + offset: hit.reason() for offset, hit in enumerate(hits) if hit is not None}
    drop = config.contamination.on_found == "drop"
    if drop:
        _drop_training(flow, held, reasons, CONTAMINATION)
    dirty = index.dirty(founds)
    held.repeated = {name: [] if drop else list(dirty.items[title]) for title, name in own.items()}
    held.report[CONTAMINATION] = {"sets": dirty.as_dict(dropped=drop), "training_rows": len(reasons), "dropped": drop}


def _rows(corpus: Corpus) -> Iterator[Row]:
    for batch in corpus.batches():
        yield from batch


def _match_reference(flow: Flow, held: Held, config: ReferenceSection, seed: int) -> None:
    reference = MemoryCorpus(list(read_rows(config.source)))
    training = held.corpus(flow, split=TRAIN)
    if config.slice is not None:
        for corpus in (training, reference):
            has = np.array([key_hash(row, config.slice) != 0 for row in _rows(corpus)], np.bool_)
            held.lacking.append(_lacking(has, corpus, ("data.reference.slice", config.slice), flow))

    def progress(done: int, total: int) -> None:
        flow.tell(REFERENCE, done, total)

    found: dict[str, Any] = {"before": compare(training, reference, config, seed, progress).as_dict()}
    if config.match != "none":
        matching = match(training, reference, config, seed)
        found["matching"] = matching.as_dict()
        _drop_training(flow, held, matching, REFERENCE)
        training = held.corpus(flow, split=TRAIN)
        found["after"] = compare(training, reference, config, seed, progress).as_dict()
    held.report[REFERENCE] = found
