"""Apache Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from danlu.data.row import Record
from danlu.recipe.data import ParquetSource
from danlu.recipe.errors import UserError


def read_parquet(config: ParquetSource) -> Iterator[Record]:
    """Records of a Parquet file, a batch in memory at a time; `line` is the 1-based row.

    Raises:
        UserError: the file is not Parquet.
    """
    path = Path(config.path)
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"is not a Parquet file: {error}", where=str(path)) from None
    number = 0
    with file:
        for batch in file.iter_batches(batch_size=1024):
            for value in batch.to_pylist():
                number += 1
                yield Record(path.name, number, _without_nulls(value))


def _without_nulls(value: Any) -> Any:
    """Parquet gives every struct every key; a null one was not there in the row."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
