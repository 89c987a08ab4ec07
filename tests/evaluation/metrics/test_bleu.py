"""BLEU against sacrebleu itself."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sacrebleu

from danlu.evaluation.metrics.bleu import Bleu
from danlu.evaluation.rows import AnsweredRow
from danlu.recipe.evaluate import BleuMetric
from tests.evaluation.answers import answered, many


def corpus(rows: list[AnsweredRow]) -> float:
    metric = Bleu(BleuMetric())
    return float(metric.combine(metric.statistics(rows).sum(axis=0)))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("quality", [0.0, 0.3, 0.9, 1.0])
def test_equals_sacrebleu_on_a_corpus_of_one_language(language: str, quality: float) -> None:
    rows = [row for row in many(60, seed=3, quality=quality) if row.language == language]
    assert len(rows) == 30
    answers, references = [row.answer for row in rows], [row.reference for row in rows]
    expected = sacrebleu.corpus_bleu(answers, [references], tokenize="zh" if language == "zh" else "13a").score
    assert corpus(rows) == pytest.approx(expected, abs=1e-9)


def test_equals_sacrebleu_on_hard_cases() -> None:
    pairs = [
        ("yes", "yes"),  # too short for 4-grams
        ("", "something was expected here"),
        ("something was said here today", ""),
        ("no word in common at all", "ganz andere Dinge stehen hier drin"),
        ("Hello, world!", "Hello world"),
        ("the the the the the", "the cat sat on the mat"),
        ("a b c x d e f", "a b c d e f g h i j"),
    ]
    for take in range(1, len(pairs) + 1):
        for start in range(len(pairs) - take + 1):
            some = pairs[start : start + take]
            rows = [answered(str(i), ref, ans, language="en") for i, (ans, ref) in enumerate(some)]
            expected = sacrebleu.corpus_bleu([ans for ans, _ in some], [[ref for _, ref in some]]).score
            assert corpus(rows) == pytest.approx(expected, abs=1e-9)


def test_rows_by_themselves_equal_sentence_bleu() -> None:
    rows = many(40, seed=5)
    metric = Bleu(BleuMetric())
    for row, value in zip(rows, metric.per_row(metric.statistics(rows)), strict=True):
        tokenize = "zh" if row.language == "zh" else "13a"
        expected = sacrebleu.sentence_bleu(row.answer, [row.reference], tokenize=tokenize).score
        assert value == pytest.approx(expected, abs=1e-9)


def test_counts_of_both_languages_add_up() -> None:
    rows = many(20, seed=1)
    random.Random(0).shuffle(rows)
    metric = Bleu(BleuMetric())
    of_language = [metric.statistics([r for r in rows if r.language == code]).sum(axis=0) for code in ("zh", "en")]
    assert np.array_equal(metric.statistics(rows).sum(axis=0), of_language[0] + of_language[1])


def test_chinese_is_compared_by_characters() -> None:
    rows = [answered("a", "保单从付款的第二天生效", "保单从付款的第三天生效")]
    assert 40 < corpus(rows) < 90  # with 13a the whole sentence would be one word, and BLEU 0
