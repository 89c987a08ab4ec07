"""Which way is taken on which device; what a device has not got is refused by name, never left out in silence."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.loading import load_model
from danlu.recipe.errors import UserError
from danlu.recipe.gpu import GpuSection
from danlu.training import run
from danlu.training.loop import validate
from danlu.training.objective import Batch
from danlu.training.packed import ways
from danlu.training.packed.ways import PLAIN, Ways, ways_for
from tests.training.making import made_samples, make_job, section

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing found on a made-up device outlives its test."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    ways_for.cache_clear()
    yield
    ways_for.cache_clear()


def machine(monkeypatch: pytest.MonkeyPatch, *, capability: float = 9.0, lacks: str = "") -> None:
    """Pretend there is a GPU, and a package is missing."""
    find = importlib.util.find_spec
    monkeypatch.setattr(ways, "native_bf16", lambda device: capability >= 8)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == lacks else find(name))


@pytest.mark.parametrize(
    ("asked", "capability", "dtype", "lacks", "found"),
    [
        ({}, 9.0, torch.bfloat16, "", Ways("varlen", "triton")),
        ({}, 8.0, torch.float16, "", Ways("varlen", "triton")),
        ({}, 7.5, torch.float16, "", Ways("sdpa", "triton")),
        ({}, 9.0, torch.float32, "", Ways("sdpa", "triton")),
        ({}, 9.0, torch.bfloat16, "triton", Ways("varlen", "torch")),
        ({}, 9.0, torch.bfloat16, "torch.nn.attention.varlen", Ways("sdpa", "triton")),
        ({"attention": "sdpa", "kernels": "torch"}, 9.0, torch.bfloat16, "", PLAIN),
        ({"compile": True}, 9.0, torch.bfloat16, "", Ways("varlen", "torch", True)),
    ],
)
def test_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    capability: float,
    dtype: torch.dtype,
    lacks: str,
    found: Ways,
) -> None:
    machine(monkeypatch, capability=capability, lacks=lacks)
    assert ways_for(GpuSection.model_validate(asked), CUDA, dtype) == found


@pytest.mark.parametrize(
    ("capability", "dtype", "lacks", "reason"),
    [
        (7.5, torch.float16, "", "capability 8.0"),
        (9.0, torch.float32, "", "computation is in float32"),
        (9.0, torch.bfloat16, "torch.nn.attention.varlen", "torch 2.11"),
    ],
)
def test_varlen_by_name_needs_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capability: float, dtype: torch.dtype, lacks: str, reason: str
) -> None:
    machine(monkeypatch, capability=capability, lacks=lacks)
    with pytest.raises(UserError, match=reason) as caught:
        ways_for(GpuSection(attention="varlen"), CUDA, dtype)
    assert caught.value.where == "train.gpu.attention" and caught.value.fix


def test_triton_by_name_needs_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)

    def missing(module: str, extra: str) -> Any:
        raise UserError(f"needs the package '{module}'", fix=f"pip install 'danlu[{extra}]'")

    monkeypatch.setattr(ways, "optional", missing)
    with pytest.raises(UserError, match=r"pip install 'danlu\[gpu\]'"):
        ways_for(GpuSection(kernels="triton"), CUDA, torch.bfloat16)


@pytest.mark.parametrize(
    ("asked", "field", "value"),
    [
        ({"attention": "varlen"}, "attention", "varlen"),
        ({"kernels": "triton"}, "kernels", "triton"),
        ({"compile": True}, "compile", "true"),
    ],
)
def test_a_cpu_refuses_what_only_a_gpu_has(asked: dict[str, Any], field: str, value: str) -> None:
    with pytest.raises(UserError, match=f"'{value}' needs a CUDA GPU, and training runs on 'cpu'") as caught:
        ways_for(GpuSection.model_validate(asked), CPU, torch.bfloat16)
    assert caught.value.where == f"train.gpu.{field}" and f"remove train.gpu.{field}" in caught.value.fix


def test_a_cpu_goes_its_own_way() -> None:
    assert ways_for(GpuSection(), CPU, torch.float32) == ways_for(GpuSection(attention="sdpa"), CPU, torch.float32)
    assert ways_for(GpuSection(), CPU, torch.float32) == PLAIN


def test_the_recipes_switch_reaches_every_batch(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the section itself, not by one that equals it."""
    config = section(gpu={"attention": "sdpa"})
    job = make_job(tiny_folder, tmp_path, config, made_samples(3), validation=made_samples(2))
    seen: list[Batch] = []
    measure = job.objective.measure

    def watched(model: torch.nn.Module, batch: Batch) -> Any:
        seen.append(batch)
        return measure(model, batch)

    monkeypatch.setattr(job.objective, "measure", watched)
    validate(job)
    assert seen and all(batch.gpu is config.gpu for batch in seen)


def test_what_a_gpu_did_is_on_the_books(tiny_folder: Path) -> None:
    model, plain = load_model(tiny_folder, dtype=torch.float32), section()
    told = {"attention": "varlen", "kernels": "triton", "compile": False}
    assert run._ways(Ways("varlen", "triton"), model, plain, CUDA) == {"gpu": told}
    theirs = section(decoder="transformers")
    assert run._ways(Ways("varlen", "triton"), model, theirs, CUDA) == {"gpu": "transformers' decoder"}
    assert run._ways(PLAIN, model, plain, CPU) == {}
