"""Small charts as SVG: positions in percent, so that they fit any width while text and strokes keep their size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from danlu.evaluation.intervals import Score
from danlu.evaluation.metric import MetricStyle
from danlu.pipeline.report.numbers import count, number, percent, significant
from danlu.pipeline.report.scale import Scale, around, smooth, without_outliers
from danlu.recipe.language import tr

MOST_POINTS = 800
SMOOTHED_FROM = 20  # steps; fewer are drawn as they are
Points = list[tuple[float, float]]


def series(history: Sequence[Mapping[str, Any]], key: str) -> Points:
    """(step, value) of the records that have a finite value."""
    points = []
    for record in history:
        step, value = record.get("step"), record.get(key)
        if isinstance(step, (int, float)) and isinstance(value, (int, float)) and math.isfinite(value):
            points.append((float(step), float(value)))
    return points


def small_names(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(key, name) of the quantities that are drawn small: those of each step, then what validation measures."""
    found = [
        ("learning_rate", tr("Learning rate", "学习率")),
        ("grad_norm", tr("Gradient norm", "梯度范数")),
        ("tokens_per_second", tr("Tokens per second", "每秒 token 数")),
    ]
    checked = sorted(
        {key for record in history for key in record if key.startswith("validation_")} - {"validation_loss"}
    )
    return found + [
        (key, tr("Validation: ", "验证：") + key.removeprefix("validation_").replace("_", " ")) for key in checked
    ]


def loss_curve(history: Sequence[Mapping[str, Any]]) -> Markup:
    """Training loss, raw and smoothed, with validation losses as dots; empty when there is none."""
    raw, checks = series(history, "loss"), series(history, "validation_loss")
    if not raw and not checks:
        return Markup()
    across = _steps(raw + checks)
    up = around([*without_outliers([y for _, y in raw]), *(y for _, y in checks)])
    above = sum(y > up.high for _, y in raw)
    smoothed: Points = []
    if len(raw) >= SMOOTHED_FROM:
        # A single spike would bend the average for many steps: it counts as the edge of the chart
        averages = smooth([min(y, up.high) for _, y in raw])
        smoothed = [(x, average) for (x, _), average in zip(raw, averages, strict=True)]
    parts = [line(raw, across, up, "raw" if smoothed else "train")]
    if smoothed:
        parts.append(line(smoothed, across, up, "train"))
    parts.append(line(checks, across, up, "checks"))
    if len(raw) == 1:
        parts.append(dot(raw[0], across, up, "train", _hint(raw[0], tr("loss", "损失"), 4)))
    parts += [dot(point, across, up, "check", _hint(point, tr("validation loss", "验证损失"), 4)) for point in checks]
    hints = [(*point, _hint(point, tr("loss", "损失"), 4)) for point in _thinned(raw)]
    name = tr("Loss over training steps", "训练损失曲线")
    chart = plot(name, (across, up), parts, hints)
    if above:
        most = number(max(y for _, y in raw), 2)
        note = tr(f"Above the edge of the chart: {above} (highest {most})", f"超出图上缘：{above} 个（最高 {most}）")
        chart += Markup('<p class="note">{}</p>').format(note)
    return chart


def small_curve(history: Sequence[Mapping[str, Any]], key: str, name: str) -> Markup:
    """One quantity over steps, small; empty when it was not recorded."""
    points = series(history, key)
    if not points:
        return Markup()
    across = _steps(points)
    up = around([0.0, *without_outliers([y for _, y in points])], margin=0.05)
    up = Scale(0.0 if min(y for _, y in points) >= 0 else up.low, up.high)
    parts = [line(points, across, up, "plain")]
    if len(points) == 1:
        parts.append(dot(points[0], across, up, "plain", _hint(points[0], name, 4)))
    hints = [(*point, _hint(point, name, 4)) for point in _thinned(points)]
    return plot(name, (across, up), parts, hints, ticks=2)


def interval_plot(style: MetricStyle, base: Score | None, tuned: Score) -> Markup:
    """Dots with their intervals on a common axis: base above, tuned below."""
    lanes = [("base", tr("base", "基座"), base)] if base else []
    lanes.append(("tuned", tr("tuned", "微调"), tuned))
    scale = around([edge for _, _, score in lanes if score for edge in (score.low, score.high, score.value)], 0.12)
    marks = []
    for tick in scale.ticks(4):
        marks.append(Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(scale(tick)))
    for lane, (kind, name, score) in enumerate(lanes):
        assert score is not None
        height = (lane + 0.5) * 100 / len(lanes)
        low, value, high = (number(v, style.digits) for v in (score.low, score.value, score.high))
        marks.append(
            Markup(
                '<g class="{kind}"><title>{name}: {value} ({low} – {high})</title>'
                '<line class="interval" x1="{x1}%" x2="{x2}%" y1="{y}%" y2="{y}%"/>'
                '<circle cx="{x}%" cy="{y}%" r="6"/></g>'
            ).format(
                kind=kind, name=name, value=value, low=low, high=high, y=height,
                x1=scale(score.low), x2=scale(score.high), x=scale(score.value),
            )
        )  # fmt: skip
    height = 30 * len(lanes)
    axis = Markup().join(across_label(scale(tick), significant(tick)) for tick in scale.ticks(4))
    return Markup(
        '<div class="dots"><svg role="img" aria-label="{}" width="100%" height="{}">{}</svg>'
        '<div class="x-axis" aria-hidden="true">{}</div></div>'
    ).format(style.label, height, Markup().join(marks), axis)


