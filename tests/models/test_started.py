"""Learned positions before every sequence: equal to PEFT's, in training, scoring and batched answering."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from danlu.inference.completion import GenerationRequest, Sampling
from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.models.loading import decoder_and_head, load_model, load_renderer
from danlu.models.started import Prefix, Prompt, StartedModel, put_start, save_start

KINDS: dict[str, Any] = {"prefix": Prefix, "prompt": Prompt}


@pytest.fixture(params=sorted(KINDS))
def started(request: pytest.FixtureRequest, tiny_folder: Path) -> StartedModel:
    model = load_model(tiny_folder, dtype=torch.float32)
    start = KINDS[request.param].of_tokens(model, [30, 31, 32, 33, 34])
    with torch.no_grad():
        start.embedding.add_(torch.randn(start.embedding.shape, generator=torch.Generator().manual_seed(3)), alpha=0.1)
    return StartedModel(model, start).eval()


def logits(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT's own
        found = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long))
    return torch.as_tensor(found.logits[:, -len(ids) :])


def test_peft_reads_it_and_computes_the_same(started: StartedModel, tiny_folder: Path, tmp_path: Path) -> None:
    save_start(started, tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        theirs: Any = PeftModel.from_pretrained(load_model(tiny_folder, dtype=torch.float32), str(tmp_path)).eval()
    torch.testing.assert_close(
        logits(started, [20, 21, 22, 23]), logits(theirs, [20, 21, 22, 23]), atol=1e-5, rtol=1e-4
    )
    again = put_start(load_model(tiny_folder, dtype=torch.float32), tmp_path)
    assert torch.equal(logits(again, [20, 21, 22, 23]), logits(started, [20, 21, 22, 23]))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_start_of_tokens_is_at_first_those_tokens(kind: str, tiny_folder: Path) -> None:
    model = load_model(tiny_folder, dtype=torch.float32)
    expected = logits(model, [30, 31, 32, 20, 21])[:, 3:]
    found = logits(StartedModel(model, KINDS[kind].of_tokens(model, [30, 31, 32])), [20, 21])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_decoder_gives_the_states_of_the_real_tokens(started: StartedModel) -> None:
    decoder, head = decoder_and_head(started)
    ids = torch.tensor([[20, 21, 22, 0], [40, 41, 42, 43]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    with torch.no_grad():
        found = head(decoder(input_ids=ids, attention_mask=mask).last_hidden_state)
        unmasked = head(decoder(input_ids=ids).last_hidden_state)
    torch.testing.assert_close(found[0, :3], logits(started, [20, 21, 22])[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found[1], logits(started, [40, 41, 42, 43])[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(unmasked[0, :3], found[0, :3], atol=1e-5, rtol=1e-4)


def test_a_batch_of_answers_is_what_each_would_be_alone(started: StartedModel, tiny_folder: Path) -> None:
    renderer = load_renderer(tiny_folder)
    prompts = [[20, 21, 22], [40] * 9, [50, 51], [60, 61, 62, 63, 64]]
    engine = TransformersEngine(started, renderer, max_batch=3)
    for index, prompt in enumerate(prompts):
        engine.add(GenerationRequest(f"r{index}", prompt, Sampling(temperature=0, max_new_tokens=6)))
    answers: dict[str, list[int]] = {f"r{index}": [] for index in range(len(prompts))}
    while engine.has_work():
        for delta in engine.step():
            answers[delta.request_id] += delta.token_ids
    for index, prompt in enumerate(prompts):
        ids = list(prompt)
        for token in answers[f"r{index}"]:
            assert token == int(logits(started, ids)[0, -1].argmax())
            ids.append(token)
        assert len(ids) > len(prompt)
