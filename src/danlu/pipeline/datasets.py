"""Which dataset a person means: a folder, a recipe whose dataset was made, or the first letters of a key."""

from __future__ import annotations

from pathlib import Path

from danlu.data.dataset import ROWS
from danlu.recipe.errors import UserError
from danlu.runs.workspace import Workspace

_RECIPES = (".yaml", ".yml")


def find_dataset(named: Path, root: str) -> Path:
    """The folder of a dataset artifact, in the workspace at `root` where it is named by recipe or key.

    Raises:
        UserError: nothing of that name, a recipe whose dataset is not made, a key that begins several.
    """
    if (named / ROWS).is_file():
        return named
    workspace = Workspace(root)
    if named.is_file() and named.suffix.lower() in _RECIPES:
        return _of_recipe(named, workspace)
    if named.exists():
        fix = "name a recipe, or a folder below artifacts/dataset"
        raise UserError(f"is no dataset: it has no {ROWS}", where=str(named), fix=fix)
    return _of_key(str(named), workspace)


def _of_recipe(file: Path, workspace: Workspace) -> Path:
    from danlu.pipeline.plan import make_plan
    from danlu.recipe import load_recipe

    stage = make_plan(load_recipe(file), "data").stages[0]
    if not stage.is_made(workspace):
        fix = f"danlu data {file}"
        raise UserError("the dataset of this recipe is not made, or not as it stands now", where=str(file), fix=fix)
    return workspace.artifacts.path(stage.kind, stage.key)


def _of_key(key: str, workspace: Workspace) -> Path:
    folder = workspace.artifacts.path("dataset", "x").parent
    found = sorted(
        path for path in folder.glob("*") if path.name.startswith(key) and not path.suffix and (path / ROWS).is_file()
    )
    if len(found) == 1:
        return found[0]
    fix = "name a recipe, a folder below artifacts/dataset, or the first letters of its name"
    reason = f"begins the keys of {len(found)} datasets" if found else "there is no such dataset"
    raise UserError(reason, where=key, fix=fix)
