"""Checkpoints: how long training stands still for one, written in the background and not.

    python benchmarks/training/checkpoints.py [full] [lora] [rounds=N]

A Qwen3 of 31.5 M parameters (the shape of the peers' benchmark) is trained on random rows of 48 tokens, once with
`train.checkpoints.background` on and once off, in turns, a checkpoint every `EVERY` steps. Printed: the seconds that a
step without a checkpoint takes (median), those of a step with one, the part of it that training stood still, what the
disk took, and the speed of the whole run against the same run without any checkpoint. The writing thread shares the
cores with training, so steps beside it are slower; the last column holds that too.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from danlu.models.device import seed_everything
from danlu.recipe.train import TrainSection
from danlu.training.loop import TrainingJob, train
from danlu.training.method import Preparation
from danlu.training.methods import METHODS
from danlu.training.objective import Example, Piece
from danlu.training.objectives import OBJECTIVES

STEPS, EVERY, ROWS, LENGTH = 36, 8, 4, 48
WAYS = ("none", "background", "waiting")


def make_model() -> Any:
    """31.5 M parameters, random."""
    config = Qwen3Config(
        vocab_size=32768, hidden_size=512, intermediate_size=1536, num_hidden_layers=5, num_attention_heads=8,
        num_key_value_heads=4, head_dim=64, tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def run(method: str, way: str) -> dict[str, Any]:
    """Times of one run."""
    seed_everything(3)
    config = TrainSection.model_validate(
        {
            "method": {"type": method},
            "batch": {"step_tokens": ROWS * LENGTH, "micro_tokens": ROWS * LENGTH},
            "max_steps": STEPS,
            "precision": "fp32",
            "checkpoints": {"every": 10**9 if way == "none" else EVERY, "background": way == "background"},
        }
    )
    rows = [torch.randint(0, 32768, (LENGTH,)).tolist() for _ in range(ROWS * STEPS)]
    examples = [Example(f"r:{n}", (Piece(ids, [(1, LENGTH)]),), LENGTH - 1) for n, ids in enumerate(rows)]
    made: Any = METHODS.load(method)(config.method)
    model = made.prepare(make_model(), Preparation(3, lambda text: []))
    clock: list[float] = []
    saves: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            clock.append(time.perf_counter())
        elif event["event"] == "checkpoint" and 0 < event["step"] < STEPS:
            saves.append(event)

    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))  # a disk: /tmp may be memory
    try:
        objective: Any = OBJECTIVES.load("language_modeling")(config.objective)
        train(TrainingJob(model, objective, examples, [], config, 3, 0, torch.float32, folder, on_event))
    finally:
        shutil.rmtree(folder)
    gaps = {number + 2: after - before for number, (before, after) in enumerate(itertools.pairwise(clock))}
    # A checkpoint of step N is saved after step N is told: it lies between N and N + 1
    with_save = [gap for step, gap in gaps.items() if (step - 1) % EVERY == 0]
    return {
        "plain": statistics.median(gap for step, gap in gaps.items() if (step - 1) % EVERY != 0 and step > 3),
        "saving": statistics.median(with_save),
        "still": statistics.median(s["stood_still"] for s in saves) if saves else 0.0,
        "disk": statistics.median(s["seconds"] for s in saves) if saves else 0.0,
        "bytes": saves[0]["bytes"] if saves else 0,
        "steps": sum(gap for step, gap in gaps.items() if step > 3),
    }


def main() -> None:
    words = sys.argv[1:]
    rounds = next((int(word.split("=")[1]) for word in words if word.startswith("rounds=")), 3)
    methods = [word for word in words if "=" not in word] or ["full", "lora"]
    print(f"{torch.get_num_threads()} threads, medians of {rounds} rounds, {time.strftime('%Y-%m-%d')}")
    print("| method | checkpoint | way | step, ms | with a checkpoint, ms | stood still, ms | written in, ms | run |")
    print("|---|---|---|---|---|---|---|---|")
    for method in methods:
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(run(method, way))

        def middle(way: str, key: str, found: dict[str, list[dict[str, Any]]] = found) -> float:
            return statistics.median(one[key] for one in found[way])

        for way in WAYS:
            size = f"{middle(way, 'bytes') / 1e6:.0f} MB"
            times = " | ".join(f"{middle(way, key) * 1e3:.0f}" for key in ("plain", "saving", "still", "disk"))
            ratio = middle(way, "steps") / middle("none", "steps")
            print(f"| {method} | {size} | {way} | {times} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
