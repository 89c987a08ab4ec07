"""Which split a row belongs to: a pure function of what it asks, so that added rows never move old ones."""

from __future__ import annotations

import xxhash

from danlu.data.row import Row
from danlu.recipe.data import SplitSection

SPLITS = ("train", "validation", "test")


def split_of(row: Row, config: SplitSection) -> str:
    """'train', 'validation' or 'test'. Rows that ask the same thing always share a split, whatever their answers."""
    point = xxhash.xxh3_64_intdigest(row.prompt().encode("utf-8", "surrogatepass")) / 2.0**64
    if point < config.test:
        return "test"
    if point < config.test + config.validation:
        return "validation"
    return "train"
