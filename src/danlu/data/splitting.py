"""Which split a row belongs to: by hashes of what rows say, and never with a copy of itself on another side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

from danlu.data import similarity
from danlu.data.languages import script_language
from danlu.data.operators import Corpus, Features
from danlu.data.row import Row
from danlu.data.row_keys import key_hash
from danlu.recipe.data import SplitSection

SPLITS = ("train", "validation", "test")
"""In this order: of two that are tied, a row goes to the one that stands further right."""
NEAR = "near duplicate"
FEW = 3  # questions of a cluster up to which one that is held out takes all of it along
SLACK = 0.25  # of a stratum's share, within which the rows' own hashes decide
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying by it orders hashes anew


@dataclass
class Assignment:
    """What the split decided.

    Attributes:
        splits: for each row an index into SPLITS, or -1 where the row is dropped.
        dropped: position -> reason, for rows that would tie two splits together.
        report: how many rows went where a near duplicate went, and how many were dropped.
    """

    splits: np.ndarray
    dropped: dict[int, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


def split_features(rows: Sequence[Row], config: SplitSection) -> Features:
    """What the split needs to know of each row: hashes of prompt and group, the stratum, MinHash signatures."""
    features: Features = {
        "prompt": np.array([xxhash.xxh3_64_intdigest(row.prompt()) for row in rows], dtype=np.uint64),
        "group": np.array([key_hash(row, config.group_by) if config.group_by else 0 for row in rows], dtype=np.uint64),
        "stratum": np.array([_stratum(row, config.stratify_by) for row in rows], dtype=np.uint64),
    }
    if config.near_duplicates is not None:
        features["signature"] = similarity.row_signatures(rows)
    return features


def assign_splits(features: Features, corpus: Corpus, config: SplitSection) -> Assignment:
    """A split for each row, whatever the order of the rows.

    A row goes where the hash of its group puts it; where it has none, where the hash of what it asks does. With
    `stratify_by` the same holds as long as each stratum has about its shares. Near duplicates without a group go
    together: up to three questions are held out where one of them is; of more, the one with the smallest second hash
    decides for all, or large clusters would hardly ever be trained on. Rows of two groups may ask the same or be near
    duplicates: then those on the side of training are dropped (of validation and test: those of validation).

    So an added row moves an old one only by being near it (from training to what is held out, unless the cluster grows
    beyond three), or, in a small stratum, by moving its cut by a row or two.
    """
    count = len(corpus)
    if not count:
        return Assignment(np.full(0, -1, dtype=np.int8))
    grouped = features["group"] != 0
    voters, voter = np.unique(np.where(grouped, features["group"], features["prompt"]), return_inverse=True)
    own = _own_splits(voters, _strata(voter, features["stratum"]), config)
    pairs = _pairs(features, corpus, config)
    splits = _together(voters, own, voter[pairs[~grouped[pairs].any(axis=1)]])[voter]
    followed = int((splits != own[voter]).sum())
    dropped = _tying(features["prompt"], pairs, splits)
    splits[list(dropped)] = -1
    return Assignment(splits, dropped, {"followed": followed, "bridges": len(dropped)})


def _own_splits(voters: np.ndarray, strata: np.ndarray, config: SplitSection) -> np.ndarray:
    """The split of each question or group by itself: by its hash, in the order of which each stratum is cut.

    Where the cuts at the shares themselves give a stratum its shares within a quarter (or a row), they stand, and no
    other row has a say. Else they move to the nearest row that mends it.
    """
    order = np.lexsort((voters, strata))
    _, starts, sizes = np.unique(strata[order], return_index=True, return_counts=True)
    points = voters[order] / 2.0**64
    test = np.add.reduceat(points < config.test, starts, dtype=np.int64)
    held = np.add.reduceat(points < config.test + config.validation, starts, dtype=np.int64)
    if config.stratify_by is not None:
        validation = _within(held - test, config.validation * sizes)
        test = _within(test, config.test * sizes)
        held = test + validation
    rank = np.arange(len(voters)) - np.repeat(starts, sizes)
    own = np.empty(len(voters), np.int8)
    own[order] = np.where(rank < np.repeat(test, sizes), 2, np.where(rank < np.repeat(held, sizes), 1, 0))
    return own


def _within(counts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Counts moved to at least three and at most five quarters of what is wanted, in whole rows; one row where one is
    wanted.
    """
    least = np.minimum(np.floor(wanted + 1e-9), np.maximum(1, np.floor(wanted * (1 - SLACK))))
    return np.clip(counts, least.astype(np.int64), np.ceil(wanted * (1 + SLACK) - 1e-9).astype(np.int64))


