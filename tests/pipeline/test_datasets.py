"""A dataset is found by its folder, its recipe or the first letters of its key; everything else is said plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.data.dataset import ROWS
from danlu.pipeline.datasets import find_dataset
from danlu.pipeline.plan import make_plan
from danlu.recipe import UserError, load_recipe
from danlu.runs import Workspace


def made(root: Path, key: str) -> Path:
    folder = Workspace(root).artifacts.path("dataset", key)
    folder.mkdir(parents=True)
    (folder / ROWS).write_bytes(b"")
    return folder


def test_by_folder_key_or_recipe(tmp_path: Path, recipe_text: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe_text, encoding="utf-8")
    folder = made(tmp_path, make_plan(load_recipe(recipe), "data").stages[0].key)
    other = made(tmp_path, "zz" + 62 * "0")
    folder.with_name(f"{folder.name}.1.corrupt").mkdir()
    (folder.with_name(f"{folder.name}.1.corrupt") / ROWS).write_bytes(b"")
    assert find_dataset(folder, str(tmp_path)) == folder
    assert find_dataset(recipe, str(tmp_path)) == folder
    assert find_dataset(Path(folder.name[:8]), str(tmp_path)) == folder
    assert find_dataset(Path("zz"), str(tmp_path)) == other


def test_what_is_no_dataset(tmp_path: Path, recipe_text: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe_text, encoding="utf-8")
    for letter in "ab":
        made(tmp_path, "cc" + letter * 62)
    (tmp_path / "rows.jsonl").write_text("{}", encoding="utf-8")
    for named, reason in (
        (recipe, "is not made"),
        (tmp_path, "has no rows.parquet"),
        (tmp_path / "rows.jsonl", "has no rows.parquet"),
        (Path("cc"), "begins the keys of 2 datasets"),
        (Path("dd"), "there is no such dataset"),
    ):
        with pytest.raises(UserError, match=reason) as caught:
            find_dataset(named, str(tmp_path))
        assert caught.value.fix and caught.value.where == str(named)
