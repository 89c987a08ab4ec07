"""From recipe and folder to an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from danlu.inference.completion import GenerationRequest, Sampling
from danlu.inference.engine import generate
from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.inference.loading import load_engine
from danlu.recipe import serve as recipe
from danlu.recipe.errors import UserError


def test_the_type_picks_the_engine(tiny_folder: Path) -> None:
    fake = load_engine(recipe.FakeEngine(answer="hello"), tiny_folder, max_batch=3)
    assert fake.max_batch == 3
    assert generate(fake, [GenerationRequest("a", [1], Sampling())])[0].text == "hello"
    real = load_engine(recipe.TransformersEngine(), tiny_folder, max_batch=2, device="cpu")
    assert isinstance(real, TransformersEngine)
    assert (real.max_batch, real.max_context) == (2, 1024)


@pytest.mark.parametrize(("dtype", "expected"), [("auto", torch.float32), ("bf16", torch.bfloat16)])
def test_dtype(tiny_folder: Path, dtype: str, expected: torch.dtype) -> None:
    engine = TransformersEngine.from_folder(tiny_folder, device="cpu", dtype=dtype)
    assert engine._model.dtype == expected
    assert len(generate(engine, [GenerationRequest("a", [1, 2], Sampling(max_new_tokens=3))])[0].token_ids) == 3


def test_an_unknown_dtype_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="unknown dtype 'fp8'"):
        load_engine(recipe.TransformersEngine(), tiny_folder, max_batch=1, dtype="fp8")
