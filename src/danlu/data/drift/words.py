"""A comparison in words, in the user's language: what differs, by how much, and how sure that is."""

from __future__ import annotations

import math
from typing import Any

from danlu.data.drift.report import ALIKE, TOO_FEW, Dimension
from danlu.recipe.language import tr

# Usual reading of the population stability index (Siddiqi 2006).
MODERATE, LARGE = 0.1, 0.25
_MOST_NAMED = 3
_SYMBOLS = {"kolmogorov_smirnov": "KS", "chi_squared": "χ²", "auc": "AUC"}


def title(name: str) -> str:
    """A dimension's name in the user's language."""
    chinese = {
        "length": "长度",
        "answer length": "回答长度",
        "language": "语言",
        "label": "标签",
        "slice": "用户分组",
        "topic": "话题",
        "wording": "用词",
    }
    return tr(name.capitalize(), chinese.get(name, name))


def sentence(dimension: Dimension) -> str:
    """What was found in one dimension."""
    if dimension.verdict == TOO_FEW:
        return tr(
            f"{title(dimension.name)}: too few rows to tell ({dimension.train_rows} training, "
            f"{dimension.reference_rows} reference).",
            f"{title(dimension.name)}：样本太少，无法判断"
            f"（训练 {dimension.train_rows} 行，参照 {dimension.reference_rows} 行）。",
        )
    if dimension.verdict == ALIKE:
        return tr(
            f"{title(dimension.name)}: no clear difference ({_evidence(dimension)}).",
            f"{title(dimension.name)}：无明显差异（{_evidence(dimension)}）。",
        )
    if dimension.name == "wording":
        return _wording(dimension)
    return _longer(dimension) if "train" in dimension.details else _shares(dimension)


def p_value(p: float, permutations: int) -> str:
    """`p < 0.005` for the smallest that the permutations can show, else `p = 0.23`."""
    if p <= 1 / (permutations + 1) + 1e-12:
        digits = max(3, math.ceil(math.log10(permutations + 1)))
        return f"p < {math.ceil(p * 10**digits) / 10**digits:.{digits}f}"
    return f"p = {p:.2g}"


def _evidence(dimension: Dimension) -> str:
    main = dimension.measures[0]
    figures = f"{_SYMBOLS[main.name]} {main.value:.3g}, {p_value(main.p, dimension.details['permutations'])}"
    if dimension.verdict == ALIKE and main.p <= 0.05:
        figures += tr(
            f", {dimension.p_adjusted:.2g} after correction for the number of tests",
            f"，多重检验校正后 {dimension.p_adjusted:.2g}",
        )
    return figures


def _size(dimension: Dimension) -> str:
    value = dimension.measure("psi").value
    if value >= LARGE:
        return tr("a large shift", "差异大")
    return tr("a moderate shift", "差异中等") if value >= MODERATE else tr("a small shift", "差异小")


def _longer(dimension: Dimension) -> str:
    ours, theirs = (dimension.details[side]["median"] for side in ("train", "reference"))
    answers = dimension.name == "answer length"
    rows = tr("training answers", "训练数据的回答") if answers else tr("training rows", "训练数据")
    evidence = f"{_evidence(dimension)}, PSI {dimension.measure('psi').value:.2g}"
    figures = tr(f"median {ours:g} against {theirs:g} characters", f"中位数 {ours:g} 对 {theirs:g} 字符")
    size = _size(dimension)
    if ours == theirs:
        return tr(
            f"The {rows} have lengths spread otherwise: {figures}, {size} ({evidence}).",
            f"{rows}的长度分布不同：{figures}，{size}（{evidence}）。",
        )
    which = tr("longer", "更长") if ours > theirs else tr("shorter", "更短")
    return tr(
        f"The {rows} are {which}: {figures}, {size} ({evidence}).", f"{rows}{which}：{figures}，{size}（{evidence}）。"
    )


def _shares(dimension: Dimension) -> str:
    values: list[dict[str, Any]] = sorted(
        dimension.details["values"], key=lambda value: -abs(value["train"] - value["reference"])
    )
    named = [value for value in values[:_MOST_NAMED] if value["train"] != value["reference"]]
    parts = []
    for value in named:
        name, ours, theirs = value["value"], _percent(value["train"]), _percent(value["reference"])
        english = f"{name} is {ours} of the training rows against {theirs} of the reference"
        parts.append(tr(english, f"{name} 在训练数据中占 {ours}，参照中占 {theirs}"))
    evidence = f"{_evidence(dimension)}, PSI {dimension.measure('psi').value:.2g}"
    return tr(
        f"{title(dimension.name)} differs, {_size(dimension)}: {'; '.join(parts)} ({evidence}).",
        f"{title(dimension.name)}有差异，{_size(dimension)}：{'；'.join(parts)}（{evidence}）。",
    )


def _wording(dimension: Dimension) -> str:
    area = dimension.measures[0].value
    ngrams = dimension.details["ngrams"]
    ours, theirs = (
        ", ".join(n["ngram"] for n in ngrams if (n["train"] > n["reference"]) is more)[:200] for more in (True, False)
    )
    english = (
        f"A classifier tells a training row from a reference row in {area:.0%} of pairs, 50% being chance "
        f"({_evidence(dimension)})."
    )
    chinese = f"分类器能在 {area:.0%} 的行对中区分训练与参照（随机为 50%）（{_evidence(dimension)}）。"
    if ours:
        english, chinese = f"{english} Typical of training: {ours}.", f"{chinese}训练数据特有：{ours}。"
    if theirs:
        english, chinese = f"{english} Typical of the reference: {theirs}.", f"{chinese}参照数据特有：{theirs}。"
    return tr(english, chinese)


def _percent(share: float) -> str:
    return f"{share:.0%}" if 0.01 <= share <= 0.99 or share in (0, 1) else f"{share:.1%}"
