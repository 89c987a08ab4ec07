"""Label balance per subgroup."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from danlu.data.drift.balance import _null, balance
from danlu.data.drift.measures import pearson
from danlu.data.drift.nulls import wilson
from tests.data.drift.rows import population, row


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def test_an_unbalanced_slice_is_found_with_its_shares() -> None:
    rows = population(1, 300, north=1.0, yes=0.8) + population(2, 200, north=0.0, yes=0.4)
    language, slices = balance(rows, "shop", permutations=200)
    assert (language.column, slices.column) == ("language", "slice")
    assert language.verdict == "no clear difference" and slices.verdict == "differs"
    north = slices.subgroups[0]
    assert (north.name, north.rows) == ("north", 300)
    yes = north.labels["yes"]
    assert yes["share"] == yes["rows"] / 300 and (yes["low"], yes["high"]) == wilson(int(yes["rows"]), 300)
    assert "'yes' is 81% of north and 36% of south (χ² 105, p < 0.005)" in slices.sentence
    table = [[group.labels[label]["rows"] for label in ("yes", "no")] for group in slices.subgroups]
    assert slices.measure is not None
    assert slices.measure.value == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)
    json.dumps(slices.as_dict())


def test_the_null_keeps_margins_and_is_chi_squared() -> None:
    table = np.array([[40, 60, 10], [35, 70, 25], [80, 90, 30]])
    null = _null(table, 2000, np.random.default_rng(1))
    assert stats.kstest(null, "chi2", args=(4,)).pvalue > 0.001
    assert null.mean() == pytest.approx(4, abs=0.25)
    assert float(pearson(table.astype(float))) > 0


def test_even_labels_are_seldom_called_uneven() -> None:
    verdicts = [balance(population(seed, 200), permutations=60, seed=seed)[0].verdict for seed in range(30)]
    assert verdicts.count("differs") <= 5


def test_too_few_rows_or_labels_decide_nothing() -> None:
    few = balance(population(1, 40), permutations=50)
    assert few[0].verdict == "too few rows" and few[0].measure is None and few[0].subgroups[0].rows > 0
    one_label = balance([row(i, "你好" if i % 2 else "hello", label="x") for i in range(100)], permutations=50)
    assert one_label[0].verdict == "too few rows"
    assert balance([row(i, "hello") for i in range(100)]) == []


def test_small_subgroups_are_not_tested_and_small_slices_not_named() -> None:
    rows = population(1, 200, north=1.0) + [row(i, "你好", label="yes", slice=f"user{i}") for i in range(29)]
    slices = balance(rows, "shop", permutations=50)[1]
    assert [group.name for group in slices.subgroups] == ["north", "(other)"]
    assert slices.verdict == "too few rows"
