"""The command line: what it prints, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from danlu import cli
from danlu.recipe.errors import InternalFault


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `danlu ARGUMENTS` in this process; the exit code."""
    monkeypatch.setattr(sys, "argv", ["danlu", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """English texts, an empty folder to stand in."""
    monkeypatch.setenv("DANLU_LANG", "en")
    monkeypatch.chdir(tmp_path)


def test_init_writes_a_recipe_that_loads(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "init", "demo") == 0
    assert "danlu run demo/recipe.yaml" in capsys.readouterr().out
    assert call(monkeypatch, "recipe", "show", "demo/recipe.yaml", "--set", "train.epochs=7") == 0
    assert "epochs: 7" in capsys.readouterr().out
    rows = Path("demo/reviews.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) >= 1000 and all(json.loads(row)["messages"][-1]["role"] == "assistant" for row in rows)


def test_init_does_not_overwrite(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "init", "demo") == 0
    Path("demo/recipe.yaml").write_text("mine", encoding="utf-8")
    assert call(monkeypatch, "init", "demo") == 2
    assert "--force" in capsys.readouterr().err
    assert Path("demo/recipe.yaml").read_text(encoding="utf-8") == "mine"
    assert call(monkeypatch, "init", "demo", "--force") == 0
    assert Path("demo/recipe.yaml").read_text(encoding="utf-8") != "mine"


def test_a_typo_names_file_line_and_nearest_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("r.yaml").write_text("name: a\ndata:\n  sources: [{path: x.jsonl}]\ntrain:\n  epohcs: 2\n", encoding="utf-8")
    assert call(monkeypatch, "run", "r.yaml") == 2
    error = capsys.readouterr().err
    assert "r.yaml:5: train.epohcs" in error and "did you mean 'epochs'" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "none.yaml"), "no such recipe file"),
        (("rnu",), "No such command 'rnu'"),
        (("models", "nobody"), "there is no model 'nobody'"),
        (("runs", "nothing"), "there is no run 'nothing'"),
        (("chat",), "no model is registered"),
        (("serve", "./nowhere"), "there is no folder './nowhere'"),
        (("serve", "--port", "99999"), "99999"),
    ],
)
def test_mistakes_of_the_user_exit_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert call(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_faults_of_ours_exit_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fault(*_: object, **__: object) -> None:
        raise InternalFault("it broke", where="here", fix="mend it")

    def surprise(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("danlu.pipeline.starter.write_starter", fault)
    assert call(monkeypatch, "init", "x") == 1
    assert "here: it broke\n  fix: mend it" in capsys.readouterr().err
    monkeypatch.setattr("danlu.pipeline.starter.write_starter", surprise)
    assert call(monkeypatch, "init", "x") == 1
    error = capsys.readouterr().err
    path = Path(error.strip().splitlines()[-1].strip())
    assert "ZeroDivisionError: oh" in error and "Traceback" in path.read_text(encoding="utf-8")
    path.unlink()


def test_chinese_help() -> None:
    """The texts are chosen at start, so a process of its own is asked."""
    command = [sys.executable, "-m", "danlu", "--help"]
    told = subprocess.run(command, env={**os.environ, "DANLU_LANG": "zh"}, capture_output=True, text=True, check=True)
    assert "列出" in told.stdout


def test_schema_is_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "recipe", "schema") == 0
    assert {"model", "data", "train", "evaluate", "export", "serve"} <= set(
        json.loads(capsys.readouterr().out)["properties"]
    )


def test_doctor_names_what_is_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "doctor") == 0
    out = capsys.readouterr().out
    for word in ("python", "torch", "device", "memory", "transformers", "seedling", "modelscope"):
        assert word in out


@pytest.mark.parametrize(("language", "said"), [("en", "2 steps, "), ("zh", "2 步，")])
def test_training_ends_with_what_it_took_in_the_users_language(
    language: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DANLU_LANG", language)
    recipe = Path(__file__).parents[1] / "recipes" / "tiny" / "classification.yaml"
    assert call(monkeypatch, "--workspace", "w", "train", str(recipe)) == 0
    assert said in capsys.readouterr().out
