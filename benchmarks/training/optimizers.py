"""Optimizers: what a step costs, what the state weighs, and which peak rate serves which optimizer.

    OMP_NUM_THREADS=1 python benchmarks/training/optimizers.py DATASET [steps] [full] [lora]

`steps`: CPU seconds per million parameters of one step on matrices of 1024 x 512, interleaved, and bytes of state.
`full`, `lora`: the seedling (a trained Qwen3 of 5.8 M parameters) is fine-tuned by that method on the starter's reviews
with every optimizer at a grid of peak rates; the validation loss after `STEPS` steps. DATASET is the folder of the
starter's dataset artifact:

    danlu --workspace W init DEMO && danlu --workspace W data make DEMO/recipe.yaml
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from danlu.data.dataset import load_samples
from danlu.models.device import seed_everything
from danlu.models.identity import seedling_folder
from danlu.models.loading import load_model
from danlu.recipe.optimizer import Optimizer
from danlu.recipe.train import TrainSection
from danlu.training.history import read_history
from danlu.training.loop import TrainingJob, train
from danlu.training.method import Preparation
from danlu.training.methods import METHODS
from danlu.training.objectives import OBJECTIVES
from danlu.training.optimizer import make_optimizer

KINDS = ("adamw", "adamw_8bit", "adafactor", "muon", "schedule_free")
ROUNDS, PER_ROUND = 5, 4
STEPS = 25
GRIDS = {"full": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "lora": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)}


class Stepper:
    """One optimizer over two million parameters in four matrices, and its gradients."""

    def __init__(self, kind: str) -> None:
        torch.manual_seed(0)
        self.parameters = [torch.nn.Parameter(torch.randn(1024, 512)) for _ in range(4)]
        named = {f"layers.{index}.w": p for index, p in enumerate(self.parameters)}
        section = TypeAdapter(Optimizer).validate_python({"type": kind, "learning_rate": 1e-3})
        self.optimizer = make_optimizer(named, section)
        self.gradients = [torch.randn_like(p) for p in self.parameters]
        self.count = sum(p.numel() for p in self.parameters)
        self.seconds: list[float] = []
        self.step()  # makes the state

    def step(self) -> None:
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient.clone()
        self.optimizer.step()

    def timed(self) -> None:
        started = time.process_time()
        for _ in range(PER_ROUND):
            self.step()
        self.seconds.append((time.process_time() - started) / PER_ROUND)

    def state_bytes(self) -> float:
        tensors = {
            v.data_ptr(): v.numel() * v.element_size()
            for state in self.optimizer.state.values()
            for v in state.values()
            if torch.is_tensor(v)
        }
        return sum(tensors.values()) / self.count


def steps() -> None:
    made = {kind: Stepper(kind) for kind in KINDS}
    for _ in range(ROUNDS):
        for stepper in made.values():
            stepper.timed()
    usual = statistics.median(made["adamw"].seconds)
    print("| optimizer | CPU ms per million parameters: median (lowest to highest) | ratio | state, bytes each |")
    print("|---|---|---|---|")
    for kind, stepper in made.items():
        low, middle, high = (
            value * 1e9 / stepper.count
            for value in (min(stepper.seconds), statistics.median(stepper.seconds), max(stepper.seconds))
        )
        ratio = statistics.median(stepper.seconds) / usual
        print(f"| {kind} | {middle:.2f} ({low:.2f} to {high:.2f}) | {ratio:.1f} | {stepper.state_bytes():.2f} |")


def validation_loss(dataset: Path, method: str, kind: str, rate: float) -> float:
    """Of one run; inf if it diverged."""
    config = TrainSection.model_validate(
        {
            "method": {"type": method},
            "optimizer": {"type": kind, "learning_rate": rate, "warmup": 0.1},
            "batch": {"step_tokens": 1024, "micro_tokens": 1024},
            "max_steps": STEPS,
            "precision": "fp32",
            "checkpoints": {"every": 10**6, "keep": 1},
        }
    )
    made: Any = METHODS.load(method)(config.method)
    model = made.prepare(load_model(seedling_folder(), dtype=torch.float32), Preparation(5))
    seed_everything(5)
    objective = OBJECTIVES.load("sft")(config.objective)
    train_rows, validation_rows = (objective.examples(load_samples(dataset, split)) for split in ("train", "validation"))
    with tempfile.TemporaryDirectory() as work:
        job = TrainingJob(
            model=model,
            objective=objective,
            train=train_rows,
            validation=validation_rows,
            config=config,
            seed=5,
            pad_id=0,
            dtype=torch.float32,
            folder=Path(work),
            on_event=lambda event: None,
        )
        try:
            train(job)
        except Exception as error:  # a run that diverges is a result here
            print(f"<!-- {method} {kind} {rate:g}: {error} -->")
            return float("inf")
        return float(read_history(Path(work) / "history.jsonl")[-1]["validation_loss"])


def rates(dataset: Path, method: str) -> None:
    grid = GRIDS[method]
    print(f"\n| {method} | " + " | ".join(f"{rate:g}" for rate in grid) + " | best |\n|" + "---|" * (len(grid) + 2))
    for kind in KINDS:
        found = [validation_loss(dataset, method, kind, rate) for rate in grid]
        best = grid[found.index(min(found))]
        print(f"| {kind} | " + " | ".join(f"{loss:.3f}" for loss in found) + f" | {best:g} |", flush=True)


def main() -> None:
    dataset, parts = Path(sys.argv[1]), sys.argv[2:] or ["steps", *GRIDS]
    if "steps" in parts:
        steps()
    for method in GRIDS:
        if method in parts:
            rates(dataset, method)


if __name__ == "__main__":
    main()
