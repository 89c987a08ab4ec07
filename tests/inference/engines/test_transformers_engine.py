"""Continuous batching gives what each request gives alone, and what transformers' own generate gives."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM, PreTrainedModel

from danlu.inference.completion import Completion, Delta, GenerationRequest, Sampling
from danlu.inference.engine import generate
from danlu.inference.engines.transformers_engine import TransformersEngine, prefill_groups
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import InternalFault, UserError

SAMPLED: dict[str, Any] = {"temperature": 1.2, "top_p": 0.95, "top_k": 50}


def prompts(count: int, longest: int = 80, seed: int = 0) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest, (count,), generator=generator).tolist()
    return [torch.randint(0, 600, (length,), generator=generator).tolist() for length in lengths]


def requests(count: int = 10, **sampling: Any) -> list[GenerationRequest]:
    """Prompts and limits of very different length, each with a seed of its own."""
    return [
        GenerationRequest(str(index), prompt, Sampling(max_new_tokens=5 + 7 * index, seed=index, **sampling))
        for index, prompt in enumerate(prompts(count))
    ]


def alone(model: PreTrainedModel, renderer: ChatRenderer, wanted: Iterable[GenerationRequest]) -> list[list[int]]:
    return [generate(TransformersEngine(model, renderer, max_batch=1), [one])[0].token_ids for one in wanted]


def run(engine: TransformersEngine, deltas: list[Delta] | None = None) -> list[Delta]:
    deltas = [] if deltas is None else deltas
    while engine.has_work():
        deltas += engine.step()
    return deltas


def tokens_of(deltas: Iterable[Delta], name: str) -> list[int]:
    return [token for delta in deltas if delta.request_id == name for token in delta.token_ids]


def test_greedy_equals_transformers_generate(engine: TransformersEngine, model: PreTrainedModel) -> None:
    for request, completion in zip(requests(), generate(engine, requests()), strict=True):
        prompt = torch.tensor([request.prompt_ids])
        output: Any = model.generate(  # type: ignore[operator]
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=request.sampling.max_new_tokens,
            do_sample=False,
        )
        assert completion.token_ids == output[0, prompt.shape[1] :].tolist()


@pytest.mark.parametrize("sampling", [{}, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("max_batch", [2, 5, 32])
def test_neighbours_change_nothing(
    model: PreTrainedModel, renderer: ChatRenderer, sampling: dict[str, Any], max_batch: int
) -> None:
    found = generate(TransformersEngine(model, renderer, max_batch=max_batch), requests(**sampling))
    assert [one.token_ids for one in found] == alone(model, renderer, requests(**sampling))
    assert len({tuple(one.token_ids[:5]) for one in found}) > 5  # else equality would prove little


@pytest.mark.parametrize("sampling", [{}, SAMPLED], ids=["greedy", "sampled"])
def test_joining_and_leaving_mid_flight_change_nothing(
    engine: TransformersEngine, model: PreTrainedModel, renderer: ChatRenderer, sampling: dict[str, Any]
) -> None:
    wanted = requests(8, **sampling)
    deltas: list[Delta] = []
    for index, request in enumerate(wanted):
        engine.add(request)
        for _ in range(index):
            deltas += engine.step()
        if index == 6:
            engine.cancel("5")
    run(engine, deltas)
    expected = alone(model, renderer, wanted)
    for request, tokens in zip(wanted, expected, strict=True):
        if request.id == "5":
            found = tokens_of(deltas, "5")
            assert found == tokens[: len(found)]
        else:
            assert tokens_of(deltas, request.id) == tokens


def test_a_row_that_ends_with_its_first_token_leaves_its_neighbours_in_place(
    engine: TransformersEngine, model: PreTrainedModel, renderer: ChatRenderer
) -> None:
    wanted = [
        GenerationRequest(str(index), [index + 1, 2, 3], Sampling(max_new_tokens=new))
        for index, new in enumerate((1, 9, 1, 7))
    ]
    assert len(list(prefill_groups([3] * 4))) == 1
    assert [one.token_ids for one in generate(engine, wanted)] == alone(model, renderer, wanted)


def test_a_long_answer_outgrows_the_spare_columns(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    wanted = [
        GenerationRequest(str(index), prompt, Sampling(max_new_tokens=300, temperature=1.5, seed=index))
        for index, prompt in enumerate(prompts(3))
    ]
    found = generate(TransformersEngine(model, renderer), wanted)
    assert max(len(one.token_ids) for one in found) > 150
    assert [one.token_ids for one in found] == alone(model, renderer, wanted)


def test_seeds_repeat_and_differ(engine: TransformersEngine) -> None:
    def draw(seed: int | None) -> list[int]:
        return generate(engine, [GenerationRequest("a", [1, 2, 3], Sampling(30, 1.0, seed=seed))])[0].token_ids

    assert draw(1) == draw(1) != draw(2)
    assert draw(None) != draw(None)


def test_text_is_the_tokens_decoded(engine: TransformersEngine, renderer: ChatRenderer) -> None:
    for one in generate(engine, requests(**SAMPLED)):
        whole = renderer.decode(one.token_ids)
        # A character that a limit cut off is left out
        assert one.text == (whole if one.finish_reason == "stop" else whole.removesuffix("\ufffd"))
        assert "<|im_end|>" not in one.text


def test_end_tokens_come_from_tokenizer_and_generation_config(
    engine: TransformersEngine, model: PreTrainedModel, renderer: ChatRenderer
) -> None:
    assert engine._end_ids == {renderer.eos_id, renderer.document_end_id}
    ended = [one for one in generate(engine, requests(20, temperature=1.5)) if one.finish_reason == "stop"]
    assert ended
    assert all(one.token_ids[-1] in engine._end_ids for one in ended)
    assert not any(set(one.token_ids[:-1]) & engine._end_ids for one in ended)


def test_stop_texts_across_token_borders(engine: TransformersEngine, renderer: ChatRenderer) -> None:
    def ask(*stop: str) -> Completion:
        sampling = Sampling(max_new_tokens=300, temperature=1.0, seed=1, stop=stop)
        return generate(engine, [GenerationRequest("a", prompts(1)[0], sampling)])[0]

    whole = ask()
    pieces = [renderer.decode([token]) for token in whole.token_ids]
    at = next(i for i in range(5, 290) if all("\ufffd" not in p and len(p) > 1 for p in pieces[i : i + 2]))
    stop = pieces[at][-1] + pieces[at + 1][0]  # ends in the middle of a token
    found = ask("nowhere", stop)
    assert found.text == whole.text[: whole.text.index(stop)]
    assert found.finish_reason == "stop"
    assert len(found.token_ids) < len(whole.token_ids)


def test_cancelling_frees_the_row_at_once(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    engine = TransformersEngine(model, renderer, max_batch=1)
    long, waiting = requests(2)
    engine.add(GenerationRequest("long", long.prompt_ids, Sampling(500, 1.5, seed=0)))
    engine.add(waiting)
    engine.step()
    engine.cancel("long")
    engine.cancel("nobody")
    deltas = engine.step()
    assert [(one.request_id, one.finish_reason) for one in deltas] == [("long", "cancelled"), (waiting.id, None)]
    assert tokens_of(deltas + run(engine), waiting.id) == alone(model, renderer, [waiting])[0]


def test_prompt_and_answer_must_fit_the_context(engine: TransformersEngine) -> None:
    engine.add(GenerationRequest("fits", [1] * 1000, Sampling(max_new_tokens=24)))
    with pytest.raises(UserError, match=r"1000 tokens and the answer may have 25, together 1025, .* context is 1024"):
        engine.add(GenerationRequest("long", [1] * 1000, Sampling(max_new_tokens=25)))
    with pytest.raises(UserError, match="empty"):
        engine.add(GenerationRequest("empty", [], Sampling()))
    assert tokens_of(run(engine), "fits")


def test_a_prompt_that_fails_takes_no_neighbour_with_it(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    class Fragile(TransformersEngine):
        def _logits(self, ids: torch.Tensor, *rest: Any) -> torch.Tensor:
            if (ids == 599).any() and ids.shape[1] > 1:
                raise torch.OutOfMemoryError("too much")
            return super()._logits(ids, *rest)

    wanted = [GenerationRequest(str(i), [i + 1, 2, 3], Sampling(max_new_tokens=8)) for i in range(3)]
    engine = Fragile(model, renderer)
    for one in wanted:
        engine.add(one)
    engine.add(GenerationRequest("bad", [599, 2, 3], Sampling()))
    deltas = run(engine)
    last = [delta for delta in deltas if delta.request_id == "bad"]
    assert [(one.finish_reason, "too much" in one.error) for one in last] == [("error", True)]
    assert [tokens_of(deltas, one.id) for one in wanted] == alone(model, renderer, wanted)
    engine.add(GenerationRequest("bad", [1], Sampling(max_new_tokens=1)))  # its id is free again


def test_logits_that_are_no_numbers_end_one_answer_only(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    class Diverged(TransformersEngine):
        def _logits(self, *given: Any) -> torch.Tensor:
            logits = super()._logits(*given)
            logits[0, 7] = torch.nan
            return logits

    deltas_of: dict[str, str | None] = {}
    engine = Diverged(model, renderer)
    for one in requests(2):
        engine.add(one)
    for delta in run(engine):
        deltas_of[delta.request_id] = delta.finish_reason
    assert "error" in deltas_of.values()
    assert len(deltas_of) == 2


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft 0.21 reads it
def test_with_adapters_of_peft_inside(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    from peft import LoraConfig, PrefixTuningConfig, get_peft_model

    torch.manual_seed(0)
    tuned: Any = get_peft_model(
        copy.deepcopy(model), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    tuned.train()  # dropout and all: the engine switches it off
    found: list[Completion] = generate(TransformersEngine(tuned, renderer, max_batch=4), requests(6))
    merged = tuned.merge_and_unload()
    assert [one.token_ids for one in found] == alone(merged, renderer, requests(6))
    assert [one.token_ids for one in found] != alone(model, renderer, requests(6))
    prefix: Any = get_peft_model(copy.deepcopy(model), PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    with pytest.raises(UserError, match="prompt and prefix"):
        TransformersEngine(prefix, renderer)


def test_a_model_put_back_to_training_is_switched_to_evaluation(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    engine = TransformersEngine(copy.deepcopy(model), renderer)
    engine._model.train()
    generate(engine, requests(1))
    assert not engine._model.training


def test_a_sliding_window_is_refused(renderer: ChatRenderer) -> None:
    config = MistralConfig(
        vocab_size=640, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=8,
    )  # fmt: skip
    with pytest.raises(UserError, match="'mistral' models keep more than plain keys and values"):
        TransformersEngine(MistralForCausalLM(config), renderer)


def test_defaults_are_those_of_the_generation_config(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    model = copy.deepcopy(model)
    engine = TransformersEngine(model, renderer)
    assert engine.defaults == Sampling(temperature=0.7)
    settings: Any = model.generation_config
    settings.do_sample, settings.temperature, settings.top_p, settings.top_k = True, 0.6, 0.95, 20
    assert engine.defaults == Sampling(temperature=0.6, top_p=0.95, top_k=20)


def test_a_closed_engine_refuses(engine: TransformersEngine) -> None:
    engine.close()
    with pytest.raises(InternalFault, match="closed"):
        engine.add(requests(1)[0])


def test_prefill_groups_hold_every_prompt_once_with_little_padding() -> None:
    lengths = [3, 900, 5, 4, 880, 2000, 2001, 2002, 9000]
    groups = list(prefill_groups(lengths))
    assert sorted(index for group in groups for index in group) == list(range(9))
    assert {frozenset(group) for group in groups} == {
        frozenset(group) for group in ([0, 2, 3], [1, 4], [5, 6], [7], [8])
    }
