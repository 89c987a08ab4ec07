"""ROUGE-L against rouge-score on English, and by hand where that package drops the text."""

from __future__ import annotations

import pytest
from rouge_score.rouge_scorer import RougeScorer

from danlu.evaluation.metrics.rouge import Rouge
from danlu.recipe.evaluate import RougeMetric
from tests.evaluation.answers import answered, many


def value(reference: str, answer: str) -> float:
    metric = Rouge(RougeMetric())
    return float(metric.per_row(metric.statistics([answered("a", reference, answer)]))[0])


def test_equals_rouge_score_on_english() -> None:
    scorer = RougeScorer(["rougeL"])
    texts = [(row.reference, row.answer) for row in many(40, seed=2) if row.language == "en"]
    texts += [("It's a snake_case, isn't it? 3.5%", "it is snake case: 3 5"), ("some words", ""), ("A-b", "a B")]
    for reference, answer in texts:
        assert value(reference, answer) == pytest.approx(scorer.score(reference, answer)["rougeL"].fmeasure, abs=1e-12)


def test_chinese_is_compared_by_words() -> None:
    # jieba: 今天天气 / 很 / 好 against 今天天气 / 不好: precision 1/2, recall 1/3
    assert value("今天天气很好", "今天天气不好。") == pytest.approx(0.4)
    assert value("今天天气很好", "完全无关") == 0.0


def test_letters_outside_ascii_are_words() -> None:
    assert value("погода хорошая", "погода плохая") == pytest.approx(0.5)
    assert value("le café est fermé", "le café est ouvert") == pytest.approx(0.75)


def test_accents_in_either_unicode_form_are_the_same_word() -> None:
    assert value("caf\u00e9 noir", "cafe\u0301 blanc") == pytest.approx(0.5)


def test_an_answer_without_words_that_is_the_reference_is_right() -> None:
    assert value("!?", " !? ") == 1.0
    assert value("!?", "...") == 0.0
