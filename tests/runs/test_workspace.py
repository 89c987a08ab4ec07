"""The workspace folder: where it is, what is in it, and when it cannot be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from danlu.recipe import UserError
from danlu.runs import Workspace


def test_the_folder_is_the_argument_the_variable_or_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DANLU_WORKSPACE", str(tmp_path / "named"))
    assert Workspace().root == tmp_path / "named"
    assert Workspace("given").root == tmp_path / "given"
    monkeypatch.delenv("DANLU_WORKSPACE")
    assert Workspace().root == tmp_path / "danlu-workspace"


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_in_its_place(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be made") as caught:
        Workspace(tmp_path / name)
    assert "--workspace" in caught.value.fix and str(tmp_path / name) in caught.value.where


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shut"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UserError, match="not writable"):
        Workspace(folder)


def test_opening_a_workspace_makes_no_database(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    assert list(workspace.root.iterdir()) == []
    assert workspace.registry.runs() == []
    assert workspace.registry is workspace.registry and (workspace.root / "danlu.db").is_file()


def test_a_new_run_has_its_recipe(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    runs = [workspace.new_run("a", "name: 炉\n") for _ in range(5)]
    assert len({run.id for run in runs}) == 5
    assert runs[0].recipe.read_text(encoding="utf-8") == "name: 炉\n"
    assert workspace.run_folder(runs[0].id) == runs[0]
    assert runs[0].events.parent == runs[0].report.parent == runs[0].path == workspace.root / "runs" / runs[0].id


def test_work_in_progress_is_found_again_until_it_is_discarded(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    folder = workspace.work("trained", "k" * 64)
    (folder / "checkpoint").touch()
    assert Workspace(tmp_path / "w").work("trained", "k" * 64) == folder
    assert workspace.work("trained", "l" * 64) != folder
    workspace.discard_work(folder)
    workspace.discard_work(folder)
    assert not folder.exists()
