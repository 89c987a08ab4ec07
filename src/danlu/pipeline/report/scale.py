"""From values to positions on a chart: ranges that survive outliers and single points, and round tick marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A linear map of [low, high] onto 0 to 100 percent; values outside are clamped to the edge."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Position of a value in percent."""
        share = value / (self.high - self.low) - self.low / (self.high - self.low)  # each part finite for huge ranges
        return round(100 * min(1.0, max(0.0, share)), 3)

    def ticks(self, about: int = 4) -> list[float]:
        """Round values within the range, about so many."""
        step = _round_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) if step > 1e-9 else index * step for index in range(first, last + 1)]


@dataclass(frozen=True)
class LogScale(Scale):
    """The same over positive values, where equal ratios are equal distances."""

    def __call__(self, value: float) -> float:
        """Position of a value in percent."""
        if value <= 0:
            return 0.0
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)

    def ticks(self, about: int = 4) -> list[float]:
        """1, 2 and 5 times powers of ten within the range; of too many, the powers alone."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        inside = [round(value, 12) for value in found if self.low <= value <= self.high]
        return inside if len(inside) <= 2 * about else [10.0**p for p in powers if self.low <= 10.0**p <= self.high]


def around(values: Iterable[float], margin: float = 0.08) -> Scale:
    """A scale that holds all values with a margin; a single value is put in the middle."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return Scale(low - room, high + room)
    room = (high / 2 - low / 2) * 2 * margin  # halves first: their difference may be more than a float holds
    return Scale(low - room, high + room)


def without_outliers(values: Sequence[float]) -> list[float]:
    """The values that a chart should have room for: those far above nearly all others are left out."""
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 20:
        return finite
    usual = finite[int(0.97 * (len(finite) - 1))]
    low = finite[0]
    return [value for value in finite if value <= usual + 1.0 * (usual - low) + 1e-12]


def smooth(values: Sequence[float], share: float = 0.03) -> list[float]:
    """Moving average that weighs neighbours on both sides less the further they are, over about `share` of the values.

    Both sides, because an average of the past alone lags behind a falling curve and would show losses too high.
    """
    keep = 1 - 1 / max(1.0, share * len(values))
    past, future = _decayed(values, keep), _decayed(values[::-1], keep)[::-1]
    return [
        (total + after - value) / (weight + weight_after - 1)  # the value itself is in both
        for value, (total, weight), (after, weight_after) in zip(values, past, future, strict=True)
    ]


def _decayed(values: Sequence[float], keep: float) -> list[tuple[float, float]]:
    """At each value the sum of it and those before, each weighing `keep` times the next; and the sum of weights."""
    result, total, weight = [], 0.0, 0.0
    for value in values:
        total, weight = keep * total + value, keep * weight + 1
        result.append((total, weight))
    return result


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
