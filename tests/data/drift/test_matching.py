"""Resampling to the reference: exact shares, the largest subset, stable choices."""

from __future__ import annotations

import random
from collections import Counter
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.drift.matching import Matching, match
from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from danlu.recipe.errors import UserError
from tests.data.drift.rows import population, row, section


def labelled(counts: dict[str, int], seed: int = 1) -> list[Row]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    random.Random(seed).shuffle(labels)
    return [row(i, f"question {i} of {seed}", label=label) for i, label in enumerate(labels)]


def matched(train: list[Row], reference: list[Row], by: Literal["label", "language", "slice"] = "label") -> Matching:
    return match(MemoryCorpus(train, 7), MemoryCorpus(reference), section(match=by, slice="shop"), 5)


def left(train: list[Row], found: Matching) -> Counter[str]:
    return Counter(r.labels[0] for i, r in enumerate(train) if i not in found)


def test_shares_become_the_references() -> None:
    train = labelled({"a": 600, "b": 300, "c": 100})
    found = matched(train, labelled({"a": 20, "b": 60, "c": 20}, 2))
    assert left(train, found) == {"a": 100, "b": 300, "c": 100}
    assert found.kept == 500 == len(train) - len(found) and found.limited_by in ("b", "c")
    assert found.before == {"a": 0.6, "b": 0.3, "c": 0.1}
    assert found.after == found.target == pytest.approx({"a": 0.2, "b": 0.6, "c": 0.2})
    assert set(found.values()) == {"more of its label than in the reference"}


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), min_size=1),
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), min_size=1),
)
def test_no_larger_subset_has_these_shares(train: dict[str, int], reference: dict[str, int]) -> None:
    rows = labelled(train)
    if not set(train) & set(reference):
        with pytest.raises(UserError, match="no label in common"):
            matched(rows, labelled(reference, 2))
        return
    found = matched(rows, labelled(reference, 2))
    rest = left(rows, found)
    common = set(train) & set(reference)
    total = sum(reference[value] for value in common)
    assert set(rest) <= common
    # Some value is used up, and every other is within half a row of its share.
    assert any(rest[value] == train[value] for value in common)
    scale = min(train[value] / reference[value] for value in common) * total
    for value in common:
        assert abs(rest[value] - scale * reference[value] / total) <= 0.5 + 1e-9
    assert set(found.unreachable) == set(reference) - set(train)


def test_values_that_the_reference_lacks_go_and_those_out_of_reach_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")
    train = labelled({"a": 50, "b": 50, "odd": 10})
    found = matched(train, labelled({"a": 10, "b": 10, "new": 80}, 2))
    assert left(train, found) == {"a": 50, "b": 50}
    assert set(found.values()) == {"the reference has no such label"}
    assert found.unreachable == ("new",)
    assert found.sentence() == (
        "100 of 110 training rows stay, with the reference's shares of label (limited by 'a'); "
        "values that no training row has: 1 (new)."
    )


def test_rows_that_fit_all_stay() -> None:
    found = matched(labelled({"a": 30, "b": 60}), labelled({"a": 5, "b": 10}, 2))
    assert dict(found) == {} and found.kept == 90 and found.limited_by == ""


def test_unlabelled_rows_are_matched_as_such() -> None:
    train = labelled({"a": 40, "": 40})
    assert left_by_label(train, matched(train, labelled({"a": 30, "": 10}, 2))) == {("a",): 40, (): 13}
    assert left_by_label(train, matched(train, labelled({"a": 30}, 2))) == {("a",): 40}


def left_by_label(train: list[Row], found: Matching) -> Counter[tuple[str, ...]]:
    return Counter(r.labels for i, r in enumerate(train) if i not in found)


def test_language_and_slice_are_matched_too() -> None:
    train, reference = population(1, 600, chinese=0.8, north=0.7), population(2, 600, chinese=0.3, north=0.2)
    for by in ("language", "slice"):
        found = matched(train, reference, by)
        assert found.after == pytest.approx(found.target, abs=0.01)
        assert found.before != pytest.approx(found.target, abs=0.3)


def test_the_choice_is_by_content_not_by_place() -> None:
    train = labelled({"a": 200, "b": 50})
    reference = labelled({"a": 10, "b": 10}, 2)

    def kept(rows: list[Row]) -> set[str]:
        found = matched(rows, reference)
        return {r.question() for i, r in enumerate(rows) if i not in found}

    first = kept(train)
    assert kept(train[::-1]) == first
    more = [*train, *labelled({"a": 20}, 3)]
    assert len(first - kept(more)) <= 10, "twenty more rows of 200 push out a tenth of fifty"
    other = match(MemoryCorpus(train), MemoryCorpus(reference), section(match="label"), 6)
    assert {train[i].question() for i in range(250) if i not in other} != first


def test_nothing_to_match_drops_nothing() -> None:
    found = match(MemoryCorpus(population(1, 10)), MemoryCorpus([]), section(), 1)
    assert dict(found) == {} and found.sentence() == "" and found.as_dict()["kept"] == 10


def test_a_slice_needs_its_key() -> None:
    with pytest.raises(UserError, match=r"data\.reference\.slice"):
        match(MemoryCorpus([]), MemoryCorpus([]), section(match="slice"), 1)


def test_reports_do_not_name_slices_of_few_rows() -> None:
    train = [row(i, f"q{i}", slice="north" if i % 2 else f"user{i}") for i in range(100)]
    reference = [row(i, f"r{i}", slice=["north", f"user{2 * i}", f"gone{i}"][i % 3]) for i in range(90)]
    found = matched(train, reference, "slice")
    told = str(found.as_dict())
    assert "user" not in told and "gone" not in told and "north" in told
    assert found.as_dict()["unreachable_values"] == 30 + len([v for v in found.unreachable if v.startswith("user")])
