"""Tasks about their own words are known for what they are."""

from __future__ import annotations

import pytest

from danlu.data.own_words import about_own_words
from danlu.data.row import Row
from tests.data.augmenting import chat_row


@pytest.mark.parametrize(
    "text",
    [
        "把这句话翻译成英文：你好",
        "润色以下段落",
        "“高兴”的近义词是什么？",
        "这个词是什么意思？",
        "用“马上”造句",
        "概括下面这段话",
        "Translate into French: hello",
        "How many letters are in this word?",
        "Rewrite it",
        "What does gist mean?",
        "Summarize the plot",
        "Identify the verbs",
        "Fix the grammar",
        "Find the nouns in it",
        "Use a synonym of big",
    ],
)
def test_tasks_about_words(text: str) -> None:
    assert about_own_words(chat_row("a:1", text))


@pytest.mark.parametrize(
    "text", ["怎么退款？", "推荐一家餐厅", "How do I pay?", "Explain gravity", "Find a hotel in Rome"]
)
def test_other_tasks(text: str) -> None:
    assert not about_own_words(chat_row("a:1", text))


def test_labels_and_texts_do_not_depend_on_single_words() -> None:
    assert not about_own_words(chat_row("a:1", "判断以下内容的情感：好", labels=("正面",)))
    assert not about_own_words(Row("a:1", "a", 1, text="翻译是一门艺术。"))
