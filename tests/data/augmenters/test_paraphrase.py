"""A paraphrase is asked for in the row's language and taken bare."""

from __future__ import annotations

import pytest

from danlu.data.augmenters.paraphrase import MANNERS, Paraphrase, conversation
from danlu.data.drafts import Draft
from danlu.data.wordings import LANGUAGE, NOTHING, bare_text
from danlu.recipe.augmentation import ParaphraseAugmenter
from tests.data.augmenting import WRITER, FakeWriter, task


def test_the_prompt_speaks_the_language_of_the_row_and_children_differ_in_manner() -> None:
    chinese, english = conversation(task("怎么退款？")), conversation(task("How do I pay?"))
    assert "改写" in chinese[0]["content"] and "reword" in english[0]["content"]
    assert chinese[1] == {"role": "user", "content": "怎么退款？"}
    asked = {conversation(task("怎么退款？", number=number))[0]["content"] for number in range(1, 11)}
    assert len(asked) == len(MANNERS["zh"]) == len(MANNERS["en"]) == 10
    assert not any("{" in text for text in asked)


def test_only_what_it_can_ask_for_is_asked_in_one_call() -> None:
    writer = FakeWriter(lambda text, _: f"“新{text}”" if "空" not in text else " ")
    config = ParaphraseAugmenter.model_validate({"writer": WRITER})
    drafts = Paraphrase(config, writer).drafts([task("退款"), task("Купить"), task("空"), task("付款")])
    assert drafts == [Draft("新退款"), Draft(reason=LANGUAGE), Draft(reason=NOTHING), Draft("新付款")]
    assert writer.calls == [3]


@pytest.mark.parametrize(
    ("reply", "original", "text"),
    [
        ("  怎么退？\n", "a", "怎么退？"),
        ("“怎么退？”", "a", "怎么退？"),
        ("“怎么退”", "“退”怎么办", "“怎么退”"),
        ("“退”和“换”", "a", "“退”和“换”"),
        ("改写后的问题：怎么退？", "a", "怎么退？"),
        ("好的，以下是改写后的文本：\n怎么退？", "a", "怎么退？"),
        ("译文：怎么退？", "a", "怎么退？"),
        ("Sure! Here is the rewritten question: How?", "a", "How?"),
        ("Rephrased: \"How?\"", "a", "How?"),
        ("<think>hm</think>\n\nHow?", "a", "How?"),
        ("<think>never ends", "a", ""),
        ("Question: how?", "Question: why?", "Question: how?"),
        ("Sure, I am late", "Sure, why not", "Sure, I am late"),
        ("\"", "a", "\""),
        ("", "a", ""),
    ],
)  # fmt: skip
def test_prefaces_quotes_and_thinking_go(reply: str, original: str, text: str) -> None:
    assert bare_text(reply, original) == text
