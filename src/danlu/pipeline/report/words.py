"""The findings of a run in plain words, English or Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from danlu.data.drift.nulls import wilson
from danlu.evaluation.evaluate import CleanRows
from danlu.evaluation.intervals import Comparison, Score
from danlu.evaluation.metrics import style_of
from danlu.pipeline.report.data import ReportData
from danlu.pipeline.report.numbers import count, number, percent, signed
from danlu.recipe.language import tr

STAGES = {
    "data": ("Data", "数据"),
    "train": ("Training", "训练"),
    "evaluate_base": ("Base evaluation", "评估基座模型"),
    "evaluate": ("Evaluation", "评估"),
    "export": ("Export", "导出"),
}
FATES = {
    "kept": ("kept as they were", "原样保留"),
    "changed": ("kept, cleaned", "清洗后保留"),
    "truncated": ("kept, truncated", "截断后保留"),
    "dropped": ("dropped", "丢弃"),
}
SPLITS = {"train": ("training", "训练集"), "validation": ("validation", "验证集"), "test": ("test", "测试集")}
STATUSES = {"made": ("made", "新建"), "reused": ("reused", "复用")}


def named(table: dict[str, tuple[str, str]], name: str) -> str:
    """A name in the user's language; one that the table lacks stays as it is."""
    return tr(*table[name]) if name in table else name


def verdict_word(verdict: str) -> str:
    """A verdict in the user's language."""
    words = {"better": tr("better", "更好"), "worse": tr("worse", "更差")}
    return words.get(verdict, tr("no clear difference", "无明显差异"))


def headline(data: ReportData) -> str:
    """One sentence: what came out."""
    if data.comparisons:
        return _compared(data.comparisons[0], data.confidence)
    if data.scores:
        return _scored(data.scores[0], data.confidence)
    if data.figures:
        said = figures_text(data.figures, data.training.get("test_rows", 0))
        return tr(f"On held-out rows, the tuned model has {said}.", f"在留出数据上，微调模型的{said}。")
    if data.history:
        return tr(
            f"The model was trained for {count(len(data.history))} steps and has not been evaluated yet.",
            f"模型训练了 {count(len(data.history))} 步，尚未评估。",
        )
    return tr("This run has not trained or evaluated a model yet.", "本次运行尚未训练或评估模型。")


FIGURES = {
    "loss": ("loss", "损失"),
    "accuracy": ("accuracy", "准确率"),
    "macro_f1": ("macro-F1", "宏平均 F1"),
    "reward_margin": ("reward margin", "奖励差"),
}


def figures_text(figures: Mapping[str, float], rows: int = 0) -> str:
    """Figures of an objective with their names, the most telling first; accuracy with its interval.

    Args:
        figures: their values.
        rows: that they were measured on; 0 where that is not known.
    """
    ordered = sorted(figures.items(), key=lambda pair: pair[0] == "loss")
    said = {name: f"{named(FIGURES, name)} {number(value, 3)}" for name, value in ordered}
    if rows and "accuracy" in said:
        low, high = (number(bound, 3) for bound in wilson(round(figures["accuracy"] * rows), rows))
        said["accuracy"] += tr(
            f" (95 % interval {low} to {high}, {count(rows)} rows)", f"（95 % 区间 {low} 至 {high}，{count(rows)} 条）"
        )
    return tr(", ", "、").join(said.values())


def also(comparisons: Sequence[Comparison]) -> str:
    """What the metrics behind the first say, in one or two short sentences; '' when there is one metric."""
    parts = []
    for verdict, english, chinese in (
        ("better", "Also better", "同样更好"),
        ("worse", "Worse", "更差"),
        ("no clear difference", "No clear difference", "无明显差异"),
    ):
        names = [style_of(entry.metric).label for entry in comparisons[1:] if entry.verdict == verdict]
        if names:
            if verdict == "better" and comparisons[0].verdict != "better":
                english, chinese = "Better", "更好"
            parts.append(tr(f"{english}: {', '.join(names)}.", f"{chinese}：{'、'.join(names)}。"))
    return " ".join(parts)


def repeated(found: CleanRows, confidence: float) -> str:
    """What scores must be read with when training rows repeat evaluated ones."""
    known, rows, clean = count(found.repeated), count(found.rows), count(found.rows - found.repeated)
    said = tr(
        f"{known} of the {rows} evaluated rows stand in the training rows as well: scores on all rows are too good.",
        f"{rows} 条评测数据中有 {known} 条也出现在训练数据中：全部数据上的得分偏高。",
    )
    if not found.scores:
        return said + tr(" No clean row is left to score.", "没有剩余的干净数据可供评分。")
    score, gap = found.scores[0], tr(" ", "")
    style = style_of(score.metric)
    value, low, high = (number(v, style.digits) for v in (score.value, score.low, score.high))
    said += gap + tr(
        f"On the {clean} clean rows alone, {style.label} is {value} ({percent(confidence)} interval {low} to {high})",
        f"仅在 {clean} 条干净数据上，{style.label}为 {value}（{percent(confidence)} 区间 {low} 至 {high}）",
    )
    if found.comparisons:
        entry = found.comparisons[0]
        base, verdict = number(entry.base.value, style.digits), verdict_word(entry.verdict)
        said += tr(f", the base's {base}: {verdict}", f"，基座模型为 {base}：{verdict}")
    return said + tr(".", "。")


def _compared(entry: Comparison, confidence: float) -> str:
    style = style_of(entry.metric)
    base, tuned = number(entry.base.value, style.digits), number(entry.tuned.value, style.digits)
    low, high = signed(entry.low, style.digits), signed(entry.high, style.digits)
    rows, sure = count(entry.tuned.rows), percent(confidence)
    if entry.verdict == "no clear difference":
        return tr(
            f"On {rows} held-out rows, no clear difference between the tuned model and its base: {style.label} "
            f"{base}\u00a0→\u00a0{tuned} ({sure} interval of the difference {low} to {high}).",
            f"在 {rows} 条留出数据上，微调模型与基座模型无明显差异：{style.label} {base}\u00a0→\u00a0{tuned}"
            f"（差值的 {sure} 区间 {low} 至 {high}）。",
        )
    english, chinese = ("better", "更好") if entry.verdict == "better" else ("worse", "更差")
    return tr(
        f"On {rows} held-out rows, the tuned model is clearly {english} than its base: {style.label} "
        f"{base}\u00a0→\u00a0{tuned} ({sure} interval of the difference {low} to {high}).",
        f"在 {rows} 条留出数据上，微调模型明显{chinese}：{style.label} {base}\u00a0→\u00a0{tuned}"
        f"（差值的 {sure} 区间 {low} 至 {high}）。",
    )


def _scored(score: Score, confidence: float) -> str:
    style = style_of(score.metric)
    value, low, high = (number(v, style.digits) for v in (score.value, score.low, score.high))
    return tr(
        f"On {count(score.rows)} held-out rows, the tuned model has {style.label} {value} "
        f"({percent(confidence)} interval {low} to {high}). It was not compared with its base.",
        f"在 {count(score.rows)} 条留出数据上，微调模型的{style.label}为 {value}"
        f"（{percent(confidence)} 区间 {low} 至 {high}），未与基座模型比较。",
    )
