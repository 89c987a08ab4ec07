"""Likelihoods against plain full-logit cross-entropy; answers against what the server would be sent."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from danlu.data.batches import bucket
from danlu.evaluation import answering
from danlu.evaluation.answering import answer_rows, prompt_of, score_rows, spoken
from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import UserError
from tests.evaluation.answers import HeldOut

CPU = torch.device("cpu")


def talk(*turns: str, **fields: Any) -> list[dict[str, Any]]:
    roles = ["user", "assistant"] * len(turns)
    messages: list[dict[str, Any]] = [{"role": r, "content": t} for r, t in zip(roles, turns, strict=False)]
    messages[-1].update(fields)
    return messages


ROWS = [
    HeldOut("short", talk("Hi", "Hello")),
    HeldOut("chinese", talk("保单什么时候生效？", "保单从付款的第二天零点开始生效。")),
    HeldOut("two turns", talk("Is it covered?", "Yes, when a pipe breaks.", "And a flood?", "No, not a flood.")),
    HeldOut("thinks", talk("Rain?", "Yes.", "Wind?", "No.", reasoning_content="The weather is clear.")),
    HeldOut("think switch", talk("Rain tomorrow?", "Yes."), thinking=True),
    HeldOut("long", talk("Please write a short answer. " * 10, "The insurance covers water damage. " * 12)),
]


def plain_nll(model: PreTrainedModel, renderer: ChatRenderer, row: HeldOut) -> tuple[float, int]:
    """One sample at a time, all logits, in float64, from the definition."""
    total, count = 0.0, 0
    for sample in renderer.samples(row.messages, thinking=row.thinking, tools=row.tools):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([sample.input_ids])).logits[0].double()
        log_probability = logits - logits.logsumexp(-1, keepdim=True)
        for start, end in sample.spans:
            for position in range(start, end):
                total -= float(log_probability[position - 1, sample.input_ids[position]])
                count += 1
    return total, count


@pytest.mark.parametrize("micro_tokens", [1, 200, 100_000])
def test_likelihood_equals_plain_cross_entropy(
    model: PreTrainedModel, renderer: ChatRenderer, micro_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "_HEAD_POSITIONS", 7)  # many pieces, the last not full
    for row, found in zip(ROWS, score_rows(model, renderer, ROWS, CPU, micro_tokens), strict=True):
        nll, tokens = plain_nll(model, renderer, row)
        assert found.tokens == tokens
        assert found.nll == pytest.approx(nll, rel=1e-5)


def test_every_turn_counts(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    whole, last = talk("A?", "First.", "B?", "Second."), talk("A?", "First.")
    both, first = score_rows(model, renderer, [HeldOut("a", whole), HeldOut("b", last)], CPU)
    assert both.tokens > first.tokens and both.nll > first.nll


def test_the_mode_of_the_model_is_left_as_it_was(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    model.train()
    try:
        score_rows(model, renderer, ROWS[:1], CPU)
        assert model.training
    finally:
        model.train(False)


def test_answers_are_what_the_model_says_to_the_prompt_of_the_last_turn(
    model: PreTrainedModel, renderer: ChatRenderer
) -> None:
    seen: list[tuple[int, int]] = []
    engine = TransformersEngine(model, renderer, max_batch=3)
    found = answer_rows(engine, ROWS, 6, progress=lambda done, total: seen.append((done, total)))
    assert [completion.request_id for completion in found] == [row.row_id for row in ROWS]
    assert seen == [(done, len(ROWS)) for done in range(1, len(ROWS) + 1)]
    for row, completion in zip(ROWS, found, strict=True):
        ids = renderer.encode_turn(row.messages, len(row.messages) - 1, thinking=row.thinking, tools=row.tools)[0]
        assert completion.prompt_tokens == len(ids)
        for token in completion.token_ids:
            with torch.no_grad():
                assert token == int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
            ids.append(token)


def test_an_answer_is_cut_where_the_context_ends(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    engine = TransformersEngine(model, renderer)
    prompt = len(prompt_of(renderer, ROWS[0]))
    engine.max_context = prompt + 3
    assert len(answer_rows(engine, ROWS[:1], 50)[0].token_ids) <= 3
    engine.max_context = prompt
    with pytest.raises(UserError, match="context"):
        answer_rows(engine, ROWS[:1], 50)


def test_the_prompt_thinks_when_the_reference_does_or_the_row_says_so(renderer: ChatRenderer) -> None:
    plain, thought = talk("Rain?", "Yes."), talk("Rain?", "Yes.", reasoning_content="Clouds.")
    asked = plain[:1]
    off, on = (renderer.encode_prompt(asked, thinking=thinking) for thinking in (False, True))
    assert off != on
    assert prompt_of(renderer, HeldOut("a", plain)) == off
    assert prompt_of(renderer, HeldOut("a", thought)) == on
    assert prompt_of(renderer, HeldOut("a", plain, thinking=True)) == on
    assert prompt_of(renderer, HeldOut("a", thought, thinking=False)) == off


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "at least one message"),
        ([{"role": "user", "content": "Hi"}], "no assistant message"),
        ([{"role": "assistant", "content": "Hi"}], "no assistant message"),
        ([{"role": "robot", "content": "Hi"}], "unknown role"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(
    model: PreTrainedModel, renderer: ChatRenderer, messages: list[dict[str, Any]], reason: str
) -> None:
    rows = [ROWS[0], HeldOut("row-9", messages)]
    with pytest.raises(UserError, match=f"row-9.*{reason}"):
        score_rows(model, renderer, rows, CPU)
    with pytest.raises(UserError, match=f"row-9.*{reason}"):
        answer_rows(TransformersEngine(model, renderer), rows, 5)


def test_buckets_hold_like_lengths_within_the_budget() -> None:
    lengths = [5, 90, 7, 300, 6, 88, 5]
    batches = bucket(range(len(lengths)), lengths, 180)
    assert batches == [(3,), (1, 5), (2, 4, 0, 6)]
    assert bucket([], [], 10) == []


def test_tool_calls_are_part_of_an_answer_in_one_form() -> None:
    one = spoken("", [{"name": "weather", "arguments": {"city": "北京", "day": 1}}])
    other = spoken(" ", [{"arguments": {"day": 1, "city": "北京"}, "name": "weather"}])
    assert one == other and "北京" in one
    assert spoken("text ", []) == "text"
