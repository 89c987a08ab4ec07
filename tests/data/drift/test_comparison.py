"""Comparisons: what is found, what is not, and how it is told."""

from __future__ import annotations

import json

import pytest

from danlu.data.drift import comparison
from danlu.data.drift.comparison import compare
from danlu.data.drift.report import DriftReport
from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from tests.data.drift.rows import population, row, section


def report(train: list[Row], reference: list[Row], seed: int = 3, **fields: object) -> DriftReport:
    return compare(MemoryCorpus(train), MemoryCorpus(reference, 77), section(**fields), seed)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


REFERENCE = population(1, 700)
SHIFTS = [
    ("language", population(2, 700, chinese=0.7)),
    ("length", population(2, 700, length=15)),
    ("label", population(2, 700, yes=0.66)),
    ("slice", population(2, 700, north=0.66)),
]


@pytest.mark.parametrize(("name", "train"), SHIFTS)
def test_a_shift_is_found_where_it_is(name: str, train: list[Row]) -> None:
    found = report(train, REFERENCE, slice="shop")
    assert found.dimension(name).verdict == "differs"
    untouched = {"length", "label", "slice", "answer length"} - {name, "length" if name == "language" else name}
    assert {found.dimension(other).verdict for other in untouched} == {"no clear difference"}
    assert "no clear difference" not in found.sentences[0] and "no clear difference" in found.sentences[-1]


def test_two_halves_of_one_set_do_not_differ() -> None:
    """Family-wise false alarms of about 5 %: of 12 comparisons at most 3 (p = 0.02 if the rate were just that)."""
    alarms = 0
    for seed in range(12):
        rows = population(100 + seed, 240)
        found = report(rows[:120], rows[120:], seed, slice="shop")
        alarms += any(dimension.verdict == "differs" for dimension in found.dimensions)
    assert alarms <= 3


def test_new_words_are_found_and_shown() -> None:
    train = population(5, 300)
    reference = [
        row(i, "蓝牙耳机" + r.question() if i % 4 == 0 else r.question()) for i, r in enumerate(population(6, 300))
    ]
    found = report(train, reference).dimension("wording")
    assert found.verdict == "differs" and found.measures[0].value > 0.55
    shown = [ngram["ngram"] for ngram in found.details["ngrams"] if ngram["reference"] > ngram["train"]]
    assert any(ngram in "蓝牙耳机" for ngram in shown)
    assert any(ngram in found.sentence for ngram in shown)
    assert found.details["balanced_accuracy"] > 0.52


def test_what_is_shown_is_nobodys_own() -> None:
    """A number, an address and a name of few rows stay out of the report however well they separate."""
    secret = ["13812345678", "wang.wei@example.com", "欧阳修远"]
    train = [row(i, r.question() + " " + secret[0] + " " + secret[1]) for i, r in enumerate(population(5, 200))]
    for i in range(15):
        train[i] = row(i, secret[2] * 20)
    everything = json.dumps(report(train, population(6, 200)).as_dict(), ensure_ascii=False)
    assert not any(part in everything for part in (*secret, "138", "example", "欧阳", "修远", "wang"))


def test_slices_of_few_rows_are_not_named() -> None:
    train = [row(i, "早上好" * 5, slice=f"user{i}" if i < 100 else "north") for i in range(200)]
    reference = [row(i, "早上好" * 5, slice="north") for i in range(200)]
    found = report(train, reference, slice="shop").dimension("slice")
    assert found.verdict == "differs"
    assert [value["value"] for value in found.details["values"]] == ["north", "(other)"]
    assert "user" not in json.dumps(found.details)


def test_too_few_rows_decide_nothing() -> None:
    found = report(population(1, 29, chinese=0), population(2, 500, chinese=1))
    assert {dimension.verdict for dimension in found.dimensions} == {"too few rows"}
    assert "too few rows to tell (29 training, 500 reference)" in found.dimension("length").sentence
    assert report([], []).dimension("length").verdict == "too few rows"


def test_labels_of_one_side_only_decide_nothing() -> None:
    unlabelled = [row(i, r.question()) for i, r in enumerate(population(2, 100))]
    found = report(population(1, 100), unlabelled)
    assert found.dimension("label").verdict == "too few rows"
    with pytest.raises(KeyError):
        report(unlabelled, unlabelled).dimension("label")
    with pytest.raises(KeyError):
        found.dimension("slice")


