"""Label balance per subgroup: do some languages or user slices carry other labels than the rest?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from danlu.data.drift.facts import MOST_VALUES, OTHER, column_value, label_of
from danlu.data.drift.measures import pearson
from danlu.data.drift.nulls import ALPHA, generator, measured, wilson
from danlu.data.drift.report import ALIKE, DIFFERS, FEW, SHOWN_ROWS, TOO_FEW, Decision, Measure
from danlu.data.drift.words import p_value, title
from danlu.data.row import Row
from danlu.recipe.language import tr

PERMUTATIONS = 1000


@dataclass(frozen=True)
class Subgroup:
    """One language or slice.

    Attributes:
        name: of the subgroup.
        rows: labelled rows in it.
        labels: for each label `rows`, `share`, and the 95 % interval of the share `low` to `high` (Wilson).
    """

    name: str
    rows: int
    labels: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Balance:
    """The labels of the subgroups of one kind.

    Attributes:
        column: language or slice.
        subgroups: the largest first.
        measure: chi-squared of independence with its permutation null; None where there are too few rows.
        verdict: of the measure, corrected over the columns looked at (Bonferroni).
        sentence: in the user's language.
    """

    column: str
    subgroups: tuple[Subgroup, ...]
    measure: Measure | None
    verdict: Decision
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def balance(
    rows: Iterable[Row], slice_key: str | None = None, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> list[Balance]:
    """Label shares of each language and each slice, and whether they differ between them.

    Args:
        rows: read once; rows without labels are passed over.
        slice_key: metadata key of the user slices; None: languages only.
        permutations: of the null.
        seed: of the null.

    Returns:
        One Balance per column; none if no row has a label.
    """
    columns = ["language", *(["slice"] if slice_key is not None else [])]
    counts: dict[str, Counter[tuple[str, str]]] = {column: Counter() for column in columns}
    for row in rows:
        label = label_of(row)
        if label is None:
            continue
        for column in columns:
            value = column_value(row, column, slice_key)
            if value is not None:
                counts[column][value, label] += 1
    return [_balance(column, cells, permutations, (seed, len(columns))) for column, cells in counts.items() if cells]


def _balance(
    column: str, cells: Counter[tuple[str, str]], permutations: int, seed_and_columns: tuple[int, int]
) -> Balance:
    seed, columns = seed_and_columns
    groups, labels, table = _table(cells, SHOWN_ROWS if column == "slice" else 1)
    subgroups = tuple(_subgroup(group, labels, counts) for group, counts in zip(groups, table, strict=True))
    big = table[table.sum(axis=1) >= FEW]
    if len(big) < 2 or len(labels) < 2:
        return Balance(column, subgroups, None, TOO_FEW, _too_few(column))
    value = float(pearson(big.astype(float)))
    measure = measured("chi_squared", value, _null(big, permutations, generator(seed, "balance", column)))
    verdict: Decision = DIFFERS if measure.p * columns <= ALPHA else ALIKE
    return Balance(column, subgroups, measure, verdict, _sentence(column, subgroups, (measure, verdict), permutations))


def _table(cells: Counter[tuple[str, str]], least: int) -> tuple[list[str], list[str], np.ndarray]:
    """Groups (of at least so many rows) and labels, the most frequent first, the rest together, and the counts."""
    shown: list[list[str]] = []
    at: list[dict[str, int]] = []
    for axis, few in ((0, least), (1, 1)):
        totals: Counter[str] = Counter()
        for key, count in cells.items():
            totals[key[axis]] += count
        names = sorted(totals, key=lambda name: (-totals[name], name))
        own = [name for name in names[:MOST_VALUES] if totals[name] >= few]
        shown.append([*own, OTHER] if len(own) < len(names) else own)
        at.append({name: min(index, len(own)) for index, name in enumerate(names)})
    table = np.zeros((len(shown[0]), len(shown[1])), np.int64)
    for (group, label), count in cells.items():
        table[at[0][group], at[1][label]] += count
    return shown[0], shown[1], table


def _subgroup(name: str, labels: list[str], counts: np.ndarray) -> Subgroup:
    total = int(counts.sum())
    found = {}
    for label, count in zip(labels, counts.tolist(), strict=True):
        low, high = wilson(count, total)
        found[label] = {"rows": count, "share": count / total, "low": low, "high": high}
    return Subgroup(name, total, found)


def _null(table: np.ndarray, permutations: int, random: np.random.Generator) -> np.ndarray:
    """Chi-squared of tables with the same margins: labels dealt anew to the groups, one group after the other."""
    draws = np.empty((permutations, *table.shape))
    sizes = table.sum(axis=1)
    for index in range(permutations):
        left = table.sum(axis=0)
        for group, size in enumerate(sizes[:-1].tolist()):
            draws[index, group] = drawn = random.multivariate_hypergeometric(left, size, method="marginals")
            left = left - drawn
        draws[index, -1] = left
    return pearson(draws)


def _too_few(column: str) -> str:
    return tr(
        f"{title(column)}: too few labelled rows in different subgroups to compare their labels.",
        f"{title(column)}：可比较的带标签子组太少。",
    )


def _sentence(
    column: str, subgroups: tuple[Subgroup, ...], finding: tuple[Measure, Decision], permutations: int
) -> str:
    measure, verdict = finding
    evidence = f"χ² {measure.value:.3g}, {p_value(measure.p, permutations)}"
    if verdict == ALIKE:
        return tr(
            f"{title(column)}: labels are spread alike over the subgroups ({evidence}).",
            f"{title(column)}：各子组的标签分布无明显差异（{evidence}）。",
        )
    big = [group for group in subgroups if group.rows >= FEW]
    label, low, high = max(
        (_extremes(label, big) for label in big[0].labels), key=lambda found: _share(found, 2) - _share(found, 1)
    )
    most, least = (f"{group.labels[label]['share']:.0%}" for group in (high, low))
    return tr(
        f"{title(column)}: labels are not balanced: '{label}' is {most} of {high.name} and {least} of {low.name} "
        f"({evidence}).",
        f"{title(column)}：标签不均衡：'{label}' 在 {high.name} 中占 {most}，"
        f"在 {low.name} 中占 {least}（{evidence}）。",
    )


def _extremes(label: str, groups: list[Subgroup]) -> tuple[str, Subgroup, Subgroup]:
    """The label with the subgroups that have the least and the most of it."""
    order = sorted(groups, key=lambda group: (group.labels[label]["share"], group.name))
    return label, order[0], order[-1]


def _share(found: tuple[str, Subgroup, Subgroup], place: Literal[1, 2]) -> float:
    return found[place].labels[found[0]]["share"]
