"""Reading report data that may lack anything: a part that is absent is empty, never an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: a part that is absent is shown as absent."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def finite(value: Any) -> float:
    """The value as a number; 0 for what is none."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0


def whole(value: Any) -> int:
    """The value as a whole number; 0 for what is none."""
    return int(finite(value))
