"""Curves of several runs in one chart, and their scores and costs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from markupsafe import Markup

from danlu.evaluation.intervals import Comparison, Score
from danlu.evaluation.metric import MetricStyle
from danlu.pipeline.report import charts
from danlu.pipeline.report.charts import Points
from danlu.pipeline.report.compare_data import RunFacts
from danlu.pipeline.report.numbers import count, number, signed, significant
from danlu.pipeline.report.scale import LogScale, Scale, around, smooth, without_outliers
from danlu.recipe.language import tr

FALLS_FAR = 6.0  # highest loss over lowest
MOST_HINTS = 200  # a run's points that tell their value under the pointer


def colour(index: int) -> str:
    """The style class of a run."""
    return f"c{index}"


def points_of(run: RunFacts, key: str, by: str) -> Points:
    """(step or tokens so far, value) of a run's records that have the value."""
    points = charts.series(run.history, key)
    if by == "step":
        return points
    tokens = dict(
        zip(
            (float(record["step"]) for record in run.history),
            accumulate(float(record.get("tokens", 0)) for record in run.history),
            strict=True,
        )
    )
    return [(tokens[step], value) for step, value in points]


def loss_curves(runs: Sequence[RunFacts], by: str) -> Markup:
    """Training losses of all runs, smoothed over their raw values, and validation losses as dots on a dashed line."""
    raw = [points_of(run, "loss", by) for run in runs]
    checks = [points_of(run, "validation_loss", by) for run in runs]
    everything = [point for points in (*raw, *checks) for point in points]
    if not everything:
        return Markup()
    across = _across(everything)
    up = loss_scale(raw, checks)
    marks: list[Markup] = []
    hints: list[tuple[float, float, str]] = []
    for index, run in enumerate(runs):
        kind = colour(index)
        long = len(raw[index]) >= charts.SMOOTHED_FROM
        if long:
            marks.append(charts.line(raw[index], across, up, f"{kind} faint"))
        marks.append(charts.line(_smoothed(raw[index], up) if long else raw[index], across, up, kind))
        marks.append(charts.line(checks[index], across, up, f"{kind} dashed"))
        for point in checks[index]:
            hint = _hint(run, point, by, tr("validation loss", "验证损失"))
            marks.append(charts.dot(point, across, up, kind, hint))
            hints.append((*point, hint))
        hints += [(*point, _hint(run, point, by, tr("loss", "损失"))) for point in _few(raw[index])]
    name = tr("Loss by steps", "按步数的损失") if by == "step" else tr("Loss by tokens", "按 token 数的损失")
    return charts.plot(name, (across, up), marks, hints, near=True)


def loss_scale(raw: Sequence[Points], checks: Sequence[Points]) -> Scale:
    """The axis of losses: logarithmic where they fall so far that the end of the curves would be one flat line."""
    shown = [value for points in raw for value in without_outliers([y for _, y in points])]
    shown += [y for points in checks for _, y in points]
    low, high = min(shown), max(shown)
    if low > 0 and high / low >= FALLS_FAR:
        return LogScale(low / 1.08, high * 1.08)
    return around(shown)


def is_logarithmic(runs: Sequence[RunFacts]) -> bool:
    """Whether the losses of these runs are drawn on a logarithmic axis."""
    curves = [[points_of(run, key, "step") for run in runs] for key in ("loss", "validation_loss")]
    return any(curves[0] + curves[1]) and isinstance(loss_scale(*curves), LogScale)


def small_curves(runs: Sequence[RunFacts], key: str, name: str) -> Markup:
    """One quantity of all runs over steps, small; empty when no run recorded it."""
    curves = [points_of(run, key, "step") for run in runs]
    everything = [point for points in curves for point in points]
    if not everything:
        return Markup()
    across = _across(everything)
    up = around([0.0, *(y for points in curves for y in without_outliers([y for _, y in points]))], margin=0.05)
    up = Scale(0.0 if min(y for _, y in everything) >= 0 else up.low, up.high)
    marks = [charts.line(points, across, up, f"{colour(index)} thin") for index, points in enumerate(curves)]
    for index, (run, points) in enumerate(zip(runs, curves, strict=True)):
        if len(points) == 1:
            marks.append(charts.dot(points[0], across, up, colour(index), _hint(run, points[0], "step", name)))
    hints = [
        (*point, _hint(run, point, "step", name))
        for run, points in zip(runs, curves, strict=True)
        for point in _few(points)
    ]
    return charts.plot(name, (across, up), marks, hints, ticks=2, near=True)


