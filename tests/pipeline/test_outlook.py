"""`danlu plan`: what it foretells of every tiny recipe, and that foretelling changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from danlu.pipeline.execute import execute
from danlu.pipeline.plan import make_plan
from danlu.pipeline.stages import training_input
from danlu.recipe import UserError, load_recipe
from danlu.runs import Workspace
from danlu.training import pace
from danlu.training.outlook import look_ahead
from danlu.training.pace import Pace
from danlu.training.watchdog import BadStep
from tests.test_cli import call

TINY = sorted((Path(__file__).parents[2] / "recipes" / "tiny").glob("*.yaml"))


def plan(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setenv("DANLU_LANG", "en")
    monkeypatch.setenv("COLUMNS", "200")
    return call(monkeypatch, *arguments)


def files(folder: Path) -> list[Path]:
    """All but those of the database, which come and go."""
    return sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("danlu."))


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_every_recipe_is_timed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(load_recipe(path), Workspace(tmp_path), until="data")
    before = files(tmp_path)
    assert plan(monkeypatch, "--workspace", str(tmp_path), "plan", str(path)) == 0
    said = capsys.readouterr().out
    found = re.search(r"about (\d\.\d) s an epoch, (\d\.\d) s in all, .* \(([\d,]+) tokens/s in (\d) steps tried", said)
    assert found and int(found[3].replace(",", "")) > 0 and int(found[4]) >= 1, said
    assert files(tmp_path) == before


def test_no_step_is_tried_where_nobody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    assert plan(monkeypatch, "--workspace", str(tmp_path), "plan", str(recipe)) == 0
    assert "danlu data" in capsys.readouterr().out
    execute(load_recipe(recipe), Workspace(tmp_path), until="data")
    monkeypatch.setattr("danlu.training.outlook.measure_pace", lambda *given: pytest.fail("timed"))
    assert plan(monkeypatch, "--workspace", str(tmp_path), "plan", "--no-time", str(recipe)) == 0
    said = capsys.readouterr().out
    assert "an epoch," not in said and "peak GiB" in said


def test_nothing_is_tried_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    workspace = Workspace(tmp_path)
    made = execute(load_recipe(recipe), workspace, until="data")
    given = training_input(make_plan(load_recipe(recipe)), made.artifacts["data"].path)
    monkeypatch.setattr("danlu.training.outlook._free", lambda device: 1000)
    found = look_ahead(given, timed=True)
    assert found.advice is None and found.pace is None and found.seconds is None


def test_what_each_core_computes_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of four micro-batches on three threads has three alive at once, and with one micro-batch one."""
    recipe = next(path for path in TINY if path.stem == "lora")
    made = execute(load_recipe(recipe), Workspace(tmp_path), until="data")
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    at_once = {}
    for tokens in (64, 1024):
        changed = load_recipe(recipe, ("train.batch.step_tokens=256", f"train.batch.micro_tokens={tokens}"))
        told = look_ahead(training_input(make_plan(changed), made.artifacts["data"].path))
        at_once[tokens] = told.choices[0].forecast.at_once
    assert at_once == {64: 3, 1024: 1}


def test_a_limit_of_steps_shortens_the_run_and_not_the_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    made = execute(load_recipe(recipe), Workspace(tmp_path), until="data")
    monkeypatch.setattr("danlu.training.outlook.measure_pace", lambda *given: Pace(100.0, 0.0, 3))
    told = {}
    for limit in ("null", "1"):
        changed = load_recipe(recipe, (f"train.max_steps={limit}", "train.epochs=2", "train.batch.step_tokens=100"))
        told[limit] = look_ahead(training_input(make_plan(changed), made.artifacts["data"].path), timed=True)
    whole, cut = told["null"], told["1"]
    assert cut.steps == 1 < whole.steps
    assert whole.epoch_seconds == pytest.approx(whole.tokens / 100) == pytest.approx(cut.epoch_seconds)
    assert whole.seconds == pytest.approx(2 * whole.tokens / 100)
    assert cut.seconds == pytest.approx(2 * whole.tokens / 100 / whole.steps)


def test_updates_count_beside_tokens() -> None:
    assert Pace(50.0, 0.5, 3).seconds(1000, 8) == pytest.approx(24.0)


def test_a_step_that_training_would_refuse_is_timed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    made = execute(load_recipe(recipe), Workspace(tmp_path), until="data")

    def bad(*given: object) -> None:
        raise BadStep("loss", "is not a number")

    monkeypatch.setattr(pace, "update", bad)
    found = look_ahead(training_input(make_plan(load_recipe(recipe)), made.artifacts["data"].path), timed=True)
    assert found.pace is not None and found.pace.tokens_per_second > 0


def test_a_rate_out_of_bounds_is_told_when_training_starts(tmp_path: Path) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    told: list[dict[str, object]] = []
    changed = load_recipe(recipe, ("train.optimizer.learning_rate=0.5", "train.max_steps=1"))
    execute(changed, Workspace(tmp_path), until="train", on_event=told.append)
    (found,) = [event for event in told if event.get("kind") == "learning_rate"]
    assert "0.5 is above the sane range" in str(found["reason"])
    told.clear()
    execute(load_recipe(recipe, ("train.max_steps=1",)), Workspace(tmp_path), until="train", on_event=told.append)
    assert not [event for event in told if event.get("kind") == "learning_rate"]


PREFIX = "train.method={type: prefix}"
RATES = "train.optimizer.rates=[{pattern: '*.nowhere.*', factor: 2}]"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((PREFIX, "train.checkpointing=full"), "cannot compute inner states again"),
        (("data.split.validation=0", "train.early_stopping.patience=2"), "there are no validation rows"),
        (("train.early_stopping.metric=validation_accuracy",), "validation reports no 'validation_accuracy'"),
        ((RATES,), "no parameter that trains matches"),
        (("data.max_tokens=33", "data.on_too_long=truncate"), "end-of-turn never learned"),
        (("train.gpu.compile=true",), "needs a CUDA GPU"),
    ],
    ids=["checkpointing", "validation", "metric", "rates", "ends", "gpu"],
)
def test_what_training_refuses_is_refused_by_the_plan(changes: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    changed, workspace = load_recipe(recipe, changes), Workspace(tmp_path)
    made = execute(changed, workspace, until="data")
    with pytest.raises(UserError, match=reason) as planned:
        look_ahead(training_input(make_plan(changed), made.artifacts["data"].path))
    with pytest.raises(UserError, match=reason) as trained:
        execute(changed, workspace, until="train")
    assert str(planned.value) == str(trained.value)


def test_answers_that_are_cut_off_are_told_of(tmp_path: Path) -> None:
    recipe = next(path for path in TINY if path.stem == "lora")
    changed = load_recipe(recipe, ("data.max_tokens=46", "data.on_too_long=truncate", "train.max_steps=1"))
    told: list[dict[str, object]] = []
    made = execute(changed, Workspace(tmp_path), until="train", on_event=told.append)
    (found,) = [str(event["reason"]) for event in told if event.get("kind") == "end_of_turn"]
    assert found.startswith("3 of 7 training examples are cut off before their end of turn")
    assert look_ahead(training_input(make_plan(changed), made.artifacts["data"].path)).warnings == (found,)
