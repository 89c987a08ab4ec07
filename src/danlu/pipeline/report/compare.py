"""From a comparison of runs to one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from danlu.evaluation.intervals import Comparison
from danlu.evaluation.metrics import style_of
from danlu.pipeline.report import charts, numbers, words
from danlu.pipeline.report import compare_charts as drawn
from danlu.pipeline.report.compare_data import Pairing, RunFacts, RunsComparison
from danlu.pipeline.report.templates import environment, moment
from danlu.recipe.language import chosen_language, tr

STATES = {
    "done": ("done", "完成"),
    "failed": ("failed", "失败"),
    "running": ("running", "运行中"),
    "interrupted": ("interrupted", "已中断"),
    "killed": ("killed", "被终止"),
}


def render_comparison(found: RunsComparison) -> str:
    """The comparison as one HTML text in the user's language."""
    runs = found.runs
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            page_language="zh-CN" if chosen_language() == "zh" else "en",
            title=" · ".join(dict.fromkeys(run.name for run in runs)),
            headline=headline(found),
            runs=[_card(index, run) for index, run in enumerate(runs)],
            curves=_curves(runs),
            small=_small(runs),
            metrics=[_metric(name, found) for name in metrics_of(runs)],
            paired=any(pairing.comparisons for pairing in found.pairings),
            notes=[note for pairing in found.pairings for note in notes_of(found, pairing)],
            confidence=numbers.percent(found.confidence),
            differences=[(name, [shown(value) for value in values]) for name, values in found.differences],
            costs=_costs(runs),
        )
    )


def metrics_of(runs: Sequence[RunFacts]) -> list[str]:
    """Every metric that some run has, in the order they come."""
    return list(dict.fromkeys(name for run in runs for name in run.scores))


def headline(found: RunsComparison) -> str:
    """What came out in one or two sentences."""
    entries = [(p, p.comparisons[0]) for p in found.pairings if p.comparisons]
    if entries:
        between = "" if chosen_language() == "zh" else " "
        return between.join(_sentence(pairing, entry, found) for pairing, entry in entries)
    checked = [(run.best_validation(), run) for run in found.runs]
    known = sorted(((value, run) for value, run in checked if value is not None), key=lambda pair: pair[0])
    if len(known) > 1:
        value, best = known[0]
        return tr(
            f"{best.label} has the lowest validation loss, {numbers.number(value, 3)}. "
            "No answers to the same rows were found, so there is no verdict.",
            f"{best.label} 的验证损失最低，为 {numbers.number(value, 3)}。没有相同数据行的回答，因此没有结论。",
        )
    return tr(
        "There is nothing yet that would tell which is better.",
        "目前还没有可以判断优劣的结果。",
    )


def _sentence(pairing: Pairing, entry: Comparison, found: RunsComparison) -> str:
    style = style_of(entry.metric)
    one, other = found.runs[0].letter, pairing.letter
    values = [numbers.number(score.value, style.digits) for score in (entry.base, entry.tuned)]
    low, high = (numbers.signed(value, style.digits) for value in (entry.low, entry.high))
    sure, rows = numbers.percent(found.confidence), numbers.count(pairing.rows)
    said = {
        "better": (f"{other} is clearly better than {one}", f"{other} 明显优于 {one}"),
        "worse": (f"{other} is clearly worse than {one}", f"{other} 明显不如 {one}"),
    }.get(entry.verdict, (f"There is no clear difference between {one} and {other}", f"{one} 与 {other} 无明显差异"))
    return tr(
        f"{said[0]} on {rows} rows: {style.label} {values[0]}\u00a0→\u00a0{values[1]} "
        f"({sure} interval of the difference {low} to {high}).",
        f"{said[1]}（{rows} 行）：{style.label} {values[0]}\u00a0→\u00a0{values[1]}"
        f"（差值的 {sure} 区间 {low} 至 {high}）。",
    )


def notes_of(found: RunsComparison, pairing: Pairing) -> list[str]:
    """What a reader must know of a pairing: rows that only one run answered, metrics left out."""
    pair = f"{pairing.letter} − {found.runs[0].letter}"
    notes = []
    if not pairing.rows:
        none = 0 in pairing.of
        english = "not both were evaluated" if none else "they share no row with the same question and reference"
        chinese = "并非两次运行都已评测" if none else "没有问题与参考答案都相同的行"
        notes.append(tr(f"{pair}: {english}, so there is no paired difference.", f"{pair}：{chinese}，无法配对比较。"))
    elif (pairing.rows, pairing.rows) != pairing.of:
        rows, one, other = (numbers.count(amount) for amount in (pairing.rows, *pairing.of))
        notes.append(
            tr(
                f"{pair}: over the {rows} rows that are the same in both ({one} and {other} were answered).",
                f"{pair}：仅比较两者相同的 {rows} 行（分别回答了 {one} 与 {other} 行）。",
            )
        )
    for metric, reason in pairing.left_out.items():
        label = style_of(metric).label
        notes.append(tr(f"{pair}: {label} is left out: {reason}.", f"{pair}：未比较{label}：{reason}。"))
    return notes


