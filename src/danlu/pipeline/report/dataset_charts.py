"""Charts of the dataset's page as SVG, in the manner of `charts`: positions in percent, readable without a script."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from danlu.pipeline.report.dataset_text import plain
from danlu.pipeline.report.numbers import count, significant

COLOURS = 6  # classes c0 to c5 of the style sheet; whatever comes behind them shares 'rest'


def colour(index: int) -> str:
    """The style class of the n-th category."""
    return f"c{index}" if index < COLOURS else "rest"


def bar(amount: float, most: float, kind: str, hint: str) -> Markup:
    """One bar from the left edge, as long as its share of `most`; the least amount is still seen."""
    share = amount / most if most > 0 and math.isfinite(amount) else 0.0
    width = min(100.0, max(0.6, 100 * share)) if amount > 0 else 0.0
    return Markup(
        '<svg class="bar open" role="img" aria-label="{0}" width="100%" height="14">'
        '<rect class="{1}" x="0" y="0" width="{2}%" height="100%" rx="3"><title>{0}</title></rect></svg>'
    ).format(plain(hint), kind, round(width, 3))


def mirrored(edges: Sequence[float], up: Sequence[int], down: Sequence[int], names: tuple[str, str, str]) -> Markup:
    """Two histograms over the same bins, one upwards and one downwards from a common line, each to its own height.

    Args:
        edges: of the bins, one more than there are bins; bins are drawn equally wide.
        up, down: counts.
        names: of the chart, of what goes up, of what goes down.
    """
    bins = min(len(edges) - 1, len(up), len(down))
    highest = {"up": max(up, default=0), "down": max(down, default=0)}
    if bins <= 0 or max(highest.values()) <= 0:
        return Markup()
    width, rects = 100 / bins, []
    for index in range(bins):
        span = f"{significant(edges[index])}–{significant(edges[index + 1])}"
        for kind, amount, name in (("up", up[index], names[1]), ("down", down[index], names[2])):
            if amount > 0:
                height = max(0.6, 48 * amount / highest[kind])
                top = 49.5 - height if kind == "up" else 50.5
                hint = f"{name} · {span}: {count(int(amount))}"
                rects.append(_column(kind, (index * width, top), (width, height), hint))
    every = max(1, math.ceil(bins / 7))
    marks = [(index * width, significant(edges[index])) for index in range(0, bins, every)]
    return Markup(
        '<div class="mirrored"><svg role="img" aria-label="{}" width="100%" height="190">'
        '<line class="grid" x1="0" x2="100%" y1="50%" y2="50%"/>{}</svg>{}</div>'
    ).format(names[0], Markup().join(rects), _below(marks))


def columns(bars: Sequence[tuple[str, int]], name: str) -> Markup:
    """One column for each (label, amount), labelled below; empty when there is nothing to show."""
    most = max((amount for _, amount in bars), default=0)
    if most <= 0:
        return Markup()
    width, rects = 100 / len(bars), []
    for index, (label, amount) in enumerate(bars):
        height = max(1.0, 84 * amount / most) if amount > 0 else 0.0  # the rest is for the amount above it
        rects.append(
            _column("column", (index * width, 100 - height), (width, height), f"{plain(label)}: {count(amount)}")
        )
        if len(bars) <= 12:
            rects.append(
                Markup('<text class="over" x="{}%" y="{}%" dy="-4" text-anchor="middle">{}</text>').format(
                    round((index + 0.5) * width, 3), round(100 - height, 3), count(amount)
                )
            )
    every = max(1, math.ceil(len(bars) / 12))
    marks = [((index + 0.5) * width, plain(bars[index][0])) for index in range(0, len(bars), every)]
    return Markup(
        '<div class="columns"><svg role="img" aria-label="{}" width="100%" height="104">{}</svg>{}</div>'
    ).format(name, Markup().join(rects), _below(marks))


def against_null(value: float, edge: float, top: float, hint: str) -> Markup:
    """An effect as a dot, over the band in which 95 of 100 effects of chance lie; 0 at the left, `top` at the right."""

    def place(number: float) -> float:
        return round(100 * min(1.0, max(0.0, number / top if top > 0 else 0.0)), 3)

    return Markup(
        '<svg class="effect" role="img" aria-label="{0}" width="100%" height="18"><title>{0}</title>'
        '<line class="grid" x1="0" x2="100%" y1="50%" y2="50%"/>'
        '<rect class="null" x="0" y="2" width="{1}%" height="14" rx="3"/>'
        '<circle class="{2}" cx="{3}%" cy="50%" r="5.5"/></svg>'
    ).format(plain(hint), max(0.4, place(edge)), "beyond" if value > edge else "within", place(value))


def _column(kind: str, corner: tuple[float, float], size: tuple[float, float], hint: str) -> Markup:
    (x, y), (width, height) = corner, size
    return Markup('<rect class="{}" x="{}%" y="{}%" width="{}%" height="{}%"><title>{}</title></rect>').format(
        kind, round(x + 0.1 * width, 3), round(y, 3), round(0.8 * width, 3), round(height, 3), hint
    )


def _below(marks: Sequence[tuple[float, str]]) -> Markup:
    spans = [Markup('<span style="left:{}%">{}</span>').format(round(x, 3), text) for x, text in marks]
    return Markup('<div class="x-axis" aria-hidden="true">{}</div>').format(Markup().join(spans))
