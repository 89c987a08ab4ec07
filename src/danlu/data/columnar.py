"""Values of columnar data (Parquet, Arrow, Hugging Face) as the plain data that rows are made of."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import Any

from danlu.data.row import Record


class NoPlainValue(ValueError):
    """A value that no row can hold: the reason."""


def plain_record(file: str, number: int, value: dict[str, Any]) -> Record:
    """A record of plain data. Keys whose value is null (or NaN) were not there in the row: columns have every key.

    Dates and times become ISO 8601 text, decimals their digits, bytes the UTF-8 text they hold.
    """
    try:
        return Record(file, number, _plain(value, ""))
    except NoPlainValue as error:
        return Record(file, number, None, str(error))


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, place or str(key)) for key, item in value.items() if not _is_null(item)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, place) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise NoPlainValue(f"column '{place}' holds bytes that are no UTF-8 text") from None
    raise NoPlainValue(f"column '{place}' holds {type(value).__name__}, which is no text, number or list of them")


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
