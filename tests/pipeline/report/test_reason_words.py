"""Reasons on a Chinese page are Chinese: those of the guard, of every filter, of the steps over all rows."""

from __future__ import annotations

import re

import pytest

from danlu.data import guard
from danlu.data.contamination import Hit
from danlu.pipeline.display import reasons
from danlu.pipeline.report.dataset_reasons import reasons as shown
from danlu.pipeline.report.reason_words import said
from tests.data.planted import REFUSALS_EN

HAN = re.compile("[\u4e00-\u9fff]")
REASONS = [
    "the answer is 3 words long, fewer than 5",
    "answer 2 is 31000 characters long, more than 20000",
    "the answer has 61% of its text in repeated lines, more than 50%",
    "the text has 44% of its text in repeated 10-grams, more than 30%",
    "the answer is broken text to 8%, more than 5%",
    "the answer is 70% symbols, more than 50%",
    "the answer is 812 characters long and ends in ','",
    "the answer is 90 words long and ends in a word that leads on",
    "answer 1 is 90 words long and ends in the middle of a sentence",
    "the answer begins with a phrase of 'extra'",
    "the answer refuses, or speaks as a language model",
    "answer 3 is the question again to 97%",
    "the answer is in 'fr' (confidence 0.98), not in zh, en",
    "same as rows.jsonl:12",
    "near duplicate of rows.jsonl:12 (J=0.91)",
    "near duplicate of …",
    "means the same as rows.jsonl:12 (cosine 0.93)",
    "asks the same as rows.jsonl:3 and answers differently",
    "labelled 'spam', probably 'ham' (p=0.99)",
    "is tied to a row of test; keeping it would leak one into the other",
    "the reference has no such language",
    "more of its label than in the reference",
    "longer than 1024 tokens: at least 2049",
    "longer than 1024 tokens: …",
    "no learned token within 512 tokens",
    "holds CN_ID, SECRET",
    "is not JSON: unexpected end of data",
    "messages[1]: the assistant's turn is empty",
    "format alpaca needs the key 'instruction'",
]
GUARD = [value for name, value in vars(guard).items() if name.isupper() and isinstance(value, str)]


@pytest.mark.parametrize(
    "reason",
    [*REASONS, *GUARD, *(Hit("exam.jsonl", "exam.jsonl:3", 0.71, part).reason() for part in ("question", "answer"))],
)
def test_known_reasons_are_chinese(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "zh")
    chinese = said(reason)
    assert HAN.search(chinese) and "{" not in chinese
    for value in re.findall(r"[\w.]+:\d+|\d[\d.]*|…", reason):
        assert value in chinese, "numbers and row ids stay"
    monkeypatch.setenv("DANLU_LANG", "en")
    assert said(reason) == reason


def test_other_reasons_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "zh")
    for reason in ("something new", "", *REFUSALS_EN.split("\n")[:3]):
        assert said(reason) == reason


def test_the_page_and_the_terminal_say_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "zh")
    step = {"step": "exact_duplicates", "dropped": {"same as a.jsonl:1": 2, "same as a.jsonl:7": 1}}
    assert [str(line) for line in shown(step["dropped"])] == ["3 <bdi>与 … 相同</bdi>"]  # type: ignore[arg-type]
    assert reasons({"steps": [step]}) == [
        "exact_duplicates: 2 × 与 a.jsonl:1 相同",
        "exact_duplicates: 1 × 与 a.jsonl:7 相同",
    ]