def shown(value: Any) -> str:
    """A recipe value as a cell."""
    if value is None:
        return numbers.MISSING
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value) if value else "[]"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def cost_names() -> dict[str, tuple[str, Any]]:
    """Cost -> its name and how its amount is written."""
    return {
        "tokens": (tr("tokens trained on", "训练 token 数"), numbers.count),
        "seconds": (tr("time of the training stage", "训练阶段用时"), numbers.duration),
        "memory": (tr("memory, highest at the end of a step", "内存（步末最高值）"), numbers.size),
        "trained": (tr("parameters trained", "训练参数量"), numbers.count),
        "size": (tr("size of the export", "导出大小"), numbers.size),
    }


def _card(index: int, run: RunFacts) -> dict[str, Any]:
    best, last = run.best_validation(), run.last_loss()
    if best is not None:
        big, what = numbers.number(best, 3), tr("lowest validation loss", "最低验证损失")
    else:
        big, what = numbers.number(last, 3), tr("last training loss", "末步训练损失")
    return {
        "kind": drawn.colour(index),
        "letter": run.letter,
        "name": run.name,
        "id": run.id,
        "when": moment(run.started),
        "state": tr(*STATES.get(run.state, (run.state, run.state))),
        "fine": run.state == "done",
        "big": big,
        "what": what,
        "steps": numbers.count(len(run.history)),
    }


def _curves(runs: Sequence[RunFacts]) -> list[tuple[str, Any]]:
    scale = tr(", logarithmic", "，对数坐标") if drawn.is_logarithmic(runs) else ""
    drawings = [
        (tr("by steps", "按步数") + scale, drawn.loss_curves(runs, "step")),
        (tr("by tokens", "按 token 数") + scale, drawn.loss_curves(runs, "tokens")),
    ]
    return [(name, chart) for name, chart in drawings if chart]


def _small(runs: Sequence[RunFacts]) -> list[tuple[str, Any]]:
    wanted = charts.small_names([record for run in runs for record in run.history])
    return [(name, chart) for key, name in wanted if (chart := drawn.small_curves(runs, key, name))]


def _metric(name: str, found: RunsComparison) -> dict[str, Any]:
    style = style_of(name)
    scores = [(index, run, run.scores[name]) for index, run in enumerate(found.runs) if name in run.scores]
    pairs = [
        (found.runs.index(run), f"{run.letter} − {found.runs[0].letter}", entry)
        for run, pairing in zip(found.runs[1:], found.pairings, strict=True)
        for entry in pairing.comparisons
        if entry.metric == name
    ]

    def interval(entry: Any, write: Any) -> str:
        return f"{write(entry.low, style.digits)} – {write(entry.high, style.digits)}"

    return {
        "label": style.label,
        "meaning": style.meaning,
        "direction": tr("higher is better", "越高越好")
        if style.higher_is_better
        else tr("lower is better", "越低越好"),
        "chart": drawn.score_lanes(style, scores),
        "scores": [
            (
                drawn.colour(index),
                run.letter,
                numbers.number(score.value, style.digits),
                interval(score, numbers.number),
            )
            for index, run, score in scores
        ],
        "differences": drawn.difference_lanes(style, pairs) if pairs else "",
        "pairs": [
            {
                "kind": drawn.colour(index),
                "label": label,
                "value": numbers.signed(entry.difference, style.digits),
                "interval": f"{numbers.signed(entry.low, style.digits)} {tr('to', '至')} "
                f"{numbers.signed(entry.high, style.digits)}",
                "verdict": words.verdict_word(entry.verdict),
                "class": entry.verdict.replace(" ", "-"),
            }
            for index, label, entry in pairs
        ],
    }


def _costs(runs: Sequence[RunFacts]) -> list[dict[str, Any]]:
    found = []
    for key, (name, write) in cost_names().items():
        amounts = [(index, run, run.costs[key]) for index, run in enumerate(runs) if key in run.costs]
        if amounts:
            most = max(amount for _, _, amount in amounts)
            bars = [
                (
                    run.letter,
                    drawn.cost_bar(index, amount, most, f"{run.label}: {write(_whole(amount))}"),
                    write(_whole(amount)),
                )
                for index, run, amount in amounts
            ]
            found.append({"name": name, "bars": bars})
    return found


def _whole(amount: float) -> float | int:
    return int(amount) if amount == int(amount) else amount
