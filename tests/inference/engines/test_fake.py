"""What only the fake engine does; the rest is in the contract."""

from __future__ import annotations

from danlu.inference.completion import GenerationRequest, Sampling
from danlu.inference.engine import generate
from danlu.inference.engines.fake import FakeEngine
from danlu.models.chat import ChatRenderer


def test_it_says_what_it_was_told_token_by_token(renderer: ChatRenderer) -> None:
    text = "<think>\nhm\n</think>\n\n洪水不赔付 🔥 <|im_end|>"
    engine = FakeEngine(renderer, text)
    engine.add(GenerationRequest("a", [1], Sampling()))
    steps = []
    while engine.has_work():
        steps.extend(engine.step())
    assert "".join(delta.text for delta in steps) == text
    assert all(len(delta.token_ids) == 1 for delta in steps)
    assert steps[-1].token_ids == [renderer.eos_id]
    assert [delta.finish_reason for delta in steps] == [None] * (len(steps) - 1) + ["stop"]


def test_it_says_it_every_time(renderer: ChatRenderer) -> None:
    engine = FakeEngine(renderer, "x")
    requests = [GenerationRequest(str(index), [1], Sampling(temperature=1)) for index in range(20)]
    assert {one.text for one in generate(engine, requests)} == {"x"}
