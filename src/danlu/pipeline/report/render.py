"""From report data to one HTML file that loads nothing: template, style, script and charts in one text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from danlu.evaluation.intervals import Comparison, Score
from danlu.evaluation.metrics import style_of
from danlu.pipeline.report import charts, numbers, reason_words, words
from danlu.pipeline.report.data import ReportData
from danlu.pipeline.report.differences import shared_with, shorten
from danlu.pipeline.report.templates import environment, moment
from danlu.recipe.language import chosen_language, tr

OPEN_SAMPLES = 4
MOST_SAMPLES = 20
LANGUAGE_TAGS = {"zh": "zh-CN", "ja": "ja", "ko": "ko", "en": "en"}


def render_report(data: ReportData) -> str:
    """The report as one HTML text in the user's language; what the data lacks is left out or said to be missing."""
    template = environment().get_template("report.html.j2")
    return template.render(
        data=data,
        page_language="zh-CN" if chosen_language() == "zh" else "en",
        created=moment(data.created),
        headline=words.headline(data),
        also=words.also(data.comparisons) if data.comparisons else "",
        repeated=words.repeated(data.clean, data.confidence) if data.clean else "",
        metrics=[_metric(entry, data) for entry in _entries(data)],
        confidence=numbers.percent(data.confidence),
        samples=[_sample(sample) for sample in data.samples[:MOST_SAMPLES]],
        open_samples=OPEN_SAMPLES,
        facts=_facts(data),
        ledger=_ledger(data.ledger) if data.ledger.get("read") else None,
        training=_training(data.history) | {"facts": _training_facts(data.training)} if data.history else None,
        export=_export(data.export) if data.export is not None else None,
        stages=[_stage(stage, data.stages) for stage in data.stages],
    )


def _entries(data: ReportData) -> list[Comparison | Score]:
    """Comparisons first, then scores of metrics that were not compared."""
    compared = {entry.metric for entry in data.comparisons}
    return [*data.comparisons, *(score for score in data.scores if score.metric not in compared)]


def _metric(entry: Comparison | Score, data: ReportData) -> dict[str, Any]:
    style = style_of(entry.metric)
    comparison = entry if isinstance(entry, Comparison) else None
    tuned = entry.tuned if isinstance(entry, Comparison) else entry
    found: dict[str, Any] = {
        "label": style.label,
        "meaning": style.meaning,
        "direction": tr("higher is better", "越高越好")
        if style.higher_is_better
        else tr("lower is better", "越低越好"),
        "tuned": _score(tuned, style.digits),
        "rows": numbers.count(tuned.rows),
        "base": None,
        "clean": _clean(entry.metric, style.digits, data),
        "chart": charts.interval_plot(style, comparison.base if comparison else None, tuned),
    }
    if comparison:
        found |= {
            "base": _score(comparison.base, style.digits),
            "difference": numbers.signed(comparison.difference, style.digits),
            "low": numbers.signed(comparison.low, style.digits),
            "high": numbers.signed(comparison.high, style.digits),
            "p": _evidence(comparison),
            "verdict": words.verdict_word(comparison.verdict),
            "kind": comparison.verdict.replace(" ", "-"),
        }
    return found


def _clean(metric: str, digits: int, data: ReportData) -> dict[str, str] | None:
    """The score on the rows that training does not repeat, and the verdict on them; None where it repeats none."""
    found = next((score for score in data.clean.scores if score.metric == metric), None) if data.clean else None
    if found is None or data.clean is None:
        return None
    verdicts = [words.verdict_word(entry.verdict) for entry in data.clean.comparisons if entry.metric == metric]
    return _score(found, digits) | {"rows": numbers.count(found.rows), "verdict": "".join(verdicts)}


def _score(score: Score, digits: int) -> dict[str, str]:
    parts = {"value": score.value, "low": score.low, "high": score.high}
    return {name: numbers.number(value, digits) for name, value in parts.items()}


def _evidence(entry: Comparison) -> str:
    """What is behind a verdict, for the hint under the pointer."""
    p_value = f"p = {entry.p_value:.3f}" if entry.p_value >= 0.001 else "p < 0.001"
    if entry.verdict == "no clear difference" and not entry.low <= 0 <= entry.high:
        why = tr("the models differ on too few rows for a verdict", "两个模型有差异的行太少，不足以下结论")
        return f"{p_value}; {why}"
    return p_value


def _sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    reference = str(sample.get("reference") or "")
    base = sample.get("base")
    return {
        "question": shorten(str(sample.get("question") or "")),
        "reference": shorten(reference),
        "base": None if base is None else shared_with(reference, str(base)),
        "tuned": shared_with(reference, str(sample.get("tuned") or "")),
        "lang": LANGUAGE_TAGS.get(str(sample.get("language")), ""),
    }


def _facts(data: ReportData) -> list[tuple[str, str]]:
    """The few numbers at the top: (value, what it is)."""
    facts = []
    if data.ledger.get("read"):
        facts.append((numbers.count(data.ledger["read"]), tr("rows read", "读入行数")))
        splits = data.ledger.get("splits", {})
        facts.append((numbers.count(splits.get("train", 0)), tr("rows to train on", "训练行数")))
    if data.history:
        facts.append((numbers.count(len(data.history)), tr("training steps", "训练步数")))
    if data.stages:
        facts.append((numbers.duration(sum(stage[2] for stage in data.stages)), tr("of work", "总用时")))
    facts += [
        (numbers.number(value, 3), words.named(words.FIGURES, name))
        for name, value in data.figures.items()
        if name != "loss" or len(data.figures) == 1
    ]
    if data.export and "size_bytes" in data.export:
        facts.append((numbers.size(data.export["size_bytes"]), tr("exported", "导出大小")))
    return facts


