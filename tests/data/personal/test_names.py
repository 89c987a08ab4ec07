"""Names that only a scorer finds, their forms in Latin script, and names that another place of the text gives away."""

from __future__ import annotations

import pytest

from danlu.data.personal import engine, find
from danlu.data.personal.repeats import repeats
from danlu.data.personal.spans import Span


def _names(text: str) -> list[str]:
    return [text[s.start : s.end] for s in find(text) if s.kind in ("CN_NAME", "EN_NAME")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Access is authorised for Selamawit Tesfaye only.", "Selamawit Tesfaye"),
        ("Please forward this to Fatima al-Harbi before noon.", "Fatima al-Harbi"),
        ("The respondent, Pieter van der Meulen, objected.", "Pieter van der Meulen"),
        ("I spoke with Park Dong-hyun about the roof.", "Park Dong-hyun"),
        ("The committee thanked Nguyen Thi Lan for her work.", "Nguyen Thi Lan"),
        ("@Giulia Ferrari could you look at this?", "Giulia Ferrari"),
        ("We met Milan Jovičić's brother.", "Milan Jovičić"),
        ("Q. State your name.\nA. Carlos Rivera.", "Carlos Rivera"),
        ("Signed by Chukwuemeka Obiora on Monday.", "Chukwuemeka Obiora"),
        ("Ask D. Jeff Dionne today.", "D. Jeff Dionne"),
        ("外教Aino Korhonen请假", "Aino Korhonen"),
    ],
)
def test_full_names_of_any_origin_are_found_with_their_edges(text: str, name: str) -> None:
    assert _names(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "Side Effects of the new drug are mild.",
        "See the Torque Wrench chapter.",
        "We stopped at Victoria Falls and Table Mountain.",
        "Talk to the Chief Revenue Officer.",
        "A Dr Pepper and a Taco Bell burrito.",
        "去上官桥镇和夏侯村的路在修",
        "红烧牛肉面是康师傅的",
    ],
)
def test_phrases_places_and_brands_are_left_alone(text: str) -> None:
    assert _names(text) == []


def test_a_name_that_is_found_once_is_found_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "患者韩梅芝，女，六十岁。夜里烧退，韩梅芝芝麻糊吃了半碗。"
    monkeypatch.setattr(engine, "chinese_names", lambda texts: [[Span(2, 5, "CN_NAME", 0.9)]])
    assert find(text) == [Span(2, 5, "CN_NAME", 0.9), Span(17, 20, "CN_NAME", 0.9)]


def test_a_repeat_is_a_whole_word_that_nothing_else_holds() -> None:
    text = "Priya Raman met Priya Ramanathan; priya@x.org is not Priya Raman."
    found = [Span(0, 11, "EN_NAME", 0.8), Span(16, 32, "EN_NAME", 0.8)]
    assert [(s.start, s.end) for s in repeats(text, found)] == [(53, 64)]
    assert list(repeats("江山和江山", [Span(0, 2, "CN_NAME", 0.9)])) == []  # a word of the dictionary