def test_rows_without_anything_in_common_or_any_text_are_no_fault() -> None:
    empty = [row(i, "") for i in range(40)]
    found = report(empty, empty)
    assert {dimension.verdict for dimension in found.dimensions} == {"no clear difference", "too few rows"}
    same = [row(i, "同一句话") for i in range(40)]
    assert "differs" not in {dimension.verdict for dimension in report(same, same).dimensions}


def test_text_rows_have_no_answers() -> None:
    rows = [Row(f"t:{i}", "t", i, text=r.question()) for i, r in enumerate(population(1, 80))]
    with pytest.raises(KeyError):
        report(rows[:40], rows[40:]).dimension("answer length")


def test_system_prompts_are_not_compared() -> None:
    def with_system(rows: list[Row], prompt: str) -> list[Row]:
        system = {"role": "system", "content": prompt}
        return [r.rewritten("", messages=(system, *r.messages)) for r in rows]

    rows = population(4, 200)
    ours, theirs = with_system(rows[:100], "You are a helpful assistant." * 9), with_system(rows[100:], "简短回答。")
    assert "differs" not in {dimension.verdict for dimension in report(ours, theirs).dimensions}


def test_the_same_whatever_the_batches_and_the_order_of_calls() -> None:
    train, reference = population(1, 150), population(2, 150, length=14)
    first = compare(MemoryCorpus(train, 7), MemoryCorpus(reference, 31), section(), 3)
    assert compare(MemoryCorpus(train, 1000), MemoryCorpus(reference, 1000), section(), 3) == first


def test_large_sides_are_sampled_by_content_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SAMPLE", 100)
    found = report(population(1, 250), population(2, 90))
    assert found.sampled == (100, 90)
    assert found.dimension("wording").train_rows == 100 and found.dimension("length").train_rows == 250
    assert "100 training and 90 reference rows" in found.sentences[-1]


def test_progress_and_permutations_are_told() -> None:
    told: list[tuple[int, int]] = []
    found = compare(
        MemoryCorpus(population(1, 50), 20),
        MemoryCorpus(population(2, 40), 20),
        section(permutations=20),
        1,
        lambda done, total: told.append((done, total)),
    )
    assert [done for done, _ in told] == [20, 40, 50, 70, 90] and {total for _, total in told} == {90}
    assert found.permutations == 140, "with twenty no p value survives the correction"


def test_the_report_is_plain_data_and_each_measure_has_its_null() -> None:
    found = json.loads(json.dumps(report(population(1, 100), population(2, 100), slice="shop").as_dict()))
    names = {d["name"]: [m["name"] for m in d["measures"]] for d in found["dimensions"]}
    assert names["length"] == ["kolmogorov_smirnov", "psi", "jensen_shannon"]
    assert names["language"] == names["label"] == names["slice"] == ["chi_squared", "psi", "jensen_shannon"]
    assert names["topic"] == ["chi_squared", "psi", "jensen_shannon"] and names["wording"] == ["auc"]
    for dimension in found["dimensions"]:
        for measure in dimension["measures"]:
            assert 0 < measure["p"] <= 1 and 0 <= measure["null_median"] <= measure["null_95"]
    assert sum(b["train"] for b in found["dimensions"][0]["details"]["bins"]) == pytest.approx(1)


def test_sentences_name_what_differs_in_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    train = [row(i, "字" * (150 + i)) for i in range(60)] + [row(i, "word " * 40) for i in range(40)]
    reference = [row(i, "字" * (50 + i)) for i in range(100)]
    found = report(train, reference)
    assert found.dimension("length").sentence.startswith("The training rows are longer: median 199.5 against 99.5 char")
    assert "p < 0.005" in found.dimension("length").sentence and "a large shift" in found.dimension("length").sentence
    assert "en is 40% of the training rows against 0% of the reference" in found.dimension("language").sentence
    monkeypatch.setenv("DANLU_LANG", "zh")
    chinese = report(train, reference)
    assert chinese.dimension("length").sentence.startswith("训练数据更长：中位数 199.5 对 99.5 字符")
    assert "en 在训练数据中占 40%，参照中占 0%" in chinese.dimension("language").sentence
