"""Training rows against the sample of production, made ready for the dataset's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from danlu.pipeline.report import dataset_charts as charts
from danlu.pipeline.report import dataset_words as words
from danlu.pipeline.report.dataset_data import finite, mapping, sequence, whole
from danlu.pipeline.report.dataset_text import isolated, plain
from danlu.pipeline.report.numbers import count, number, percent, significant
from danlu.recipe.language import tr

SHOWN_VALUES = 12
DIFFERS, TOO_FEW = "differs", "too few rows"
MEASURES = {
    "psi": "PSI",
    "jensen_shannon": "JS",
    "kolmogorov_smirnov": "KS",
    "chi_squared": "χ²",
    "auc": "AUC",
}


def drift(reference: Any) -> list[dict[str, Any]]:
    """The comparison with the reference sample before matching, and after it if there was one."""
    titles = (("before", tr("Before matching", "对齐之前")), ("after", tr("After matching", "对齐之后")))
    reports = [(title, mapping(mapping(reference).get(key))) for key, title in titles]
    left_out = {str(step): whole(rows) for step, rows in mapping(mapping(reference).get("left_out")).items()}
    unusable = left_out.pop("read", 0)
    told = words.not_compared_sentence(unusable, sum(left_out.values()))
    return [_drift(title, report, told) for title, report in reports if report]


def _drift(title: str, report: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    dimensions = [mapping(dimension) for dimension in sequence(report.get("dimensions"))]
    differing = [words.called(words.DIMENSIONS, d.get("name")) for d in dimensions if d.get("verdict") == DIFFERS]
    train, other = count(whole(report.get("train_rows"))), count(whole(report.get("reference_rows")))
    return {
        "title": title,
        "sentence": words.drift_sentence(train, other, differing, tested=any(d.get("measures") for d in dimensions))
        + left_out,
        "dimensions": [_dimension(dimension) for dimension in dimensions],
        "permutations": count(whole(report.get("permutations"))),
    }


def _dimension(dimension: Mapping[str, Any]) -> dict[str, Any]:
    verdict, details = str(dimension.get("verdict")), mapping(dimension.get("details"))
    measures = [_measure(mapping(measure)) for measure in sequence(dimension.get("measures"))]
    return {
        "name": words.called(words.DIMENSIONS, dimension.get("name")),
        "verdict": words.verdict(verdict),
        "kind": {DIFFERS: "worse", TOO_FEW: "none"}.get(verdict, "better"),
        "sentence": isolated(dimension.get("sentence", "")),
        "measures": measures,
        "shares": _shares(details),
        "ngrams": _ngrams(sequence(details.get("ngrams"))),
    }


def _measure(measure: Mapping[str, Any]) -> dict[str, Any]:
    name = str(measure.get("name"))
    value, edge = finite(measure.get("value")), finite(measure.get("null_95"))
    start = 0.5 if name == "auc" else 0.0
    top = max(value, edge, start) - start
    label = MEASURES.get(name, plain(name))
    hint = f"{label} {number(value, 3)}; " + tr(
        f"by chance alone below {number(edge, 3)} in 95 of 100 cases", f"仅由偶然，95 % 的情形低于 {number(edge, 3)}"
    )
    return {
        "name": label,
        "value": significant(float(f"{value:.3g}")),
        "chart": charts.against_null(value - start, edge - start, 1.1 * top, hint),
    }


def _shares(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Shares of training and reference rows: of each value, or of each bin of a number."""
    entries = [(mapping(v).get("value", ""), mapping(v)) for v in sequence(details.get("values"))]
    if not entries:
        lower = "0"
        for bin_ in map(mapping, sequence(details.get("bins"))):
            upper = count(whole(bin_.get("to")))
            entries.append((f"{lower}–{upper}", bin_))
            lower = upper
    most = max((finite(e.get(side)) for _, e in entries for side in ("train", "reference")), default=0.0)
    return [
        {
            "name": isolated(name),
            "train": charts.bar(finite(entry.get("train")), most, "accent", percent(finite(entry.get("train")), 1)),
            "reference": charts.bar(
                finite(entry.get("reference")), most, "grey", percent(finite(entry.get("reference")), 1)
            ),
            "text": f"{percent(finite(entry.get('train')))} · {percent(finite(entry.get('reference')))}",
        }
        for name, entry in entries[:SHOWN_VALUES]
    ]


def _ngrams(entries: Sequence[Any]) -> list[tuple[str, Markup]]:
    """The n-grams that are typical of one side, as (side, chips)."""
    sides: dict[str, list[Markup]] = {"train": [], "reference": []}
    for entry in map(mapping, entries):
        ours, theirs = finite(entry.get("train")), finite(entry.get("reference"))
        chip = Markup('<span class="chip">{} <small>{} · {}</small></span>').format(
            isolated(entry.get("ngram", "")), percent(ours), percent(theirs)
        )
        sides["train" if ours > theirs else "reference"].append(chip)
    names = {
        "train": tr("more in training", "训练数据中更多"),
        "reference": tr("more in the reference", "参考样本中更多"),
    }
    return [(name, Markup(" ").join(sides[side])) for side, name in names.items() if sides[side]]
