"""Augmentation in the flow: children of training rows into shards of their own, none of them near a held-out row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from danlu.data.augmentation import Rejected, Write, augment
from danlu.data.corpora import JoinedCorpus
from danlu.data.flow import SHARD_ROWS, Flow
from danlu.data.held_out import SPLIT, TRAIN, Held
from danlu.data.ledger import AUGMENT
from danlu.data.operators import Features, joined
from danlu.data.row import Row
from danlu.data.shards import Books, ShardCorpus, ShardFolder
from danlu.data.splitting import leaks, split_features
from danlu.recipe.data import DataSection
from danlu.recipe.errors import InternalFault
from danlu.runs.durable import write_json

AUGMENTATION = "augmentation"


@dataclass
class Family:
    """The children of training rows.

    Attributes:
        corpus: those that were accepted.
        rejected: the others, each with the reason.
        report: of the augmentation, and the proof that nothing leaks.
    """

    corpus: ShardCorpus
    rejected: list[Rejected] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


def make_children(flow: Flow, held: Held, config: DataSection, seed: int, writers: Mapping[int, Write]) -> Family:
    """Make children, refuse those that come near a held-out row, and prove that the splits do not leak.

    Raises:
        InternalFault: rows that share a prompt, a group or their text stand on different sides.
    """
    family = Family(ShardCorpus(ShardFolder(flow.work / "children"), []))
    if config.augment.steps:
        _augment(family, flow, held, config, (seed, writers))
    proof = _prove(family, flow, held, config)
    family.report["leakage"] = proof
    return family


def _augment(
    family: Family, flow: Flow, held: Held, config: DataSection, given: tuple[int, Mapping[int, Write]]
) -> None:
    shards, marker = family.corpus.shards, flow.work / "children.json"
    if marker.is_file():  # written texts cost time or money: a killed stage does not ask for them again
        kept = json.loads(marker.read_text(encoding="utf-8"))
    else:
        kept = _write_children(shards, flow, held, config, given)
        write_json(marker, kept)
    family.rejected = [Rejected(**entry) for entry in kept["rejected"]]
    family.report[AUGMENTATION] = kept["report"]
    living = [np.ones(len(shards.books(index).positions), dtype=bool) for index in range(kept["shards"])]
    family.corpus = ShardCorpus(shards, living)
    _refuse(family, _repeating(family, held))


def _write_children(
    shards: ShardFolder, flow: Flow, held: Held, config: DataSection, given: tuple[int, Mapping[int, Write]]
) -> dict[str, Any]:
    """Make the children, a shard at a time; what is kept of them besides: the refusals and the report."""
    seed, writers = given
    stream = augment(
        held.corpus(flow, split=TRAIN), config.augment, writers, seed, lambda done, of: flow.tell(AUGMENT, done, of)
    )
    rejected: list[dict[str, str]] = []
    waiting: list[Row] = []
    count = 0
    for child in stream:
        if isinstance(child, Rejected):
            rejected.append(asdict(child))
            continue
        waiting.append(child)
        if len(waiting) == SHARD_ROWS:
            shards.write(count, waiting, Books(positions=list(range(len(waiting)))))
            count, waiting = count + 1, []
    if waiting:
        shards.write(count, waiting, Books(positions=list(range(len(waiting)))))
        count += 1
    return {"shards": count, "rejected": rejected, "report": stream.report}


def _repeating(family: Family, held: Held) -> dict[int, str]:
    """Children that repeat an evaluation row, which their parents do not."""
    guilty: dict[int, str] = {}
    start = 0
    for batch in family.corpus.batches():
        hits = held.index.hits(batch) if held.index else [None] * len(batch)
        guilty |= {start + offset: hit.reason() for offset, hit in enumerate(hits) if hit is not None}
        start += len(batch)
    return guilty


def _prove(family: Family, flow: Flow, held: Held, config: DataSection) -> dict[str, Any]:
    """Compare all splits anew; children that are tied to held-out rows are refused, anything else is a fault."""
    rows = flow.corpus()
    splits = np.concatenate([mine[alive] for mine, alive in zip(held.splits, flow.living, strict=True)] or [[]])
    everyone = JoinedCorpus(rows, family.corpus)
    features = joined([rows.features(SPLIT), *_child_features(family, config)]) if len(rows) else {}
    sides = np.concatenate([splits, np.full(len(family.corpus), TRAIN)])
    found = leaks(features, everyone, sides, config.split.near_duplicates) if len(everyone) else []
    guilty: dict[int, str] = {}
    for low, high, why in found:
        child = high if high >= len(rows) else low
        if child < len(rows):
            names = " and ".join(row.id for row in everyone.rows([low, high]))
            raise InternalFault(f"rows {names} stand on different sides of the split, but share their {why}")
        guilty[child - len(rows)] = f"is tied to a held-out row ({why})"
    _refuse(family, guilty)
    held_out = int((splits != TRAIN).sum())
    return {
        "train": int((splits == TRAIN).sum()) + len(family.corpus),
        "held_out": held_out,
        "refused_children": len(guilty),
        "threshold": config.split.near_duplicates,
        "leaks": 0,
    }


def _child_features(family: Family, config: DataSection) -> list[Features]:
    return [split_features(batch, config.split) for batch in family.corpus.batches()]


def _refuse(family: Family, guilty: Mapping[int, str]) -> None:
    """Move children from the accepted to the rejected."""
    positions = sorted(guilty)
    rows: Sequence[Row] = family.corpus.rows(positions)
    places = [family.corpus.locate(position) for position in positions]
    for position, row, (shard, index) in zip(positions, rows, places, strict=True):
        step = row.id.rpartition("~")[2].split(".")[0]
        family.rejected.append(Rejected(row.parent, row.id, step, guilty[position]))
        family.corpus.living[shard][index] = False
    family.corpus = ShardCorpus(family.corpus.shards, family.corpus.living)
