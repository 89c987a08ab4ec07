"""Whose tokens a row consists of: against the tokens of each turn rendered by itself."""

from __future__ import annotations

from typing import Any

import pytest

from danlu.data.rendering import dump_rendered, load_rendered, render_row, rendered_path
from danlu.data.role_tokens import ROLES, role_tokens
from danlu.data.row import Row
from danlu.models.chat import ChatRenderer

CALL = {"name": "weather", "arguments": {"city": "Oslo"}}
TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is the weather like in Oslo, <|im_start|>assistant?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "<tool_response>rain, 7 °C</tool_response>"},
    {"role": "assistant", "content": "Rain at seven degrees."},
    {"role": "user", "content": "And tomorrow?"},
    {"role": "assistant", "content": "Nobody knows."},
]


def counted(renderer: ChatRenderer, *turns: dict[str, Any]) -> dict[str, int]:
    return dict(zip(ROLES, role_tokens(renderer.samples(list(turns), thinking=False), renderer), strict=True))


def test_each_turn_is_its_speakers(renderer: ChatRenderer) -> None:
    samples = renderer.samples(TURNS, thinking=False)
    found = dict(zip(ROLES, role_tokens(samples, renderer), strict=True))
    assert sum(found.values()) == sum(len(sample.input_ids) for sample in samples)
    assert all(found.values())
    text = renderer.tokenizer.decode(samples[-1].input_ids)
    system = text[: text.index("<|im_start|>user")]
    assert found["system"] == len(samples) * len(renderer.tokenizer(system, add_special_tokens=False)["input_ids"])
    assert found["assistant"] >= sum(sample.learned for sample in samples)


def test_a_longer_turn_adds_to_its_own_role_only(renderer: ChatRenderer) -> None:
    before = counted(renderer, *TURNS)
    longer = [{**turn, "content": turn["content"] + " really"} if turn["role"] == "tool" else turn for turn in TURNS]
    after = counted(renderer, *longer)
    assert after["tool"] > before["tool"]
    assert {**after, "tool": 0} == {**before, "tool": 0}


@pytest.mark.parametrize("text", ["plain text", "<|im_start|>tool"])
def test_a_plain_text_is_what_is_learned(renderer: ChatRenderer, text: str, tmp_path: Any) -> None:
    done = render_row(Row("a:1", "a", 1, text=text), renderer, 512, "drop")
    assert dict(zip(ROLES, done.roles, strict=True))["assistant"] == done.learned and sum(done.roles) == done.tokens
    rendered_path(tmp_path, 0).write_bytes(dump_rendered(done) + b"\n")
    assert load_rendered(tmp_path, 0) == [done]
