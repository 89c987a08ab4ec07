"""What every optimizer of the table promises: it learns, decays what it should, and resumes bit for bit.

`python -m tests.contracts.test_optimizers BASE ROOT NAME...` ends the runs ROOT/NAME in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from danlu.recipe import train as recipe
from danlu.recipe.optimizer import Optimizer, default_learning_rate, rate_warning
from danlu.training.checkpoint import Progress, checkpoints
from danlu.training.history import read_history
from danlu.training.loop import train
from danlu.training.method import trainable
from danlu.training.optimizer import make_optimizer
from danlu.training.optimizers import OPTIMIZERS
from tests.tiny import build_tiny_model
from tests.training.making import made_samples, make_job, restored, saved, section

ROOT = Path(__file__).parents[2]
PACKAGES = {"adamw_8bit": "bitsandbytes", "schedule_free": "schedulefree"}
METHODS = ("full", "lora")
RATES = {"full": 1e-3, "lora": 1e-2}
STEPS, STOP = 9, 5


class Stopped(Exception):
    """The run was cut off here."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums are split over threads: processes that are compared use one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def installed() -> list[str]:
    """The types whose package is there."""
    import importlib.util

    return [kind for kind in sorted(OPTIMIZERS) if importlib.util.find_spec(PACKAGES.get(kind, "torch")) is not None]


@pytest.fixture(params=sorted(OPTIMIZERS))
def kind(request: pytest.FixtureRequest) -> str:
    if request.param not in installed():
        pytest.skip(f"{PACKAGES[request.param]} is not installed")
    return str(request.param)


def config(kind: str, **fields: Any) -> Any:
    return TypeAdapter(Optimizer).validate_python({"type": kind, "learning_rate": 1e-2, **fields})


def run(kind: str, method: str, base: Path, work: Path, stop: int | None = None, **fields: Any) -> torch.nn.Module:
    """A run with everything that has a state: dropout, validation, an average; cut off after `stop` steps."""

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == stop:
            raise Stopped

    dropout = {"rank": 4, "dropout": 0.2} if method == "lora" else {}
    optimizer = {"type": kind, "learning_rate": RATES[method], "weight_decay": 0.1, "warmup": 2}
    if kind != "schedule_free":
        optimizer |= {"schedule": "wsd", "wsd_decay": 0.4, "ema": 0.8}
    given = {
        "method": {"type": method, **dropout},
        "optimizer": optimizer,
        "epochs": 9,
        "max_steps": STEPS,
        "validate_every": 2,
        "checkpoints": {"every": 3},
    }
    config = section(**{**given, **fields})
    job = make_job(
        base,
        work,
        config,
        made_samples(18, longest=20),
        validation=made_samples(2, seed=8, longest=20),
        on_event=on_event,
    )
    train(job)
    save_file({n: p.detach().contiguous() for n, p in trainable(job.model).items()}, work / "final.safetensors")
    return job.model


