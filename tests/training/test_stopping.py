"""Early stopping: which validation is the best, when patience ends, and the same after a resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from danlu.recipe.errors import UserError
from danlu.recipe.faults import EarlyStoppingSection
from danlu.training import loop
from danlu.training.checkpoint import checkpoints
from danlu.training.history import read_history
from danlu.training.loop import Schedule, train
from danlu.training.method import trainable
from danlu.training.state import TrainingState
from danlu.training.stopping import Stopping
from tests.training.making import made_samples, make_job, section, timeless


def seen(config: EarlyStoppingSection, values: list[float]) -> tuple[int | None, int | None]:
    """Best step, and the step it ends at, of validations after steps 1, 2, ..."""
    stopping = Stopping(config)
    for step, value in enumerate(values, 1):
        stopping.see(step, {config.metric: value})
        if stopping.now:
            return stopping.best_step, step
    return stopping.best_step, None


@pytest.mark.parametrize(
    ("fields", "values", "expected"),
    [
        ({"patience": 2}, [3.0, 2.0, 2.5, 2.1, 1.0], (2, 4)),
        ({"patience": 3}, [3.0, 2.0, 2.5, 2.1, 1.0], (5, None)),
        ({"patience": 1}, [3.0, 3.0], (1, 2)),
        ({"patience": 1, "min_delta": 0.5}, [3.0, 2.4, 1.9], (2, 3)),  # exactly the delta is not more than it
        ({"patience": 1, "metric": "accuracy"}, [0.3, 0.4, 0.2], (2, 3)),
        ({"patience": 1, "metric": "perplexity"}, [9.0, 8.0, 8.5], (2, 3)),
        ({"patience": 1, "metric": "regret", "mode": "min"}, [0.3, 0.2, 0.4], (2, 3)),
        ({"patience": 2}, [float("nan"), 2.0, float("nan"), float("inf")], (2, 4)),
    ],
)
def test_best_and_end(fields: dict[str, Any], values: list[float], expected: tuple[int | None, int | None]) -> None:
    assert seen(EarlyStoppingSection.model_validate(fields), values) == expected


def test_without_a_section_it_never_ends_but_knows_the_best() -> None:
    stopping = Stopping(None)
    for step in range(1, 50):
        stopping.see(step, {"validation_loss": float(step)})
    assert not stopping.now and not stopping.restores and stopping.best_step == 1


def test_its_state_goes_through_json() -> None:
    config = EarlyStoppingSection(patience=2)
    one, other = Stopping(config), Stopping(config)
    one.see(1, {"validation_loss": 0.1 + 0.2})
    one.see(2, {"validation_loss": 1.0})
    other.load(json.loads(json.dumps(one.state())))
    other.see(3, {"validation_loss": 0.1 + 0.2})
    assert other.now and other.best_step == 1


def test_an_unknown_metric_is_refused_before_training_with_the_known_ones(tiny_folder: Path, tmp_path: Path) -> None:
    config = section(early_stopping={"metric": "validation_los"})
    with pytest.raises(UserError, match="no 'validation_los'") as error:
        train(make_job(tiny_folder, tmp_path, config, made_samples(4), validation=made_samples(2)))
    assert "validation_loss" in error.value.fix and error.value.where == "train.early_stopping.metric"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fields", [{"early_stopping": {}}, {"checkpoints": {"keep_best": True}}])
def test_without_validation_rows_it_is_refused_before_training(
    tiny_folder: Path, tmp_path: Path, fields: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match="no validation rows"):
        train(make_job(tiny_folder, tmp_path, section(**fields), made_samples(4)))
    assert not list(tmp_path.iterdir())


def test_two_rhythms_are_refused() -> None:
    with pytest.raises(ValidationError, match="give one of them"):
        section(validate_every=3, validate_every_epochs=0.5)


@pytest.mark.parametrize(
    ("every", "epochs", "expected"), [(0.5, 2, 4), (0.25, 1, 4), (1.0, 3, 3), (2.0, 5, 3), (1.5, 3, 2), (0.1, 1, 10)]
)
def test_validation_at_parts_of_an_epoch(
    tiny_folder: Path, tmp_path: Path, every: float, epochs: int, expected: int
) -> None:
    config = section(validate_every_epochs=every, epochs=epochs, batch={"step_tokens": 1, "micro_tokens": 1})
    job = make_job(tiny_folder, tmp_path, config, made_samples(20), validation=made_samples(1))
    schedule = Schedule(job)
    assert schedule.total == 20 * epochs  # a step for each row
    steps = [number + 1 for number in range(schedule.total) if schedule.validates_after(number)]
    # 20 rows an epoch: counted in rows, and the end always
    wanted = {s for s in range(1, 20 * epochs + 1) if s * 1000 % round(20 * every * 1000) == 0} | {20 * epochs}
    assert steps == sorted(wanted) and len(steps) == expected


def scripted(monkeypatch: pytest.MonkeyPatch, losses: dict[int, float]) -> None:
    """Validation after a step gives what the table says."""
    monkeypatch.setattr(loop, "validate", lambda job, step, memory: {"validation_loss": losses[step]})


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize("ema", [None, 0.7])
def test_the_best_model_is_what_training_gives(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restore_best: bool, ema: float | None
) -> None:
    scripted(monkeypatch, {2: 5.0, 4: 3.0, 6: 4.0, 8: 3.5, 10: 1.0})
    optimizer = {"learning_rate": 5e-3, "ema": ema}
    held_out, samples = made_samples(2, seed=8), made_samples(30)

    def run(name: str, **fields: Any) -> Any:
        config = section(validate_every=2, epochs=5, optimizer=optimizer, **fields)
        job = make_job(tiny_folder, tmp_path / name, config, samples, validation=held_out)
        outcome = train(job)
        return outcome, {name: p.detach().clone() for name, p in trainable(job.model).items()}

    early = {"patience": 2, "restore_best": restore_best}
    outcome, weights = run("stopped", early_stopping=early, checkpoints={"every": 1, "keep": 1})
    assert (outcome.step, outcome.stopped_early, outcome.best_step) == (8, True, 4)
    assert outcome.result_step == (4 if restore_best else 8)
    kept = [path.name for path in checkpoints(tmp_path / "stopped")]
    assert kept == (["step-00000004", "step-00000008"] if restore_best else ["step-00000008"])
    reference = section(validate_every=2, epochs=5, optimizer=optimizer)
    job = make_job(tiny_folder, tmp_path / "reference", reference, samples)
    found: dict[int, dict[str, torch.Tensor]] = {}
    inner = TrainingState.done

    def done(state: Any, record: dict[str, Any]) -> None:
        inner(state, record)
        with state.average.in_place():
            found[record["step"]] = {name: p.detach().clone() for name, p in trainable(job.model).items()}

    monkeypatch.setattr(TrainingState, "done", done)
    train(job)
    expected = found[outcome.result_step]
    assert all(torch.equal(weights[name], expected[name]) for name in weights)


def test_a_resumed_run_stops_at_the_same_step(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, {1: 2.0, 2: 1.0, 3: 1.5, 4: 1.4, 5: 1.3, 6: 0.5, 7: 0.4, 8: 0.3})
    config = section(validate_every=1, epochs=9, early_stopping={"patience": 3}, checkpoints={"every": 2})

    class Cut(Exception):
        pass

    for cut in (3, 4, None):

        def on_event(event: dict[str, Any], cut: int | None = cut) -> None:
            if event["event"] == "step" and event["step"] == cut:
                raise Cut

        job = make_job(
            tiny_folder, tmp_path, config, made_samples(12), validation=made_samples(1, seed=8), on_event=on_event
        )
        if cut is not None:
            with pytest.raises(Cut):
                train(job)
            continue
        outcome = train(job)
    assert (outcome.step, outcome.best_step, outcome.stopped_early) == (5, 2, True)
    assert [record["step"] for record in timeless(tmp_path)] == [1, 2, 3, 4, 5]
    assert len(read_history(tmp_path / "history.jsonl")) == 5
