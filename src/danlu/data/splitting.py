"""Which split a row belongs to: stable under added rows, and never with a copy of itself on another side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

from danlu.data import similarity
from danlu.data.languages import script_language
from danlu.data.operators import Corpus, Features
from danlu.data.row import Row
from danlu.recipe.data import SplitSection

SPLITS = ("train", "validation", "test")
NEAR = "near duplicate"
# The golden ratio's fraction: multiples of it fill [0, 1) as evenly as any sequence can (Weyl 1916, Knuth vol. 3, 6.4)
GOLDEN = 0.6180339887498949


@dataclass
class Assignment:
    """What the split decided.

    Attributes:
        splits: for each row an index into SPLITS, or -1 where the row is dropped.
        dropped: position -> reason, for rows that would tie two splits together.
        report: how many rows followed another, and shares by stratum.
    """

    splits: np.ndarray
    dropped: dict[int, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)


def split_features(rows: Sequence[Row], config: SplitSection) -> Features:
    """What the split needs to know of each row: hashes of prompt and group, the stratum, MinHash signatures."""
    features: Features = {
        "prompt": np.array([xxhash.xxh3_64_intdigest(row.prompt()) for row in rows], dtype=np.uint64),
        "group": np.array([_group(row, config.group_by) for row in rows], dtype=np.uint64),
        "stratum": np.array([_stratum(row, config.stratify_by) for row in rows], dtype=np.uint64),
    }
    if config.near_duplicates is not None:
        features["signature"] = similarity.row_signatures(rows)
    return features


def assign_splits(features: Features, corpus: Corpus, config: SplitSection) -> Assignment:
    """A split for each row, in the order of the sources.

    A row that is tied to no earlier one goes where the hash of what it asks puts it (with `stratify_by`: where the
    next point of an even sequence over its stratum puts it). A row tied to earlier ones, by the same prompt, the same
    group or near-duplicate text, follows them; a row tied to two splits at once is dropped, since keeping it would
    leak one into the other, and moving the earlier rows would make the split depend on what is added later.
    """
    count = len(corpus)
    assignment = Assignment(np.full(count, -1, dtype=np.int8))
    if not count:
        return assignment
    neighbours = _neighbours(features, corpus, config)
    prompts, groups = _Homes(features["prompt"]), _Homes(features["group"])
    numbers: Counter[int] = Counter()
    followed = 0
    for position in range(count):
        prompt, group = int(features["prompt"][position]), int(features["group"][position])
        homes = (prompts, groups) if group else (prompts,)
        ties = {home for home in (some.of(position) for some in homes) if home >= 0}
        ties |= {
            int(assignment.splits[other]) for other in neighbours.get(position, ()) if assignment.splits[other] >= 0
        }
        if len(ties) > 1:
            names = " and ".join(SPLITS[index] for index in sorted(ties))
            assignment.dropped[position] = f"is tied to rows of {names}; keeping it would leak one into the other"
            continue
        if ties:
            followed += 1
            home = ties.pop()
        else:
            home = _own_split(prompt, int(features["stratum"][position]), numbers, config)
        assignment.splits[position] = home
        for some in homes:
            some.settle(position, home)
    assignment.report = {"followed": followed, "bridges": len(assignment.dropped)}
    return assignment


class _Homes:
    """Where the rows of each value went, nine bytes a row."""

    def __init__(self, values: np.ndarray) -> None:
        distinct, self._number = np.unique(values, return_inverse=True)
        self._home = np.full(len(distinct), -1, np.int8)

    def of(self, position: int) -> int:
        """The split of the rows with this row's value, or -1."""
        return int(self._home[self._number[position]])

    def settle(self, position: int, home: int) -> None:
        """Rows with this row's value go to `home`, unless they have one."""
        if self._home[self._number[position]] < 0:
            self._home[self._number[position]] = home


def _own_split(prompt: int, stratum: int, numbers: Counter[int], config: SplitSection) -> int:
    if config.stratify_by is None:
        point = prompt / 2.0**64
    else:
        # Each stratum starts elsewhere, or all small ones would give their first row to the same split
        point = (stratum / 2.0**64 + GOLDEN * numbers[stratum]) % 1.0
        numbers[stratum] += 1
    if point < config.test:
        return SPLITS.index("test")
    return SPLITS.index("validation" if point < config.test + config.validation else "train")


def _neighbours(features: Features, corpus: Corpus, config: SplitSection) -> Mapping[int, list[int]]:
    """Position -> earlier positions that are near-duplicates of it."""
    found: dict[int, list[int]] = defaultdict(list)
    if config.near_duplicates is None:
        return found
    for low, high in similarity.near_rows(corpus, features["signature"], config.near_duplicates)[0]:
        found[int(high)].append(int(low))
    return found


def _group(row: Row, key: str | None) -> int:
    """Hash of the row's group; 0 where it has none."""
    value = row.metadata.get(key) if key else None
    return 0 if value is None else xxhash.xxh3_64_intdigest(str(value).encode("utf-8", "surrogatepass")) or 1


def _stratum(row: Row, key: str | None) -> int:
    if key is None:
        return 0
    if key == "label":
        value: Any = "\x1f".join(row.labels)
    elif key == "language":
        value = script_language(row.question())
    else:
        value = row.metadata.get(key, "")
    return xxhash.xxh3_64_intdigest(str(value).encode("utf-8", "surrogatepass"))


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