def _ledger(ledger: Mapping[str, Any]) -> dict[str, Any]:
    read = int(ledger["read"])
    fates, splits, tokens = (ledger.get(name) or {} for name in ("fates", "splits", "tokens"))
    fate_parts = [(kind, words.named(words.FATES, kind), int(fates.get(kind, 0))) for kind in words.FATES]
    split_parts = [(kind, words.named(words.SPLITS, kind), int(splits.get(kind, 0))) for kind in words.SPLITS]
    total, learned = tokens.get("total", 0), tokens.get("learned", 0)
    return {
        "read": numbers.count(read),
        "kept": numbers.count(sum(splits.values())),
        "fates": _legend(fate_parts, read),
        "fate_chart": charts.stacked_bar(fate_parts, tr("Fate of the rows", "各行去向")),
        "steps": [_step(step, read) for step in ledger.get("steps") or ()],
        "splits": _legend(split_parts, sum(splits.values())),
        "split_chart": charts.stacked_bar(split_parts, tr("Splits", "数据划分")),
        "tokens": numbers.count(total),
        "learned": numbers.count(learned),
        "learned_share": numbers.percent(learned / total) if total else numbers.MISSING,
        "lengths": charts.histogram(tokens.get("histogram") or (), tr("Tokens per row", "每行 token 数")),
    }


def _legend(parts: Sequence[tuple[str, str, int]], total: int) -> list[dict[str, str]]:
    return [
        {"kind": kind, "label": label, "count": numbers.count(amount), "share": numbers.percent(amount / max(total, 1))}
        for kind, label, amount in parts
    ]


def _step(step: Mapping[str, Any], read: int) -> dict[str, Any]:
    entered, left, name = int(step["in"]), int(step["out"]), str(step["step"])
    changed = int(step.get("changed", 0))
    return {
        "name": name.replace("_", " "),
        "out": numbers.count(left),
        "difference": numbers.signed(left - entered, 0) if left != entered else "",
        "changed": numbers.count(changed) if changed else "",
        "dropped": [
            (reason_words.said(str(reason)), numbers.count(amount))
            for reason, amount in (step.get("dropped") or {}).items()
        ],
        "chart": charts.funnel_bar(entered, left, read, name),
    }


def _training(history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    losses, checks = charts.series(history, "loss"), charts.series(history, "validation_loss")
    best = min(checks, key=lambda point: point[1]) if checks else None
    return {
        "steps": numbers.count(len(history)),
        "first": numbers.number(losses[0][1], 3) if losses else numbers.MISSING,
        "last": numbers.number(losses[-1][1], 3) if losses else numbers.MISSING,
        "best": numbers.number(best[1], 3) if best else "",
        "best_step": numbers.count(int(best[0])) if best else "",
        "loss": charts.loss_curve(history),
        "smoothed": len(losses) >= charts.SMOOTHED_FROM,
        "small": [
            (name, chart)
            for key, name in charts.small_names(history)
            if (chart := charts.small_curve(history, key, name))
        ],
    }


def _training_facts(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, amount) of what the training took."""
    found = []
    if facts.get("tokens"):
        found.append((tr("tokens", "token 数"), numbers.count(facts["tokens"])))
    if facts.get("trained_parameters") and facts.get("parameters"):
        share = numbers.percent(facts["trained_parameters"] / facts["parameters"], 1)
        found.append((tr("parameters trained", "训练参数"), f"{numbers.count(facts['trained_parameters'])} ({share})"))
    if facts.get("memory"):
        found.append((tr("memory", "内存"), numbers.size(facts["memory"])))
    return found


def _export(export: Mapping[str, Any]) -> dict[str, Any]:
    facts = []
    if "size_bytes" in export:
        facts.append((numbers.size(export["size_bytes"]), tr("on disk", "磁盘占用")))
    if _is_number(export.get("top1")):
        facts.append((numbers.percent(export["top1"], 2), tr("of next tokens unchanged", "下一个 token 与导出前一致")))
    if _is_number(export.get("mean_kl")):
        meaning = tr("mean KL divergence from the model before export, nats", "与导出前模型的平均 KL 散度（nat）")
        facts.append((numbers.number(export["mean_kl"], 5), meaning))
    if "positions" in export:
        facts.append((numbers.count(export["positions"]), tr("positions compared", "比较的位置数")))
    return {"facts": facts, "path": str(export.get("path", ""))}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _stage(stage: tuple[str, str, float, str], stages: Sequence[tuple[str, str, float, str]]) -> dict[str, Any]:
    name, status, seconds, key = stage
    longest = max(entry[2] for entry in stages) or 1.0
    return {
        "name": words.named(words.STAGES, name),
        "status": words.named(words.STATUSES, status),
        "kind": status,
        "seconds": numbers.duration(seconds),
        "key": key[:12],
        "full_key": key,
        "width": round(100 * seconds / longest, 1),
    }
