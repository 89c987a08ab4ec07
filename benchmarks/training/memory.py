"""Foretold and measured peak memory of training over a grid of configurations, on a CPU.

Usage: python benchmarks/training/memory.py [--model FOLDER] [--write FILE.md]

Each configuration runs in a process of its own: the model is loaded, the high-water mark of the process is set back,
and two optimizer steps are run. The forecast is `training.forecast` plus what the process held before the model was
loaded. The processes give memory back at once (MALLOC_MMAP_THRESHOLD_=65536), so that what is measured is what tensors
take, as a GPU's counter shows it; glibc as it is holds up to twice as much, and takes 60 % less CPU time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

MIB = 2**20
ENVIRONMENT = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
SHAPES = [("off", 2, 512), ("off", 8, 256), ("off", 4, 512), ("selective", 4, 512), ("full", 4, 1024)]
METHODS = ("lora", "full", "freeze", "adapter", "qlora")
GRID = [
    {"method": method, "dtype": dtype, "checkpointing": mode, "rows": rows, "length": length}
    for (method, dtype), (mode, rows, length) in itertools.product(
        itertools.product(METHODS, ("float32", "bfloat16")),
        SHAPES,
    )
]


def measure(case: dict[str, str | int], base: Path) -> dict[str, float]:
    """In this process: bytes foretold and measured."""
    import gc

    import psutil
    import torch

    from danlu.models.loading import load_model
    from danlu.recipe.train import TrainSection
    from danlu.training.activations import set_checkpointing
    from danlu.training.forecast import forecast
    from danlu.training.method import Preparation, hold_for, trainable
    from danlu.training.methods import METHODS as TABLE
    from danlu.training.objective import Example, Piece, collate
    from danlu.training.objectives import OBJECTIVES
    from danlu.training.optimizer import make_optimizer

    dtype = getattr(torch, str(case["dtype"]))
    precision = "fp32" if dtype == torch.float32 else "bf16"
    section = TrainSection.model_validate(
        {"method": {"type": case["method"]}, "checkpointing": case["checkpointing"], "precision": precision}
    )
    length = int(case["length"])
    rows = [
        Example("a", (Piece(list(range(1, length + 1)), [(length // 2, length)]),), length / 2)
        for _ in range(int(case["rows"]))
    ]
    method = TABLE.load(str(case["method"]))(section.method)
    objective = OBJECTIVES.load("sft")(section.objective)
    told = forecast(base, method, objective, section, rows)
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    stored = "auto" if method.quantization is None else dtype
    model = load_model(base, dtype=stored, quantization=method.quantization)
    model = method.prepare(model, Preparation(1, lambda text: [0]))
    set_checkpointing(model, section.checkpointing)
    hold_for(model, dtype, section, torch.device("cpu"))
    model.train()
    gc.collect()
    optimizer = make_optimizer(trainable(model), section.optimizer)
    batch = collate(rows, 0)
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(2):
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            loss = objective.loss(model, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    peak = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return {"told": told.total + before, "measured": peak, "before": before, "device": told.total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    if given.model is None:
        from danlu.models.identity import seedling_folder

        given.model = seedling_folder()
    if given.case:
        print(json.dumps(measure(json.loads(given.case), given.model)))
        return
    lines = [
        "| method | dtype | checkpointing | rows x length | foretold MiB | measured MiB | error |",
        "|---" * 7 + "|",
    ]
    errors, growth = [], []
    for case in GRID:
        command = [sys.executable, __file__, "--model", str(given.model), "--case", json.dumps(case)]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        if done.returncode:
            raise SystemExit(f"{case}: {done.stderr[-2000:]}")
        found = json.loads(done.stdout.splitlines()[-1])
        error = found["told"] / found["measured"] - 1
        errors.append(abs(error))
        growth.append(abs(found["device"] / (found["measured"] - found["before"]) - 1))
        lines.append(
            f"| {case['method']} | {case['dtype']} | {case['checkpointing']} | {case['rows']} x {case['length']} | "
            f"{found['told'] / MIB:,.0f} | {found['measured'] / MIB:,.0f} | {error:+.1%} |"
        )
        print(
            lines[-1],
            f"without the process: {found['device'] / (found['measured'] - found['before']) - 1:+.1%}",
            flush=True,
        )
    for name, numbers in (("of the process", errors), ("of what training adds to it", growth)):
        share = sum(number <= 0.1 for number in numbers) / len(numbers)
        middle = sorted(numbers)[len(numbers) // 2]
        lines.append(f"\nPeak {name}: within 10 % in {share:.0%} of {len(numbers)}; median error {middle:.1%}.")
    print("\n".join(lines[-2:]))
    if given.write:
        given.write.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
