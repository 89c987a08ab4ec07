"""Every shipped recipe loads; the tiny ones run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from danlu.pipeline.display import outcome
from danlu.pipeline.execute import RunResult, execute
from danlu.pipeline.served import find_model
from danlu.recipe import load_recipe
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import has_head
from danlu.runs import Workspace

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*ROOT.glob("recipes/**/*.yaml"), ROOT / "src/danlu/pipeline/starter/recipe.yaml"])
TINY = sorted(ROOT.glob("recipes/tiny/*.yaml"))


def test_there_are_recipes() -> None:
    assert len(TINY) >= 3 and len(SHIPPED) >= 6


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_recipe_loads(path: Path) -> None:
    assert load_recipe(path).name


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_tiny_recipe_runs(path: Path, tmp_path: Path) -> None:
    result = execute(load_recipe(path), Workspace(tmp_path))
    assert result.version == f"{result.plan.recipe.name}@1"
    assert result.artifacts["train"].facts["steps"] == 2
    assert result.run.report.is_file()
    assert result.artifacts["export"].facts["top1"] >= 0.98
    _assert_it_says_how_good_it_is(result, Workspace(tmp_path))


def _assert_it_says_how_good_it_is(result: RunResult, workspace: Workspace) -> None:
    """In the terminal, in the registry and in the report; and it offers to chat where the model can."""
    objective = result.plan.recipe.train.objective
    said = "\n".join(part for part in outcome(result) if isinstance(part, str))
    figures = result.artifacts["train"].facts["test"]
    shown = objective.type != "sft"  # whose loss the evaluation says as perplexity
    assert ("held-out rows: " in said) == shown
    scores = workspace.registry.model(result.plan.recipe.name).scores
    assert (set(figures) <= set(scores)) == shown
    assert ("danlu chat" in said) != has_head(objective)
    if has_head(objective):
        assert re.search(r"accuracy [01]\.\d+ \(95 % interval [01]\.\d+ to [01]\.\d+, \d+ rows\)", said)
        assert "accuracy" in result.run.report.read_text(encoding="utf-8")
        with pytest.raises(UserError, match="numbers of a head"):
            find_model(None, workspace)
    else:
        assert find_model(None, workspace).name == result.version
