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
from danlu.data.splitting import NEAR, leaks, split_features
from danlu.recipe.data import DataSection
from danlu.recipe.errors import InternalFault
from danlu.runs.durable import write_json

AUGMENTATION = "augmentation"
ROUNDS = 5


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
    """Compare all splits anew until nothing is found that stands on two sides.

    Finding near duplicates is a matter of chance for a few of them, more so among many alike, so what the split did not
    see may be seen now: the training row is dropped, the child refused. A shared prompt or group is a fault.
    """
    dropped = refused = 0
    for _ in range(ROUNDS):
        late, guilty = _leaking(family, flow, held, config)
        if not late and not guilty:
            break
        flow.drop(late, SPLIT)
        _refuse(family, guilty)
        dropped += len(late)
        refused += len(guilty)
    else:
        raise InternalFault(f"after {ROUNDS} rounds there still are near duplicates on two sides of the split")
    splits = _splits(flow, held)
    return {
        "train": int((splits == TRAIN).sum()) + len(family.corpus),
        "held_out": int((splits != TRAIN).sum()),
        "dropped_rows": dropped,
        "refused_children": refused,
        "threshold": config.split.near_duplicates,
        "leaks": 0,
    }


def _splits(flow: Flow, held: Held) -> np.ndarray:
    """The split of each living row, in the order of the corpus."""
    parts = [mine[alive] for mine, alive in zip(held.splits, flow.living, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int8)


def _leaking(family: Family, flow: Flow, held: Held, config: DataSection) -> tuple[dict[int, str], dict[int, str]]:
    """Rows that have to go, and children that have to be refused, by their positions, with the reasons."""
    rows, splits = flow.corpus(), _splits(flow, held)
    if not len(rows):
        return {}, {}
    everyone = JoinedCorpus(rows, family.corpus)
    features = joined([rows.features(SPLIT), *_child_features(family, config)])
    sides = np.concatenate([splits, np.full(len(family.corpus), TRAIN)])
    late: dict[int, str] = {}
    guilty: dict[int, str] = {}
    for low, high, why in leaks(features, everyone, sides, config.split.near_duplicates):
        if high >= len(rows):
            guilty[high - len(rows)] = f"is tied to a held-out row ({why})"
        elif why != NEAR:
            names = " and ".join(row.id for row in everyone.rows([low, high]))
            raise InternalFault(f"rows {names} stand on different sides of the split, but share their {why}")
        else:
            goes = low if sides[low] == TRAIN else high
            late[goes] = "is near a row of another split, as the last comparison found"
    return late, guilty


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
