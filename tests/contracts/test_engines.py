"""What every engine of the table promises to whoever holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from danlu.inference.completion import Delta, GenerationRequest, Sampling
from danlu.inference.engine import Engine, generate
from danlu.inference.engines import ENGINES
from danlu.inference.loading import load_engine
from danlu.recipe import serve as recipe
from danlu.recipe.errors import InternalFault, UserError
from tests.tiny import build_tiny_model

CONFIGS: dict[str, Any] = {kind.model_fields["type"].default: kind for kind in get_args(get_args(recipe.Engine)[0])}

Make = Callable[..., Engine]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(params=list(ENGINES))
def make(request: pytest.FixtureRequest, folder: Path) -> Make:
    def build(max_batch: int = 3) -> Engine:
        return load_engine(CONFIGS[cast(str, request.param)](), folder, max_batch=max_batch, device="cpu")

    return build


def ask(name: str, new: int = 6, stop: tuple[str, ...] = ()) -> GenerationRequest:
    return GenerationRequest(name, [10 + len(name), 20, 30], Sampling(max_new_tokens=new, stop=stop))


def run(engine: Engine) -> list[list[Delta]]:
    steps = []
    while engine.has_work():
        steps.append(engine.step())
        assert len(steps) < 1000
    return steps


def test_the_recipe_and_the_table_name_the_same_engines() -> None:
    assert set(CONFIGS) == set(ENGINES)


def test_completions_come_in_request_order_whatever_finishes_first(make: Make) -> None:
    wanted = [ask(name, new) for name, new in (("a", 9), ("bb", 1), ("ccc", 5), ("dddd", 2), ("eeeee", 7))]
    found = generate(make(), wanted)
    assert [one.request_id for one in found] == [one.id for one in wanted]
    assert all(1 <= len(one.token_ids) <= want.sampling.max_new_tokens for one, want in zip(found, wanted, strict=True))
    assert all(one.prompt_tokens == 3 for one in found)


def test_deltas_sum_to_the_completion_and_only_the_last_has_a_reason(make: Make) -> None:
    whole = generate(make(), [ask("a", 20)])[0]
    engine = make()
    engine.add(ask("a", 20))
    deltas = [delta for step in run(engine) for delta in step]
    assert "".join(delta.text for delta in deltas) == whole.text
    assert [token for delta in deltas for token in delta.token_ids] == whole.token_ids
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason == whole.finish_reason


def test_a_step_gives_at_most_one_delta_per_request_and_runs_no_more_than_max_batch(make: Make) -> None:
    engine = make(max_batch=2)
    assert engine.max_batch == 2
    for name in "abcde":
        engine.add(ask(name))
    for step in run(engine):
        names = [delta.request_id for delta in step]
        assert len(names) == len(set(names))
        assert len([delta for delta in step if delta.finish_reason is None]) <= 2


def test_first_come_first_served_and_a_late_request_joins(make: Make) -> None:
    engine = make(max_batch=2)
    for name in "abc":
        engine.add(ask(name, 5))
    assert {delta.request_id for delta in engine.step()} == {"a", "b"}
    engine = make(max_batch=2)
    engine.add(ask("a", 5))
    engine.step()
    engine.add(ask("late", 5))
    assert {delta.request_id for delta in engine.step()} == {"a", "late"}


def test_finish_reasons(make: Make) -> None:
    limited = generate(make(), [ask("a", 2)])[0]
    assert limited.finish_reason == "length"
    assert len(limited.token_ids) == 2
    text = generate(make(), [ask("a", 20)])[0].text
    at = next(index for index, char in enumerate(text) if index > 2 and char != "\ufffd" and char not in text[:index])
    stopped = generate(make(), [ask("a", 20, (text[at],))])[0]
    assert stopped.finish_reason == "stop"
    assert stopped.text == text[:at]


def test_cancel(make: Make) -> None:
    engine = make(max_batch=1)
    for name in ("running", "waiting", "kept"):
        engine.add(ask(name))
    engine.step()
    for name in ("running", "waiting", "nobody"):
        engine.cancel(name)
    assert engine.has_work()
    last = {delta.request_id: delta.finish_reason for step in run(engine) for delta in step}
    assert last["running"] == last["waiting"] == "cancelled"
    assert last["kept"] in {"stop", "length"}
    engine.cancel("kept")
    assert not engine.has_work()
    assert engine.step() == []


def test_an_id_can_be_used_again_but_not_at_the_same_time(make: Make) -> None:
    engine = make()
    first = generate(engine, [ask("a")])[0]
    engine.add(ask("a"))
    with pytest.raises(UserError, match="in use"):
        engine.add(ask("a"))
    deltas = [delta for step in run(engine) for delta in step]
    assert [token for delta in deltas for token in delta.token_ids] == first.token_ids


def test_refusals_leave_the_engine_working(make: Make) -> None:
    engine = make()
    for prompt, new in (([], 1), ([1], engine.max_context), ([10**9], 1)):
        with pytest.raises(UserError):
            engine.add(GenerationRequest("bad", prompt, Sampling(max_new_tokens=new)))
    assert not engine.has_work()
    assert generate(engine, [ask("bad")])[0].token_ids


def test_defaults_are_usable(make: Make) -> None:
    assert isinstance(make().defaults, Sampling)


def test_close_is_idempotent_and_final(make: Make) -> None:
    engine = make()
    engine.add(ask("a"))
    engine.step()
    engine.close()
    engine.close()
    assert not engine.has_work()
    with pytest.raises(InternalFault):
        engine.add(ask("b"))
    with pytest.raises(InternalFault):
        engine.step()
