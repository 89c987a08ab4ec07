"""Evaluated rows that training repeats: said beside the score wherever it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from danlu.data.dataset import load_rows, read_repeated
from danlu.data.personal.tables import words
from danlu.evaluation.evaluate import read_evaluation
from danlu.evaluation.metrics import build_metrics
from danlu.pipeline.display import score_lines
from danlu.pipeline.execute import RunResult, execute
from danlu.recipe import Recipe, parse_recipe
from danlu.runs import Workspace

WORDS = words("river claim pipe house water winter engine letter market doctor garden silver window bridge summer")


def _question(number: int) -> str:
    """Twelve words of its own."""
    return " ".join(f"{WORDS[(number * 7 + place * 3) % len(WORDS)]}{number}{place}" for place in range(24))


@pytest.fixture(scope="module")
def dirty_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty questions; the first forty are asked twice, the second time within a longer, different conversation."""
    file = tmp_path_factory.mktemp("dirty") / "rows.jsonl"
    asked = [(_question(n), f"It is {n}.") for n in range(50)]
    more = " ".join(f"other{n}" for n in range(60))
    asked += [(f"{_question(n)} {more.replace('other', f'other{n}x')}", f"Something else, {n}.") for n in range(40)]
    lines = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in asked]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def _recipe(text: str, rows: Path, *overrides: str) -> Recipe:
    given = ("data.max_tokens=2000", "train.batch.micro_tokens=2000", "train.batch.step_tokens=2000")
    first = (f"data.sources=[{{path: {rows}}}]", "data.split.test=0.3", "train.max_steps=1", "evaluate.max_rows=20")
    return parse_recipe(text, (*first, *given, *overrides))


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory, recipe_text: str, dirty_rows: Path) -> RunResult:
    """A run that keeps training rows which repeat test rows."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    return execute(_recipe(recipe_text, dirty_rows, "data.contamination.on_found=report"), workspace)


def _says(result: RunResult) -> str:
    console = Console(width=200, record=True)
    with console.capture() as captured:
        for part in score_lines(result):
            console.print(part)
    return " ".join(captured.get().split())


def test_the_dataset_knows_the_repeated_rows(dirty: RunResult) -> None:
    dataset = dirty.artifacts["data"].path
    asked = {row.id: row.messages[0]["content"] for row in load_rows(dataset, "test")}
    trained = [row.messages[0]["content"] for row in load_rows(dataset, "train")]
    expected = {i for i, q in asked.items() if any(q in other for other in trained)}
    assert 3 <= len(expected) < len(asked)
    assert read_repeated(dataset, "test") == expected


def test_scores_come_with_those_on_clean_rows(dirty: RunResult) -> None:
    known = read_repeated(dirty.artifacts["data"].path, "test")
    found = read_evaluation(dirty.artifacts["evaluate"].path)
    assert found.repeated == known & {row.row_id for row in found.rows} != frozenset()
    clean = [row for row in found.rows if row.row_id not in known]
    config = dirty.plan.recipe.evaluate
    for metric, of_clean in zip(build_metrics(config.metrics), found.clean_scores, strict=True):
        assert of_clean.rows == len(clean) < len(found.rows)
        assert of_clean.value == pytest.approx(float(metric.combine(metric.statistics(clean).sum(axis=0))))
        assert of_clean.low <= of_clean.value <= of_clean.high
    assert dirty.clean is not None
    assert (dirty.clean.repeated, dirty.clean.rows) == (len(found.repeated), len(found.rows))
    assert [c.tuned for c in dirty.clean.comparisons] == found.clean_scores


def test_report_terminal_and_registry_say_so(dirty: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")
    assert dirty.clean is not None
    said = f"{dirty.clean.repeated} of the {dirty.clean.rows} evaluated rows stand in the training rows as well"
    assert said in _says(dirty) and "clean rows alone, Perplexity is" in _says(dirty)
    page = dirty.run.report.read_text(encoding="utf-8")
    assert f'<p class="alarm">{said}' in page
    assert page.count(f"tuned, {dirty.clean.scores[0].rows} clean rows") == 3
    facts = dirty.artifacts["evaluate"].facts
    assert facts["repeated_rows"] == dirty.clean.repeated and set(facts["clean_scores"]) == set(facts["scores"])
    manifest = json.loads((dirty.artifacts["evaluate"].path / "scores.json").read_text())
    assert manifest["repeated_rows"] == dirty.clean.repeated and len(manifest["clean_scores"]) == 3


def test_a_clean_run_says_nothing(tmp_path: Path, recipe_text: str, dirty_rows: Path) -> None:
    """The default: the training rows that repeat test rows are left out, so there is nothing to say."""
    result = execute(_recipe(recipe_text, dirty_rows), Workspace(tmp_path))
    assert result.clean is None and "clean rows" not in _says(result)
    assert 'class="alarm"' not in result.run.report.read_text(encoding="utf-8")
    assert result.artifacts["evaluate"].facts["repeated_rows"] == 0
    dropped = {step["step"]: step["in"] - step["out"] for step in result.artifacts["data"].facts["steps"]}
    assert dropped["contamination"] >= 3
