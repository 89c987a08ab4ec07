"""The forecast of memory against tensors that really live, and the ways that are tried when a run does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.device import autocast, compute_dtype
from danlu.models.loading import load_model
from danlu.training import outlook
from danlu.training.activations import set_checkpointing
from danlu.training.forecast import Forecast, LiveBytes, forecast
from danlu.training.method import Preparation, hold, hold_for, trainable
from danlu.training.methods import METHODS
from danlu.training.objective import Example, Piece, collate
from danlu.training.objectives import OBJECTIVES
from tests.tiny import build_tiny_moe
from tests.training.making import method_of, section

ROWS = [Example("a", (Piece(list(range(20, 84)), [(32, 64)]),), 32.0) for _ in range(4)]


def told(kind: str, folder: Path, **fields: Any) -> Forecast:
    config = section(method={"type": kind}, **fields)
    method, objective = METHODS.load(kind)(config.method), OBJECTIVES.load("sft")(config.objective)
    return forecast(folder, method, objective, config, ROWS)


def test_live_bytes_are_those_of_tensors_that_are_still_held() -> None:
    with LiveBytes() as live:
        one = torch.zeros(1000)
        two = one + 1
        view = two[:10]
        assert live.now == live.peak == 8000
        del one
        assert live.now == 4000
        del two
        assert live.now == 4000 and view.numel() == 10
    assert live.peak == 8000


@pytest.mark.parametrize("kind", ["lora", "full", "adapter", "prefix"])
@pytest.mark.parametrize("mode", ["off", "full"])
def test_it_is_what_a_real_step_takes(kind: str, mode: Any, tiny_folder: Path) -> None:
    if kind == "prefix" and mode == "full":
        mode = "off"
    found = told(kind, tiny_folder, checkpointing=mode)
    config = section(method={"type": kind})
    model: Any = METHODS.load(kind)(config.method).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(1))
    hold(model, torch.float32)
    set_checkpointing(model, mode)
    model.train()
    objective = OBJECTIVES.load("sft")(config.objective)
    batch = collate(ROWS, 0)
    with LiveBytes() as live:
        live.leave_out([*model.parameters(), *model.buffers(), batch.input_ids, batch.positions, batch.labels])
        objective.loss(model, batch).backward()
    # transformers makes a mask for tensors without content that it leaves out for real ones
    assert live.peak <= found.step <= 1.12 * live.peak
    assert found.weights == pytest.approx(sum(p.numel() * p.element_size() for p in model.parameters()), rel=0.05)
    assert found.state == 8 * sum(p.numel() for p in trainable(model).values())


@pytest.mark.parametrize(
    ("method", "precision"),
    [
        ({"type": "lora"}, "fp32"),
        ({"type": "lora", "experts": True}, "fp32"),
        ({"type": "full"}, "fp32"),
        ({"type": "full"}, "fp16"),
    ],
)
def test_it_is_what_a_real_step_of_a_mixture_takes(
    method: dict[str, Any], precision: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, dtype = build_tiny_moe(tmp_path), compute_dtype(precision, torch.device("cpu"))
    config = section(method=method, precision=precision)
    made, objective = method_of(config), OBJECTIVES.load("sft")(config.objective)
    found = forecast(folder, made, objective, config, ROWS)
    model = made.prepare(load_model(folder), Preparation(1))
    hold_for(model, dtype, config, torch.device("cpu")).train()
    batch = collate(ROWS, 0)
    with LiveBytes() as live:
        live.leave_out([*model.parameters(), *model.buffers(), batch.input_ids, batch.positions, batch.labels])
        with autocast(torch.device("cpu"), dtype):
            loss = objective.loss(model, batch)
        loss.backward()
    assert live.peak <= found.step <= 1.12 * live.peak
    assert capfd.readouterr().err == ""


def test_computing_again_and_fewer_tokens_take_less(tiny_folder: Path) -> None:
    off, selective, full = (
        told("full", tiny_folder, checkpointing=mode, decoder="transformers").step
        for mode in ("off", "selective", "full")
    )
    assert full < selective < off
    own = told("full", tiny_folder).step
    assert own < selective, "danlu's decoder keeps what is dear, and no more"


def test_four_bits_take_less_and_an_average_more(tiny_folder: Path) -> None:
    assert told("qlora", tiny_folder).weights < told("lora", tiny_folder).weights
    plain = told("full", tiny_folder)
    averaged = told("full", tiny_folder, optimizer={"learning_rate": 1e-3, "ema": 0.9})
    assert averaged.state == 1.5 * plain.state and averaged.total > plain.total


def test_frozen_layers_of_a_file_in_bf16_are_held_so_by_the_own_decoder(tmp_path: Path, tiny_folder: Path) -> None:
    load_model(tiny_folder, dtype=torch.bfloat16).save_pretrained(tmp_path)
    own, apart = told("lora", tmp_path), told("lora", tmp_path, decoder="transformers")
    layers = sum(
        parameter.numel()
        for name, parameter in load_model(tiny_folder).named_parameters()
        if ".layers." in name and parameter.ndim == 2
    )
    assert apart.weights - own.weights == 2 * layers


def test_selective_checkpointing_keeps_products_of_layers_in_four_bits(tiny_folder: Path) -> None:
    config = section(method={"type": "qlora"}, checkpointing="selective")
    method, objective = METHODS.load("qlora")(config.method), OBJECTIVES.load("sft")(config.objective)
    batch = collate(ROWS, 0)
    peaks = {}
    for mode in ("selective", "full"):
        base = load_model(tiny_folder, dtype=torch.float32, quantization=method.quantization)
        model: Any = method.prepare(base, Preparation(1))
        hold(model, torch.float32)
        set_checkpointing(model, mode)
        model.train()
        with LiveBytes() as live:
            live.leave_out([*model.parameters(), *model.buffers(), batch.input_ids, batch.positions, batch.labels])
            objective.loss(model, batch).backward()
        peaks[mode] = live.peak
    assert peaks["full"] < 0.8 * peaks["selective"], "what is kept is computed once"
    assert told("qlora", tiny_folder, checkpointing="selective").step == pytest.approx(peaks["selective"], rel=0.1)


def test_layers_in_four_bits_are_computed_by_transformers_decoder(tiny_folder: Path) -> None:
    """danlu's decoder cannot take them, so a step keeps what transformers' keeps."""
    four, plain = told("qlora", tiny_folder), told("lora", tiny_folder)
    apart = told("lora", tiny_folder, decoder="transformers")
    assert plain.packed and not four.packed and not apart.packed
    assert four.step == pytest.approx(apart.step, rel=0.02) and four.step > 1.2 * plain.step


def test_a_cpu_computes_several_micro_batches_at_once_and_needs_its_libraries(tiny_folder: Path) -> None:
    one = told("lora", tiny_folder)
    two = replace(one, at_once=2)
    assert two.total - one.total == one.step
    assert one.total - one.weights - one.state - one.step == one.libraries > 2**20


def test_ways_go_from_quick_to_small() -> None:
    config = section(batch={"step_tokens": 1024, "micro_tokens": 512})
    assert list(outlook._ways(config, 512)) == [
        (mode, tokens) for tokens in (512, 256, 128) for mode in ("off", "selective", "full")
    ]
    prefix = section(method={"type": "prefix"}, batch={"step_tokens": 64, "micro_tokens": 64})
    assert list(outlook._ways(prefix, 64)) == [("off", 64)]


def test_the_heaviest_micro_batch_is_looked_at() -> None:
    short = Example("s", (Piece([1] * 10, [(5, 10)]),), 5.0)
    long = replace(short, row_id="l", pieces=(Piece([1] * 30, [(5, 10)]),))
    more = replace(long, row_id="m", pieces=(Piece([1] * 30, [(5, 25)]),))
    assert [e.row_id for e in outlook._heaviest([short, long, more, short], 30)] == ["m"]
