"""A whole run: made once, reused, partly made again, healed, shared by two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from danlu.pipeline import plan
from danlu.pipeline.execute import RunResult, execute
from danlu.pipeline.plan import ADDED, READS, make_plan
from danlu.pipeline.stages import STAGES
from danlu.recipe import Recipe, UserError, parse_recipe
from danlu.runs import Workspace, read_events


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One workspace for the tests that build on each other."""
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def first(workspace: Workspace, recipe: Recipe) -> RunResult:
    """The first run of the recipe."""
    return execute(recipe, workspace)


def statuses(result: RunResult) -> dict[str, str]:
    """Stage name to what became of it."""
    return {stage.name: stage.status for stage in result.stages}


def changed(recipe_text: str, *overrides: str) -> Recipe:
    """The recipe with fields set."""
    return parse_recipe(recipe_text, overrides)


def test_first_run_makes_everything(first: RunResult, workspace: Workspace) -> None:
    assert set(statuses(first).values()) == {"made"}
    assert list(statuses(first)) == ["data", "train", "evaluate_base", "evaluate", "export"]
    assert first.version == "tiny@1"
    assert {c.metric for c in first.comparisons} == {"perplexity", "bleu", "rouge"}
    assert all(c.low <= c.difference <= c.high for c in first.comparisons)
    page = first.run.report.read_text(encoding="utf-8")
    assert "tiny" in page and "</html>" in page
    events = [event["event"] for event in read_events(first.run.events)]
    assert events.count("step") == 4 and events[-1] == "done"
    assert workspace.registry.run(first.run.id)[0].status == "done"
    assert first.artifacts["data"].facts["fates"]["dropped"] == 1
    assert first.artifacts["export"].facts["top1"] >= 0.98


def test_running_again_does_nothing(first: RunResult, workspace: Workspace, recipe: Recipe) -> None:
    again = execute(recipe, workspace)
    assert again.nothing_done
    assert again.run == first.run, "no new run is booked"
    assert again.version == "tiny@1"
    assert [c.difference for c in again.comparisons] == [c.difference for c in first.comparisons]


def test_changing_evaluate_does_not_retrain(first: RunResult, workspace: Workspace, recipe_text: str) -> None:
    result = execute(changed(recipe_text, "evaluate.max_new_tokens=5"), workspace)
    made = {name for name, status in statuses(result).items() if status == "made"}
    assert made == {"evaluate_base", "evaluate"}
    assert result.version == "tiny@1", "the export is the same one"


def test_changing_rank_keeps_the_data(first: RunResult, recipe_text: str, recipe: Recipe) -> None:
    before, after = make_plan(recipe), make_plan(changed(recipe_text, "train.method.rank=8"))
    same = {b.name for b, a in zip(before.stages, after.stages, strict=True) if b.key == a.key}
    assert same == {"data", "evaluate_base"}


def test_a_corrupt_artifact_is_made_again(first: RunResult, workspace: Workspace, recipe: Recipe) -> None:
    folder = first.artifacts["data"].path
    damaged = folder / "rows.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    fresh = Workspace(workspace.root)
    result = execute(recipe, fresh)
    assert statuses(result)["data"] == "made"
    assert statuses(result)["train"] == "reused"
    assert list(folder.parent.glob("*.corrupt"))


@pytest.mark.parametrize(
    ("override", "remade"),
    [
        ("data.max_tokens=199", {"data", "train", "evaluate_base", "evaluate", "export"}),
        ("seed=4", {"train", "evaluate_base", "evaluate", "export"}),
        ("train.method.rank=8", {"train", "evaluate", "export"}),
        ("train.gpu.attention=sdpa", {"train", "evaluate", "export"}),
        ("train.gpu.attention=auto", set()),
        ("train.optimizer.offload=true", {"train", "evaluate", "export"}),
        ("train.optimizer.offload=false", set()),
        ("evaluate.max_rows=5", {"evaluate_base", "evaluate"}),
        ("export.dtype=bf16", {"export"}),
        ("train.checkpoints.every=7", set()),
        ("serve.port=1234", set()),
        ("name=other", set()),
        ("track=[{type: wandb}]", set()),
    ],
)
def test_a_key_moves_with_the_fields_a_stage_reads(recipe_text: str, override: str, remade: set[str]) -> None:
    assert set(READS) == set(STAGES)
    before, after = make_plan(changed(recipe_text)), make_plan(changed(recipe_text, override))
    assert {b.name for b, a in zip(before.stages, after.stages, strict=True) if b.key != a.key} == remade


def test_a_field_added_later_leaves_the_keys_of_before(recipe_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = make_plan(changed(recipe_text))
    older = {stage: tuple(name for name in names if name not in ADDED) for stage, names in READS.items()}
    monkeypatch.setattr(plan, "READS", older)
    assert [stage.key for stage in now.stages] == [stage.key for stage in make_plan(changed(recipe_text)).stages]
    section = {"type": "adamw", "epsilon": 1e-8}
    assert plan._counted({"train.optimizer": section | {"offload": False}}) == {"train.optimizer": section}
    away = {"train.optimizer": section | {"offload": True}}
    assert plan._counted(away) == away


def test_missing_source_is_the_users_error(recipe_text: str, tmp_path: Path) -> None:
    recipe = changed(recipe_text, f"data.sources.0.path={tmp_path}/none.jsonl")
    with pytest.raises(UserError, match=r"no file .*none\.jsonl"):
        execute(recipe, Workspace(tmp_path))


def test_a_failed_stage_is_booked_and_leaves_nothing_half(recipe_text: str, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    recipe = changed(recipe_text, "data.max_tokens=8")
    with pytest.raises(UserError, match="rows are too long"):
        execute(recipe, workspace)
    (row,) = workspace.registry.runs()
    assert row.status == "failed" and row.error and "too long" in row.error
    assert not list(workspace.root.glob("artifacts/*/*.tmp"))
    assert not list(workspace.root.glob("artifacts/*/*/manifest.json"))


def test_two_processes_share_the_work(recipe_text: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe_text, encoding="utf-8")
    command = [sys.executable, "-m", "danlu", "--workspace", str(tmp_path / "ws"), "train", str(file)]
    environment = {**os.environ, "DANLU_LANG": "en"}
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in "ab"
    ]
    outputs = [process.communicate(timeout=240)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    workspace = Workspace(tmp_path / "ws")
    found: list[Any] = []
    for row in workspace.registry.runs():
        found += [(artifact.stage, artifact.status) for artifact in workspace.registry.run(row.id)[1]]
    assert sorted(found) == [("data", "made"), ("data", "reused"), ("train", "made"), ("train", "reused")]


def test_lineage_is_on_the_manifests(first: RunResult) -> None:
    manifest = json.loads((first.artifacts["export"].path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["trained"] == first.artifacts["train"].key
    assert manifest["inputs"]["dataset"] == first.artifacts["data"].key
    assert manifest["versions"]["torch"]
