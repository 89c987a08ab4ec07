"""Numbers as people read them; what is missing or not finite has a sign of its own."""

from __future__ import annotations

import math
from typing import Any

from danlu.recipe.language import tr

MISSING = "–"
LARGE = 1e7


def number(value: Any, digits: int = 2) -> str:
    """A number with so many decimals: '1,234.50', '0.049', '2.1e+09', '∞', or '–' for what is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if 1e-3 <= abs(value) < 0.5 * 10**-digits:  # more decimals rather than a zero or a power
        return f"{value:.2g}".replace("-", "−")
    if abs(value) >= LARGE or 0 < abs(value) < 0.5 * 10**-digits:
        return f"{value:.1e}".replace("-", "−")
    text = f"{value:,.{digits}f}"
    return ("−" + text[1:]) if text.startswith("-") else text


def signed(value: Any, digits: int = 2) -> str:
    """A difference: as `number`, with a plus sign when it is positive."""
    text = number(value, digits)
    return f"+{text}" if isinstance(value, (int, float)) and value > 0 else text


def significant(value: float) -> str:
    """A number of any size in few characters, for axes: '0.0001', '2.5', '1,200', '3e+09'."""
    if value == 0:
        return "0"
    if not math.isfinite(value) or abs(value) >= LARGE or abs(value) < 1e-3:
        return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+").replace("-", "−")
    text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def count(value: Any) -> str:
    """A whole number with separators."""
    return f"{value:,}" if isinstance(value, int) else number(value, 0)


def percent(share: float, digits: int = 0) -> str:
    """A share of one as a percentage; what is little but not nothing is '<1 %'."""
    if 0 < share < 0.5 * 10 ** -(digits + 2):
        return f"<{number(10**-digits, digits)} %"
    return f"{number(100 * share, digits)} %"


def size(value: Any) -> str:
    """Bytes in the unit that leaves few digits."""
    if not isinstance(value, (int, float)):
        return MISSING
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{number(amount, 0 if amount >= 100 or unit == 'B' else 1)} {unit}"


def duration(seconds: Any) -> str:
    """Seconds in the units that a person would say them in."""
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return MISSING
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} {tr('h', '小时')} {minutes} {tr('min', '分')}"
    return f"{minutes} {tr('min', '分')} {rest} {tr('s', '秒')}"