def _strata(voter: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """For each question or group the stratum that most of its rows are in."""
    pairs, counts = np.unique(np.stack([voter.astype(np.uint64), stratum], axis=1), axis=0, return_counts=True)
    pairs = pairs[np.lexsort((-counts, pairs[:, 0]))]  # stable: of equally many the smallest comes first
    return pairs[np.unique(pairs[:, 0], return_index=True)[1], 1]


def _together(voters: np.ndarray, own: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The splits of all, near duplicates (`pairs` of indices into `voters`) in one."""
    labels = similarity.clusters(len(voters), pairs)
    further = np.zeros(len(voters), np.int8)
    np.maximum.at(further, labels, own)
    order = np.lexsort((voters * GOLDEN, labels))
    heads, first, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    homes = np.empty(len(voters), np.int8)
    homes[heads] = np.where(sizes <= FEW, further[heads], own[order[first]])
    return homes[labels]


def _tying(prompts: np.ndarray, pairs: np.ndarray, splits: np.ndarray) -> dict[int, str]:
    """Rows that are tied to a row of another split, further right in SPLITS; position -> reason."""
    _, asked = np.unique(prompts, return_inverse=True)
    furthest = np.zeros(len(splits), np.int8)
    np.maximum.at(furthest, asked, splits)
    tied = furthest[asked]
    np.maximum.at(tied, pairs[:, 0], splits[pairs[:, 1]])
    np.maximum.at(tied, pairs[:, 1], splits[pairs[:, 0]])
    return {
        position: f"is tied to a row of {SPLITS[tied[position]]}; keeping it would leak one into the other"
        for position in np.flatnonzero(tied > splits).tolist()
    }


def _pairs(features: Features, corpus: Corpus, config: SplitSection) -> np.ndarray:
    """Pairs of positions that are near-duplicates, [pairs, 2]."""
    if config.near_duplicates is None:
        return np.empty((0, 2), np.int64)
    return similarity.near_rows(corpus, features["signature"], config.near_duplicates)[0]


def _stratum(row: Row, key: str | None) -> int:
    """Hash of what the row is stratified by; 0 where it has none."""
    if key is None:
        return 0
    if key == "label":
        return xxhash.xxh3_64_intdigest("\x1f".join(row.labels).encode()) or 1 if row.labels else 0
    if key == "language":
        return xxhash.xxh3_64_intdigest(script_language(row.question()).encode()) or 1
    return key_hash(row, key)


def leaks(
    features: Features, corpus: Corpus, splits: np.ndarray, threshold: float | None
) -> list[tuple[int, int, str]]:
    """Pairs of rows on different sides that must not be: same prompt, same group, or near-duplicates.

    Looks at the finished split anew, with none of what `assign_splits` remembered.
    """
    found: list[tuple[int, int, str]] = []
    for name in ("prompt", "group"):
        values = features[name]
        order = np.argsort(values, kind="stable")
        same = (values[order][1:] == values[order][:-1]) & (values[order][1:] != 0)
        crossing = same & (splits[order][1:] != splits[order][:-1])
        found += [(int(order[i]), int(order[i + 1]), name) for i in np.flatnonzero(crossing)]
    if threshold is not None and len(corpus):
        for low, high in similarity.near_rows(corpus, features["signature"], threshold)[0]:
            if splits[low] != splits[high]:
                found.append((int(low), int(high), NEAR))
    return found
