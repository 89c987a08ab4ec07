"""Determinism on the record, and two runs of one recipe that are the same in every bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from danlu.training.determinism import facts, settled
from danlu.training.loop import train
from danlu.training.method import trainable
from tests.training.making import made_samples, make_job, section, timeless


def test_a_cpu_is_deterministic_and_a_gpu_only_if_told() -> None:
    cpu, gpu = facts(torch.device("cpu")), facts(torch.device("cuda"))
    assert cpu["deterministic"] and cpu["threads"] == torch.get_num_threads() and "threads" in cpu["why"]
    assert not gpu["deterministic"] and not gpu["enforced"] and "train.deterministic: true" in gpu["why"]


def test_what_the_recipe_asks_holds_inside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with settled(torch.device("cuda"), True) as told:
        assert torch.are_deterministic_algorithms_enabled()
        assert told["deterministic"] and told["enforced"]
    assert not torch.are_deterministic_algorithms_enabled()
    with settled(torch.device("cuda"), False) as told:
        assert not torch.are_deterministic_algorithms_enabled() and not told["deterministic"]


@pytest.mark.parametrize("threads", [1, 2])
def test_two_runs_are_the_same_in_every_bit(tiny_folder: Path, tmp_path: Path, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ends = []
        for name in ("one", "other"):
            config = section(method={"type": "lora", "rank": 4, "dropout": 0.2}, max_steps=6, epochs=9)
            job = make_job(tiny_folder, tmp_path / name, config, made_samples(12), validation=made_samples(2, seed=8))
            train(job)
            ends.append({key: p.detach().clone() for key, p in trainable(job.model).items()})
        assert timeless(tmp_path / "one") == timeless(tmp_path / "other")
        assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
    finally:
        torch.set_num_threads(before)