def end_in_a_new_process(base: Path, root: Path, names: list[str]) -> None:
    command = [sys.executable, "-m", "tests.contracts.test_optimizers", str(base), str(root), *names]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def ended(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every optimizer and method: cut off here after `STOP` steps, ended in one other process."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("cut")
    names = [f"{kind}-{method}" for kind in installed() for method in METHODS]
    for name in names:
        kind, method = name.split("-")
        with pytest.raises(Stopped):
            run(kind, method, base, root / name, stop=STOP)
        assert [path.name for path in checkpoints(root / name)] == ["step-00000000", "step-00000003"]
    end_in_a_new_process(base, root, names)
    return root


def losses(work: Path) -> str:
    """The history without what depends on the clock."""
    records = read_history(work / "history.jsonl")
    return json.dumps([{k: v for k, v in record.items() if k != "tokens_per_second"} for record in records])


# -- the table -------------------------------------------------------------------------------------------------------


def test_the_table_and_the_recipe_name_the_same_optimizers() -> None:
    kinds = {kind for method in recipe.DEFAULT_LEARNING_RATES for kind in OPTIMIZERS if default(method, kind)}
    schema = TypeAdapter(Optimizer).json_schema()["discriminator"]["mapping"]
    assert set(OPTIMIZERS) == kinds == set(schema)


def default(method: str, kind: str) -> Any:
    return default_learning_rate(method, kind)


@pytest.mark.parametrize("method", sorted(recipe.DEFAULT_LEARNING_RATES))
def test_its_default_rate_is_written_into_the_recipe_and_raises_no_warning(method: str, kind: str) -> None:
    made = recipe.TrainSection.model_validate({"method": {"type": method}, "optimizer": {"type": kind}})
    assert made.optimizer.type == kind
    assert made.optimizer.learning_rate == default(method, kind)
    assert rate_warning(method, made.optimizer) is None
    beyond = made.optimizer.model_copy(update={"learning_rate": 1e3})
    assert kind in (rate_warning(method, beyond) or "")


def test_a_section_without_a_type_is_adamw() -> None:
    made = recipe.TrainSection.model_validate({"optimizer": {"learning_rate": 3e-4}})
    assert (made.optimizer.type, made.optimizer.learning_rate) == ("adamw", 3e-4)


# -- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_falls(kind: str, method: str, base: Path, tmp_path: Path) -> None:
    run(kind, method, base, tmp_path, max_steps=25, epochs=20)
    found = [record["loss"] for record in read_history(tmp_path / "history.jsonl")]
    assert sum(found[-5:]) < 0.9 * sum(found[:5])


@pytest.mark.parametrize("method", METHODS)
def test_a_run_ended_in_another_process_equals_the_one_that_was_never_stopped(
    kind: str, method: str, base: Path, tmp_path: Path, ended: Path
) -> None:
    run(kind, method, base, tmp_path)
    cut = ended / f"{kind}-{method}"
    assert losses(cut) == losses(tmp_path) and "validation_loss" in losses(cut)
    assert len(read_history(cut / "history.jsonl")) == STEPS
    assert (cut / "final.safetensors").read_bytes() == (tmp_path / "final.safetensors").read_bytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_goes_on_bit_for_bit_in_either_format(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    def made() -> dict[str, torch.nn.Parameter]:
        torch.manual_seed(1)
        shapes = {"layers.0.w": (64, 80), "layers.0.stack": (3, 8, 6), "embed": (70, 64), "norm": (8,), "v": (1, 9)}
        return {name: torch.nn.Parameter(torch.randn(shape).to(dtype)) for name, shape in shapes.items()}

    def steps(parameters: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, numbers: range) -> None:
        for number in numbers:
            chance = torch.Generator().manual_seed(number)
            for p in parameters.values():
                p.grad = torch.randn(p.shape, generator=chance).to(dtype)
            optimizer.step()

    whole, cut, fresh = made(), made(), made()
    steps(whole, make_optimizer(whole, config(kind, weight_decay=0.1)), range(7))
    first = make_optimizer(cut, config(kind, weight_decay=0.1))
    steps(cut, first, range(4))
    saved(tmp_path, Progress(4, 0), cut, first, 1)
    again = make_optimizer(fresh, config(kind, weight_decay=0.1))
    assert restored(tmp_path, fresh, again, lambda text: pytest.fail(text)) == Progress(4, 0)
    steps(fresh, again, range(4, 7))
    assert all(torch.equal(fresh[name], whole[name]) and fresh[name].dtype == dtype for name in whole)


# -- steps -----------------------------------------------------------------------------------------------------------


def stepped(kind: str, gradient: float, **fields: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Values before and after three steps along one gradient."""
    torch.manual_seed(2)
    shapes = {"layers.0.w": (72, 64), "layers.1.w": (72, 64), "embed": (72, 64), "norm": (72,)}
    parameters = {name: torch.nn.Parameter(torch.randn(shape)) for name, shape in shapes.items()}
    before = {name: p.detach().clone() for name, p in parameters.items()}
    optimizer = make_optimizer(parameters, config(kind, **fields))
    directions = {name: torch.randn_like(p) for name, p in parameters.items()}
    for _ in range(3):
        for name, p in parameters.items():
            p.grad = gradient * directions[name]
        optimizer.step()
    return before, {name: p.detach() for name, p in parameters.items()}


def test_without_a_gradient_only_decay_moves_and_only_matrices(kind: str) -> None:
    before, after = stepped(kind, 0.0, weight_decay=0.5)
    assert torch.equal(after["embed"], before["embed"]) and torch.equal(after["norm"], before["norm"])
    for name in ("layers.0.w", "layers.1.w"):
        # schedule-free moves the point where gradients are taken by a part of the decay only
        assert 0.98 < float(after[name].norm() / before[name].norm()) < 0.9995
    before, after = stepped(kind, 0.0)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_groups_keep_their_own_rates(kind: str) -> None:
    before, after = stepped(kind, 1.0, rates=[{"pattern": "*.1.w", "factor": 1e-3}])
    moved = {name: float((after[name] - before[name]).norm()) for name in before}
    assert 0 < moved["layers.1.w"] < 2e-3 * moved["layers.0.w"]
    assert min(moved["embed"], moved["norm"]) > 0


def test_a_step_at_the_same_rate_has_the_size_of_adamws(kind: str) -> None:
    """So that one rate serves all, and the table of default rates is one column."""
    before, after = stepped(kind, 1.0)
    _, reference = stepped("adamw", 1.0)
    size, usual = (float((end["layers.0.w"] - before["layers.0.w"]).norm()) for end in (after, reference))
    assert 0.1 * usual < size < 2 * usual


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the places where Python reads a number from a tensor: on a GPU it waits there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_a_step_reads_no_number_from_the_device(kind: str) -> None:
    parameter = torch.nn.Parameter(torch.randn(72, 64))
    optimizer = make_optimizer({"layers.0.w": parameter, "norm": torch.nn.Parameter(torch.ones(5))}, config(kind))
    with Waits() as waits:
        for _ in range(2):
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad = torch.ones_like(p)
            optimizer.step()
    assert waits.count == 0


def main(base: str, root: str, *names: str) -> None:
    """End the runs that were cut off."""
    torch.set_num_threads(1)
    for name in names:
        kind, method = name.split("-")
        run(kind, method, Path(base), Path(root) / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
