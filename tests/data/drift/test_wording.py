"""Topics, the classifier two-sample test and its null, and which n-grams may be shown."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from danlu.data.drift import wording
from danlu.data.drift.wording import FOLDS, Space, _areas, _terms_in, separable, space_of, topics_of
from danlu.recipe.errors import UserError

RANDOM = np.random.default_rng(2)


def space(vectors: np.ndarray, train: np.ndarray) -> Space:
    return Space(vectors, train, RANDOM.integers(0, 2**62, len(vectors)).astype(np.uint64), None, np.zeros(0, str))


def test_the_area_is_that_of_an_ordinary_cross_validation() -> None:
    vectors = RANDOM.normal(size=(300, 6))
    sides = np.where(RANDOM.random(300) < 0.4, 1.0, -1.0)
    vectors[sides > 0, 0] += 0.7
    vectors[::7] = vectors[0]
    folds = np.arange(300) % FOLDS
    expected = []
    for fold in range(FOLDS):
        test, seen = folds == fold, folds != fold
        centred = vectors[seen] - vectors[seen].mean(axis=0)
        gram = centred.T @ centred
        weights = np.linalg.inv(gram + np.eye(6) * wording.RIDGE * np.trace(gram) / 6) @ centred.T @ sides[seen]
        expected.append(roc_auc_score(sides[test] > 0, np.round(vectors[test] @ weights, 12)))
    areas, accuracies = _areas(vectors, np.stack([sides, -sides], axis=1), folds)
    assert areas == pytest.approx(np.full(2, np.mean(expected)))
    assert 0.5 < accuracies[0] < 0.8


def test_p_values_are_uniform_where_nothing_differs() -> None:
    p = []
    for _ in range(100):
        found = separable(space(RANDOM.normal(size=(120, 8)), np.arange(120) < 60), 60, int(RANDOM.integers(1000)))
        assert found is not None
        p.append(found[0].p)
    assert np.mean(np.array(p) <= 0.05) <= 0.13
    assert 0.4 < np.mean(p) < 0.6


def test_copies_of_one_text_do_not_separate() -> None:
    """The same rows on both sides: whatever the classifier learns, its scores tie."""
    vectors = np.repeat(RANDOM.normal(size=(100, 5)), 2, axis=0)
    keys = np.repeat(RANDOM.integers(0, 2**62, 100), 2).astype(np.uint64)
    train = np.arange(200) % 2 == 0
    found = separable(Space(vectors, train, keys, None, np.zeros(0, str)), 60, 1)
    assert found is not None and found[0].value == pytest.approx(0.5) and found[0].p > 0.3


def test_a_fold_with_one_side_only_decides_nothing() -> None:
    keys = np.array([0] * 50 + [1, 2, 3, 4] * 10, np.uint64)
    assert (
        separable(Space(RANDOM.normal(size=(90, 3)), np.arange(90) < 50, keys, None, np.zeros(0, str)), 20, 1) is None
    )


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Don't refund it", ["don't", "refund", "it"]),
        ("退款中", ["退款", "款中", "退款中"]),
        ("call 13800001111 or a1b", ["call", "or"]),
        ("mail me@example.com now", ["mail", "now"]),
        ("订单A退款吧", ["订单", "退款", "款吧", "退款吧"]),
        ("2026年的", []),
    ],
)
def test_terms_hold_no_digits_and_no_addresses(text: str, terms: list[str]) -> None:
    assert sorted(_terms_in(text)) == sorted(terms)


def test_topics_gather_what_belongs_together() -> None:
    words = [["苹果", "香蕉", "水果", "好吃"], ["发动机", "汽车", "轮胎", "驾驶"]]
    truth = np.arange(400) % 2
    texts = ["".join(RANDOM.choice(words[kind], 6)) for kind in truth]
    made = space_of(texts, truth == 0, np.arange(400, dtype=np.uint64), 1)
    assert made is not None
    labels, names = topics_of(made, 1)
    for cluster in range(len(names)):
        assert len(set(truth[labels == cluster])) == 1
        shown = names[cluster].split(": ")[-1].split(", ")
        assert all(set(term) <= set("".join(words[truth[labels == cluster][0]])) for term in shown)


def test_a_missing_package_is_told_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(UserError, match=r"danlu\[data\]"):
        space_of(["a b", "a b"], np.array([True, False]), np.zeros(2, np.uint64), 1)
