"""What text stands for a row, and which instructions are no part of it."""

from __future__ import annotations

import random

import numpy as np

from danlu.data.operators import MemoryCorpus
from danlu.data.row import Row
from danlu.data.similarity import jaccard, near_rows, row_signatures, row_text
from danlu.data.similarity.folding import fold
from danlu.data.similarity.rowtext import answer_text, find_templates, keys, label_keys, question_text
from danlu.data.similarity.templates import Templates, templates_in
from tests.data.similarity.making import LETTERS, edited, text

INSTRUCTION = "Read the review with care and say whether the customer is pleased. Answer with one word. Review: "


def chat(number: int, question: str, answer: str = "positive", system: str = "") -> Row:
    head = ({"role": "system", "content": system},) if system else ()
    turns = (*head, {"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"a:{number}", "a", number, messages=turns)


def test_system_prompts_and_tools_are_left_out() -> None:
    long = "You are a helpful assistant. " * 20
    assert row_text(chat(1, "hi", system=long)) == row_text(chat(2, "hi"))
    assert jaccard(row_text(chat(1, "buy tea", "ok", long)), row_text(chat(2, "sell car", "no", long))) < 0.3


def test_roles_count_and_add_little() -> None:
    asked, answered = row_text(chat(1, "one two", "three")), row_text(chat(1, "one", "two three"))
    assert asked != answered
    assert len(row_text(chat(1, "ab", "cd"))) == 6


def test_thinking_tool_calls_and_rejected_answers_are_said() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": 1}}]}
    other = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": 2}}]}
    question = {"role": "user", "content": "go"}
    one, two = Row("1", "a", 1, messages=(question, call)), Row("2", "a", 2, messages=(question, other))
    assert row_text(one) != row_text(two) and answer_text(one) != answer_text(two)
    thought = {"role": "assistant", "content": "yes", "reasoning_content": "because"}
    row = Row("3", "a", 3, messages=(question, thought), rejected=({"role": "assistant", "content": "never"},))
    assert "because" in row_text(row) and "never" in row_text(row)
    assert answer_text(row) == "yes" and question_text(row) == "go"
    assert row_text(Row("4", "a", 4, text="plain")) == question_text(Row("4", "a", 4, text="plain")) == "plain"


def test_keys_are_equal_where_folded_texts_are() -> None:
    texts = ["", " ", "a", "A", "Ａ", "b", "ﬁ", "FI", "e\u0301", "É", "你好", "你 好", "ab", "a b"]
    for one, key in zip(texts, keys(texts), strict=True):
        for other, again in zip(texts, keys(list(texts)), strict=True):
            assert (key == again) == (fold(one) == fold(other))
        assert keys([one]) == key
    rows = [Row("1", "a", 1, text="x", labels=labels) for labels in [(), ("a",), ("a", "b"), ("b", "a")]]
    assert len(np.unique(label_keys(rows))) == 3


def test_templates_are_what_questions_go_on_from_differently() -> None:
    rng = random.Random(1)
    asked = [INSTRUCTION + text(rng, 30, LETTERS) + "\n### End of the review" for _ in range(40)]
    other = ["Translate the following sentence into French: " + text(rng, 40, LETTERS) for _ in range(6)]
    found = templates_in([*asked, *other, *(text(rng, 60, LETTERS) for _ in range(100))])
    assert found.prefixes == (INSTRUCTION, "Translate the following sentence into French: ")
    assert found.suffixes == ("\n### End of the review",)
    assert found.strip(asked[0]) == asked[0][len(INSTRUCTION) : -len("\n### End of the review")]
    assert found.strip(other[0]) == other[0][len(found.prefixes[1]) :]
    assert found.strip(asked[1][1:]).startswith(INSTRUCTION[1:])
    assert not templates_in([]) and not templates_in(["short"] * 100) and not Templates()


def test_copies_of_one_question_are_no_template() -> None:
    rng = random.Random(2)
    original = text(rng, 300, LETTERS)
    copies = [edited(rng, original, 0.01, LETTERS) for _ in range(60)]
    assert not templates_in(copies)
    assert not templates_in([original] * 60)
    assert not templates_in([original + end for end in "abcdefgh"])


def test_a_question_that_is_all_template_is_kept_whole() -> None:
    templates = Templates((INSTRUCTION,))
    assert INSTRUCTION in row_text(chat(1, INSTRUCTION), templates)
    assert INSTRUCTION not in row_text(chat(1, INSTRUCTION + "good"), templates)
    assert question_text(chat(1, INSTRUCTION), templates) == INSTRUCTION


def test_rows_that_share_an_instruction_are_not_near() -> None:
    rng = random.Random(3)
    long = INSTRUCTION + text(rng, 400)
    reviews = [text(rng, 24, LETTERS) for _ in range(200)]
    rows = [chat(number, long + review) for number, review in enumerate(reviews)]
    rows.append(chat(200, long + reviews[0] + "!"))
    rows.append(chat(201, reviews[1]))  # the same review under no instruction
    corpus = MemoryCorpus(rows, batch=17)
    assert find_templates(corpus)
    assert jaccard(row_text(rows[0]), row_text(rows[1])) > 0.8
    pairs, values = near_rows(corpus, row_signatures(rows), 0.7)
    assert pairs.tolist() == [[0, 200]]
    assert 0.7 <= values[0] < jaccard(row_text(rows[0]), row_text(rows[200]))


def test_equal_rests_under_other_instructions_are_not_near() -> None:
    rng = random.Random(4)
    first, second = "Is the following text an advertisement? " * 3, "Does the next passage talk about sports? " * 3
    texts = [text(rng, 40, LETTERS) for _ in range(60)]
    rows = [chat(at, (first, second)[at % 2] + texts[at // 2]) for at in range(120)]
    pairs, _ = near_rows(MemoryCorpus(rows), row_signatures(rows), 0.8)
    assert pairs.tolist() == []
