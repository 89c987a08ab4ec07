"""The loop over an engine, and what it refuses."""

from __future__ import annotations

import pytest

from danlu.inference.completion import Completion, Delta, GenerationRequest, Sampling
from danlu.inference.engine import check_request, generate
from danlu.inference.engines.fake import FakeEngine
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import InternalFault, UserError


def request(name: str, prompt: list[int] | None = None, new: int = 50) -> GenerationRequest:
    return GenerationRequest(name, [1, 2, 3] if prompt is None else prompt, Sampling(max_new_tokens=new))


def test_completions_come_in_request_order_and_are_told_as_they_finish(renderer: ChatRenderer) -> None:
    engine = FakeEngine(renderer, "A fixed answer.", max_batch=2)
    told: list[Completion] = []
    done = generate(engine, [request("slow"), request("quick", new=1), request("third", [5])], on_done=told.append)
    assert [one.request_id for one in done] == ["slow", "quick", "third"]
    assert [one.request_id for one in told] == ["quick", "slow", "third"]
    assert [one.prompt_tokens for one in done] == [3, 3, 1]
    assert done[0].text == done[2].text == "A fixed answer."
    assert done[1].finish_reason == "length"


def test_no_requests_no_completions(renderer: ChatRenderer) -> None:
    assert generate(FakeEngine(renderer, "x"), []) == []


def test_one_bad_request_leaves_the_engine_clean(renderer: ChatRenderer) -> None:
    engine = FakeEngine(renderer, "x")
    with pytest.raises(UserError, match="in use"):
        generate(engine, [request("a"), request("a")])
    assert not engine.has_work()
    assert generate(engine, [request("a")])[0].text == "x"


def test_a_failed_answer_is_an_error_after_the_others_are_done(renderer: ChatRenderer) -> None:
    class Failing(FakeEngine):
        def step(self) -> list[Delta]:
            deltas = super().step()
            return [Delta(d.request_id, "", [], "error", "broken") if d.request_id == "b" else d for d in deltas]

    told: list[Completion] = []
    engine = Failing(renderer, "")
    with pytest.raises(InternalFault, match="1 of 3 answers failed: broken"):
        generate(engine, [request("a"), request("b"), request("c")], on_done=told.append)
    assert [one.request_id for one in told] == ["a", "c"]


@pytest.mark.parametrize(
    ("prompt", "new", "reason"),
    [
        ([], 1, "the prompt is empty"),
        ([1] * 90, 11, "has 90 tokens and the answer may have 11, together 101, but the model's context is 100"),
        ([1, 70], 1, "token 70 is not in the model's vocabulary of 70"),
        ([1, -1], 1, "token -1"),
    ],
)
def test_what_can_never_be_answered_is_refused(prompt: list[int], new: int, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        check_request(request("r", prompt, new), max_context=100, vocabulary=70)


def test_what_just_fits_is_taken() -> None:
    check_request(request("r", [69] * 90, 10), max_context=100, vocabulary=70)