def stacked_bar(parts: Sequence[tuple[str, str, int]], name: str) -> Markup:
    """Parts of a whole side by side: (css class, label, count); empty when they sum to nothing."""
    total = sum(amount for _, _, amount in parts)
    if total <= 0:
        return Markup()
    rects, start = [], 0.0
    for kind, label, amount in parts:
        if amount > 0:
            width = 100 * amount / total
            rects.append(_bar(start, width, kind, f"{label}: {count(amount)} ({percent(amount / total)})"))
            start += width
    return Markup('<svg class="bar" role="img" aria-label="{}" width="100%" height="18">{}</svg>').format(
        name, Markup().join(rects)
    )


def funnel_bar(entered: int, left: int, read: int, name: str) -> Markup:
    """One step of the funnel: the rows that came in, faint, behind those that went on."""
    widest = max(read, entered, left, 1)
    lost = max(0, entered - left)
    rects = [_bar(0, 100 * left / widest, "kept", f"{name}: {count(left)}")]
    if lost:
        # A sliver of the width of a hair would not be seen: what was dropped is always at least visible
        width = max(0.6, 100 * lost / widest)
        rects.append(_bar(min(100 * left / widest, 100 - width), width, "dropped", f"−{count(lost)}"))
    return Markup('<svg class="bar" role="img" aria-label="{}" width="100%" height="14">{}</svg>').format(
        name, Markup().join(rects)
    )


def histogram(bins: Sequence[Sequence[float]], name: str) -> Markup:
    """Columns over [upper edge, count] bins; empty when all counts are zero."""
    if not bins or not any(amount > 0 for _, amount in bins):
        return Markup()
    most = max(amount for _, amount in bins)
    width = 100 / len(bins)
    rects, lower = [], 0.0
    for index, (upper, amount) in enumerate(bins):
        height = 100 * amount / most
        hint = f"{count(int(lower) + 1)}–{count(int(upper))}: {count(int(amount))}"
        rects.append(
            Markup('<rect class="column" x="{}%" y="{}%" width="{}%" height="{}%"><title>{}</title></rect>').format(
                round(index * width + 0.1 * width, 3),
                round(100 - height, 3),
                round(0.8 * width, 3),
                round(height, 3),
                hint,
            )
        )
        lower = upper
    every = max(1, math.ceil(len(bins) / 5))
    labels = [across_label((i + 1) * width, count(int(bins[i][0]))) for i in range(every - 1, len(bins), every)]
    return Markup(
        '<div class="columns"><svg role="img" aria-label="{}" width="100%" height="90">{}</svg>'
        '<div class="x-axis" aria-hidden="true">{}</div></div>'
    ).format(name, Markup().join(rects), Markup().join(labels))


def plot(
    name: str,
    scales: tuple[Scale, Scale],
    marks: Sequence[Markup],
    hints: Sequence[tuple[float, float, str]],
    ticks: int = 4,
    *,
    near: bool = False,
) -> Markup:
    """A chart with axes; `hints` (x, y, text) are shown under the pointer: that of its x, or the nearest one."""
    across, up = scales
    rows, labels = [], []
    for tick in up.ticks(ticks):
        top = round(100 - up(tick), 3)
        rows.append(Markup('<line class="grid" x1="0" x2="100%" y1="{0}%" y2="{0}%"/>').format(top))
        labels.append(Markup('<span style="top:{}%">{}</span>').format(top, significant(tick)))
    steps = [across_label(across(tick), significant(tick)) for tick in across.ticks(4) if tick == int(tick)]
    data = json.dumps([[across(x), round(100 - up(y), 2), text] for x, y, text in hints], ensure_ascii=False)
    return Markup(
        '<div class="plot{}" data-points="{}"><div class="y-axis" aria-hidden="true">{}</div>'
        '<svg class="area" role="img" aria-label="{}">{}{}</svg><div class="x-axis" aria-hidden="true">{}</div></div>'
    ).format(
        " near" if near else "", escape(data), Markup().join(labels), name, Markup().join(rows), Markup().join(marks),
        Markup().join(steps),
    )  # fmt: skip


def line(points: Points, across: Scale, up: Scale, kind: str) -> Markup:
    """A curve; nothing if it has less than two points."""
    if len(points) < 2:
        return Markup()
    path = " ".join(f"{across(x) * 10:.1f},{1000 - up(y) * 10:.1f}" for x, y in _thinned(points))
    return Markup(
        '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%">'
        '<polyline class="{}" points="{}" vector-effect="non-scaling-stroke"/></svg>'
    ).format(kind, path)


def dot(point: tuple[float, float], across: Scale, up: Scale, kind: str, hint: str) -> Markup:
    """A point with a hint."""
    return Markup('<circle class="{}" cx="{}%" cy="{}%" r="4"><title>{}</title></circle>').format(
        kind, across(point[0]), round(100 - up(point[1]), 3), hint
    )


def _bar(start: float, width: float, kind: str, hint: str) -> Markup:
    return Markup('<rect class="{}" x="{}%" y="0" width="{}%" height="100%"><title>{}</title></rect>').format(
        kind, round(start, 3), round(width, 3), hint
    )


def across_label(position: float, text: str) -> Markup:
    """A label below the chart."""
    return Markup('<span style="left:{}%">{}</span>').format(round(position, 3), text)


def _steps(points: Points) -> Scale:
    """The axis of steps: from the first to the last, without a margin."""
    steps = [x for x, _ in points]
    return Scale(min(steps), max(steps)) if min(steps) < max(steps) else around(steps)


def _hint(point: tuple[float, float], name: str, digits: int) -> str:
    return f"{tr('step', '步')} {point[0]:.0f} · {name} {number(point[1], digits)}"


def _thinned(points: Points) -> Points:
    """At most `MOST_POINTS` of them, evenly, the last included."""
    stride = max(1, math.ceil(len(points) / MOST_POINTS))
    kept = points[::stride]
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]
