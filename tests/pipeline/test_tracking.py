"""Whole runs with a tracker: what it holds at the end, after an interruption, and when it is broken."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models import device
from danlu.pipeline import tracking
from danlu.pipeline.execute import RunResult, execute
from danlu.recipe import Recipe, UserError, parse_recipe
from danlu.runs import Workspace, read_events
from danlu.training.history import read_history
from tests.pipeline.trackers.fakes import Store, install


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A stand-in for wandb."""
    monkeypatch.setattr(tracking, "FIRST_WAIT", 0.01)
    found = Store()
    install("wandb", found, monkeypatch)
    return found


@pytest.fixture
def tracked(recipe_text: str) -> Recipe:
    """The tiny recipe, tracked."""
    return parse_recipe(recipe_text, ["track=[{type: wandb}]"])


def test_an_interrupted_run_ends_in_one_tracker_run(
    store: Store, tracked: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    measured, seen = device.memory_in_use, [0]

    def rising(where: torch.device) -> int:
        """Memory may fall between two steps; where it does not, the last is the peak."""
        seen.append(max(seen[-1] + 1, measured(where)))
        return seen[-1]

    monkeypatch.setattr(device, "memory_in_use", rising)

    def interrupt(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(tracked, workspace, on_event=interrupt)
    result = execute(tracked, workspace)
    (run,) = store.runs.values()
    history = [json.loads(line) for line in (result.artifacts["train"].path / "history.jsonl").read_text().splitlines()]
    assert run.curves["train/loss"] == [(record["step"], record["loss"]) for record in history]
    assert len(history) == 4 and run.statuses == ["failed", "done"] and run.opened == 2
    assert run.curves["evaluation/perplexity"][0][1] == result.comparisons[0].tuned.value
    assert run.texts["model"] == "tiny@1" and run.texts["report"] == str(result.run.report)
    assert run.config["train"]["method"]["rank"] == 4
    assert run.curves["train/memory"][-1][1] == result.artifacts["train"].facts["memory"] > 1e6
    assert not list(workspace.root.glob("work/*/")), "nothing is left behind"


def test_a_broken_tracker_changes_nothing_but_the_books(
    store: Store, tracked: Recipe, recipe: Recipe, tmp_path: Path
) -> None:
    store.broken = True
    result = execute(tracked, Workspace(tmp_path), until="train")
    plain = execute(recipe, Workspace(tmp_path), until="train")
    assert plain.artifacts["train"].path == result.artifacts["train"].path, "the same training, made once"
    faults = [event["reason"] for event in read_events(result.run.events) if event["event"] == "fault"]
    assert any("tracker wandb" in reason and "no route to host" in reason for reason in faults)
    assert result.artifacts["train"].facts["steps"] == 4 and not store.runs


def test_a_missing_package_is_told_before_anything_is_done(
    tracked: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="needs the package 'wandb'"):
        execute(tracked, Workspace(tmp_path))
    assert not list(tmp_path.glob("runs/*")) and not list(tmp_path.glob("artifacts/*"))


@pytest.mark.parametrize("until", ["train", "export"])
def test_a_tracker_added_to_a_run_that_is_done_gets_the_whole_curve_once(
    store: Store, tracked: Recipe, recipe: Recipe, recipe_text: str, tmp_path: Path, until: str
) -> None:
    workspace = Workspace(tmp_path)

    def again(recipe: Recipe) -> RunResult:
        return execute(recipe, workspace, until=until, command=until)

    first = again(recipe)
    assert not store.runs and not first.told
    added = again(tracked)
    assert added.told == ("wandb",) and added.nothing_done and added.run != first.run
    (run,) = store.runs.values()
    history = read_history(first.artifacts["train"].path / "history.jsonl")
    assert run.curves["train/loss"] == [(record["step"], record["loss"]) for record in history] and len(history) == 4
    assert run.statuses == ["done"] and bool(run.texts.get("model")) == (until == "export")
    assert again(tracked).run == again(recipe).run == added.run and len(store.runs) == 1, "told once"
    both = parse_recipe(recipe_text, ["track=[{type: wandb}, {type: tensorboard}]"])
    assert again(both).told == ("tensorboard",) and len(store.runs) == 1
    assert len(list(tmp_path.glob("tracking/tensorboard/*/events.*"))) == 1
    assert not again(tracked).told and not again(both).told and len(store.runs) == 1


def test_data_alone_have_nothing_to_track(tracked: Recipe, recipe: Recipe, tmp_path: Path) -> None:
    first = execute(recipe, Workspace(tmp_path), until="data", command="data")
    assert execute(tracked, Workspace(tmp_path), until="data", command="data").run == first.run


def test_a_package_that_is_missing_is_told_of_a_run_that_is_done_too(
    tracked: Recipe, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    execute(recipe, workspace, until="train")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="needs the package 'wandb'"):
        execute(tracked, workspace, until="train")


def test_a_tracker_stands_once_in_a_recipe(recipe_text: str) -> None:
    with pytest.raises(UserError, match="'wandb' stands twice"):
        parse_recipe(recipe_text, ["track=[{type: wandb}, {type: wandb, mode: online}]"])


def test_a_folder_is_relative_to_the_recipe(recipe_text: str, tmp_path: Path) -> None:
    found = parse_recipe(recipe_text, ["track=[{type: tensorboard, folder: boards}]"], folder=tmp_path)
    assert found.model_dump()["track"][0]["folder"] == str(tmp_path / "boards")
