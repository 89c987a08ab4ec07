"""Runs that were stopped: booked as interrupted, gone on with by default, started over when told; what is on record."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from danlu import cli
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.trained import load_trained
from danlu.pipeline.execute import execute
from danlu.recipe import parse_recipe
from danlu.recipe.errors import Interrupted
from danlu.runs import Workspace, read_events
from danlu.training.history import read_history


def stop_after(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """SIGTERM comes as this step's line is written."""
    from danlu.training.keeping import Keeper

    inner = Keeper.record

    def record(self: Keeper, line: dict[str, Any]) -> None:
        inner(self, line)
        if line["step"] == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Keeper, "record", record)


def test_a_stopped_run_is_booked_and_gone_on_with(
    recipe_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, workspace = parse_recipe(recipe_text), Workspace(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stop_after(patch, 2)
        execute(recipe, workspace, until="train", command="train")
    (row,) = workspace.registry.runs()
    assert row.status == "interrupted" and row.error and "after step 3 of 4" in row.error
    events = list(read_events(workspace.run_folder(row.id).events))
    assert events[-1]["event"] == "interrupted" and "after step 3 of 4" in events[-1]["reason"]
    result = execute(recipe, workspace, until="train", command="train")
    told = [event for event in read_events(result.run.events) if event["event"] == "training"]
    assert told[0]["resumed_at"] == 3
    facts = result.artifacts["train"].facts
    assert facts["steps"] == 4 and facts["determinism"]["deterministic"] and facts["skipped"] == []
    assert not any((tmp_path / "work").iterdir())


def test_the_command_exits_with_0_and_says_how_to_go_on_and_fresh_starts_over(
    recipe_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")
    file = tmp_path / "my recipe.yaml"
    file.write_text(recipe_text, encoding="utf-8")

    def call(*more: str) -> int:
        arguments = ["--workspace", str(tmp_path / "ws"), "train", str(file), *more]
        monkeypatch.setattr(sys, "argv", ["danlu", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)

    for more, last in (((), 2), (("--fresh",), 1)):
        with monkeypatch.context() as patch:
            stop_after(patch, last)
            assert call(*more) == 0
        error = capsys.readouterr().err
        assert f"stopped by SIGTERM after step {last + 1} of 4" in error
        again = error.strip().splitlines()[-1]
        assert again == f"  go on with: danlu --workspace {tmp_path}/ws train '{file}'"
    (history,) = (tmp_path / "ws").glob("work/*/history.jsonl")
    assert [record["step"] for record in read_history(history)] == [1, 2]  # and not 1 to 3 of the first


def stopped_at_3(recipe_text: str, place: Path, monkeypatch: pytest.MonkeyPatch, *fields: str) -> tuple[Any, Path]:
    """A call that goes on with a run stopped after step 3 of 4, and the folder of what it has so far."""
    recipe, workspace = parse_recipe(recipe_text, [f"train.{field}" for field in fields]), Workspace(place)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stop_after(patch, 2)
        execute(recipe, workspace, until="train", command="train")
    (work,) = workspace.root.glob("work/trained-*")
    return lambda: execute(recipe, workspace, until="train", command="train"), work


@pytest.mark.parametrize("damage", ["byte", "gone"])
def test_a_damaged_history_does_not_cost_the_model(
    damage: str, recipe_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, work = stopped_at_3(recipe_text, tmp_path / "damaged", monkeypatch)
    content = (work / "history.jsonl").read_bytes()
    if damage == "byte":
        (work / "history.jsonl").write_bytes(b"\xff" + content[1:])
    else:
        (work / "history.jsonl").unlink()
    result = finish()
    reasons = [event["reason"] for event in read_events(result.run.events) if event["event"] == "fault"]
    said = {"byte": "history.jsonl has damaged lines (1)", "gone": "history.jsonl is shorter"}[damage]
    assert len(reasons) == 1 and reasons[0].startswith(said)
    trained, left = result.artifacts["train"], {"byte": [2, 3, 4], "gone": [4]}[damage]
    assert [record["step"] for record in read_history(trained.path / "history.jsonl")] == left
    whole = execute(parse_recipe(recipe_text), Workspace(tmp_path / "whole"), until="train").artifacts["train"]
    assert trained.facts["final_loss"] == whole.facts["final_loss"]
    names = [path.name for path in whole.path.glob("*.safetensors")]
    assert names and all((trained.path / name).read_bytes() == (whole.path / name).read_bytes() for name in names)


def test_a_damaged_checkpoint_that_was_kept_costs_only_its_own_model(
    recipe_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = "checkpoints.keep_every=1"
    finish, work = stopped_at_3(recipe_text, tmp_path / "damaged", monkeypatch, every)
    os.truncate(work / "step-00000001" / "optimizer.pt", 100)
    result = finish()
    (reason,) = [event["reason"] for event in read_events(result.run.events) if event["event"] == "fault"]
    assert reason.startswith("step-00000001 is damaged (optimizer.pt") and "before" not in reason
    assert "kept/step-00000001 is left out" in reason
    trained, left = result.artifacts["train"], ["step-00000002", "step-00000003", "step-00000004"]
    assert list(trained.facts["kept"]) == left == sorted(path.name for path in (trained.path / "kept").iterdir())
    whole = execute(parse_recipe(recipe_text, [f"train.{every}"]), Workspace(tmp_path / "whole"), until="train")
    expected = whole.artifacts["train"].path
    for folder in ("", *(f"kept/{name}" for name in left)):
        (weights,) = (trained.path / folder).glob("*.safetensors")
        assert weights.read_bytes() == (expected / folder / weights.name).read_bytes()


def test_two_runs_of_one_recipe_make_the_same_files(recipe_text: str, tmp_path: Path) -> None:
    sums, losses = [], []
    for name in ("one", "other"):
        result = execute(parse_recipe(recipe_text), Workspace(tmp_path / name), until="train", command="train")
        trained = result.artifacts["train"].path
        sums.append((trained / "adapter_model.safetensors").read_bytes())
        losses.append([record["loss"] for record in read_history(trained / "history.jsonl")])
    assert losses[0] == losses[1] and sums[0] == sums[1]


def test_kept_models_load_and_are_those_of_their_steps(recipe_text: str, base_folder: Path, tmp_path: Path) -> None:
    import torch

    def trained(name: str, *fields: str) -> tuple[Path, dict[str, Any]]:
        recipe = parse_recipe(recipe_text, [f"train.{field}" for field in fields])
        artifact = execute(recipe, Workspace(tmp_path / name), until="train", command="train").artifacts["train"]
        return artifact.path, dict(artifact.facts)

    every = ("checkpoints.keep_every=2", "checkpoints.keep_best=true", "validate_every=1", "optimizer.ema=0.5")
    folder, facts = trained("kept", "optimizer.learning_rate=1.0", *every)  # so high that the first is the best
    best = facts["best_step"]
    assert best < 4
    assert facts["kept"] == {"step-00000002": 2, "step-00000004": 4, "best": best} and facts["result_step"] == 4
    base = ModelFolder(str(base_folder), base_folder, fingerprint(base_folder))

    def weights(path: Path) -> dict[str, torch.Tensor]:
        model = load_trained(path, base, dtype=torch.float32)
        return {name: value for name, value in model.state_dict().items() if "lora" in name}

    last, fourth, second = (weights(folder / name) for name in (".", "kept/step-00000004", "kept/step-00000002"))
    assert last and all(torch.equal(value, fourth[name]) for name, value in last.items())
    assert any(not torch.equal(value, second[name]) for name, value in last.items())
    early = ("early_stopping.patience=4", "validate_every=1", "optimizer.ema=0.5", "optimizer.learning_rate=1.0")
    restored, told = trained("early", *early)
    assert told["best_step"] == best and told["result_step"] == best
    wanted = weights(restored)
    assert all(torch.equal(value, wanted[name]) for name, value in weights(folder / "kept/best").items())