def score_lanes(style: MetricStyle, scores: Sequence[tuple[int, RunFacts, Score]]) -> Markup:
    """The runs' scores with their intervals on one axis, a lane each."""
    lanes = [
        (colour(index), run.label, (score.low, score.value, score.high), number(score.value, style.digits))
        for index, run, score in scores
    ]
    return _lanes(style.label, lanes, None)


def difference_lanes(style: MetricStyle, entries: Sequence[tuple[int, str, Comparison]]) -> Markup:
    """Paired differences with their intervals on one axis, and the line of no difference."""
    lanes = [
        (colour(index), label, (entry.low, entry.difference, entry.high), signed(entry.difference, style.digits))
        for index, label, entry in entries
    ]
    return _lanes(style.label, lanes, 0.0)


def cost_bar(index: int, amount: float, most: float, hint: str) -> Markup:
    """A run's cost against the highest."""
    width = max(0.6, 100 * amount / most) if most > 0 else 0.0
    return Markup(
        '<svg class="bar open" role="img" aria-label="{0}" width="100%" height="12">'
        '<rect class="{1}" x="0" y="0" width="{2}%" height="100%" rx="3"><title>{0}</title></rect></svg>'
    ).format(hint, colour(index), round(width, 2))


def _lanes(name: str, lanes: Sequence[tuple[str, str, tuple[float, float, float], str]], zero: float | None) -> Markup:
    edges = [edge for _, _, values, _ in lanes for edge in values]
    scale = around(edges if zero is None else [*edges, zero], 0.12)
    marks = [
        Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(scale(tick))
        for tick in scale.ticks(4)
    ]
    if zero is not None:
        marks.append(Markup('<line class="zero" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(scale(zero)))
    for lane, (kind, label, (low, value, high), said) in enumerate(lanes):
        height = round((lane + 0.5) * 100 / len(lanes), 3)
        marks.append(
            Markup(
                '<g class="lane {kind}"><title>{label}: {said} ({low} – {high})</title>'
                '<line class="interval" x1="{x1}%" x2="{x2}%" y1="{y}%" y2="{y}%"/>'
                '<circle cx="{x}%" cy="{y}%" r="6"/></g>'
            ).format(
                kind=kind, label=label, said=said, low=significant(low), high=significant(high), y=height,
                x1=scale(low), x2=scale(high), x=scale(value),
            )
        )  # fmt: skip
    axis = Markup().join(charts.across_label(scale(tick), significant(tick)) for tick in scale.ticks(4))
    return Markup(
        '<div class="dots"><svg role="img" aria-label="{}" width="100%" height="{}">{}</svg>'
        '<div class="x-axis" aria-hidden="true">{}</div></div>'
    ).format(name, 26 * len(lanes), Markup().join(marks), axis)


def _across(points: Points) -> Scale:
    values = [x for x, _ in points]
    return Scale(min(values), max(values)) if min(values) < max(values) else around(values)


def _smoothed(points: Points, up: Scale) -> Points:
    averages = smooth([min(y, up.high) for _, y in points])
    return [(x, average) for (x, _), average in zip(points, averages, strict=True)]


def _few(points: Points) -> Points:
    return points[:: max(1, -(-len(points) // MOST_HINTS))]


def _hint(run: RunFacts, point: tuple[float, float], by: str, name: str) -> str:
    unit = tr("step", "步") if by == "step" else tr("token", "token")
    return f"{run.label} · {unit} {count(int(point[0]))} · {name} {number(point[1], 4)}"
