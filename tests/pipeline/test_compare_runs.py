"""Runs compared: the right rows are paired, only what differs is listed, and the page stands by itself."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from danlu.evaluation.evaluate import write_evaluation
from danlu.evaluation.metrics import build_metrics
from danlu.evaluation.rows import AnsweredRow
from danlu.pipeline.compare_runs import compare_runs, differences, fields_of, state_of, write_comparison
from danlu.pipeline.report.compare import headline, render_comparison
from danlu.pipeline.report.compare_charts import points_of
from danlu.pipeline.report.compare_data import Pairing, RunFacts, RunsComparison
from danlu.pipeline.report.scale import LogScale
from danlu.recipe import UserError
from danlu.recipe.evaluate import EvaluateSection
from danlu.runs import Workspace
from danlu.runs.events import EventLog
from tests.evaluation.answers import answered
from tests.pipeline.test_report import Page
from tests.test_cli import call

METRICS = EvaluateSection.model_validate({"metrics": ["perplexity", "exact_match"], "resamples": 400})


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def rows(right: set[int], count: int = 40, *, nll: float = 2.0, tokens: int = 4, first: int = 0) -> list[AnsweredRow]:
    """Answers of which those numbered are right."""
    return [
        answered(f"r:{n:03}", f"yes {n}", f"yes {n}" if n in right else "no", nll=nll + n / 100, tokens=tokens)
        for n in range(first, first + count)
    ]


def history(rate: float, steps: int = 30) -> list[dict[str, Any]]:
    """A loss that falls at that rate; validated each tenth step."""
    return [
        {"step": n, "loss": 3 * math.exp(-rate * n), "tokens": 100 + n, "learning_rate": 1e-4, "grad_norm": 1.0}
        | ({"validation_loss": 3.2 * math.exp(-rate * n)} if n % 10 == 0 else {})
        for n in range(1, steps + 1)
    ]


class Made:
    """A workspace with runs that nobody has to train."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(folder)

    def run(
        self, name: str, recipe: dict[str, Any], answers: list[AnsweredRow] | None, steps: list[dict[str, Any]]
    ) -> str:
        """A finished run with a trained model and, if it has answers, an evaluation."""
        place = self.workspace
        run = place.new_run(
            name, yaml.safe_dump({"name": name, "seed": 3, "evaluate": METRICS.model_dump(mode="json"), **recipe})
        )
        place.registry.start_run(run.id, name, "run", run.path)
        with place.artifacts.make("trained", run.id, inputs={}, recipe={}) as draft:
            (draft.path / "history.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
            draft.facts.update(trained_parameters=1234, memory=5_000_000)
        self.book(run.id, "train", "trained", run.id)
        if answers is not None:
            with place.artifacts.make("evaluation", run.id, inputs={}, recipe={}) as draft:
                result = write_evaluation(draft.path, answers, build_metrics(METRICS.metrics), METRICS, 3)
                draft.facts["scores"] = {score.metric: score.value for score in result.scores}
            self.book(run.id, "evaluate", "evaluation", run.id)
        place.registry.finish_run(run.id, "done")
        return run.id

    def book(self, run_id: str, stage: str, kind: str, key: str) -> None:
        """Book an artifact."""
        path = self.workspace.artifacts.path(kind, key)
        self.workspace.registry.book_artifact(run_id, stage, (kind, key, path), "made")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "ws")


def recipe(rank: int = 4, *cleaners: str) -> dict[str, Any]:
    """Two parts of a recipe."""
    return {
        "train": {"method": {"type": "lora", "rank": rank}, "epochs": 2},
        "data": {"clean": [{"type": kind} for kind in cleaners]},
    }


def test_differences_are_paired_over_the_rows_that_both_answered(made: Made) -> None:
    weak, strong = rows(set(range(0, 40, 4))), rows(set(range(30)), 50, nll=1.0)
    strong[7] = replace(strong[7], reference="another question by now")
    one = made.run("weak", recipe(), weak, history(0.01))
    two = made.run("strong", recipe(8), strong, history(0.03))
    found = compare_runs(made.workspace, [one, two])
    (pairing,) = found.pairings
    assert (pairing.rows, pairing.of) == (39, (40, 50))
    entry = next(c for c in pairing.comparisons if c.metric == "exact_match")
    both = [n for n in range(40) if n != 7]
    gains = np.array([(n < 30) - (n % 4 == 0) for n in both], dtype=float)
    assert entry.difference == pytest.approx(gains.mean()) and entry.verdict == "better"
    spread = 1.96 * gains.std() / math.sqrt(len(gains))
    assert entry.low == pytest.approx(gains.mean() - spread, abs=0.05)
    assert entry.high == pytest.approx(gains.mean() + spread, abs=0.05)
    page = Page(render_comparison(found))
    assert "B is clearly better than A on 39 rows" in page.text
    assert "over the 39 rows that are the same in both (40 and 50 were answered)" in page.text


def test_perplexities_over_other_tokens_are_not_compared(made: Made) -> None:
    one = made.run("a", recipe(), rows({1, 2}), history(0.01))
    two = made.run("b", recipe(), rows({1, 2}, tokens=5), history(0.01))
    (pairing,) = compare_runs(made.workspace, [one, two]).pairings
    assert {c.metric for c in pairing.comparisons} == {"exact_match"}
    assert pairing.left_out == {"perplexity": "the runs cut text into other tokens"}


def test_without_common_rows_there_is_no_verdict(made: Made) -> None:
    one = made.run("a", recipe(), rows({1}), history(0.01))
    two = made.run("b", recipe(), rows({41}, first=40), history(0.03))
    three = made.run("c", recipe(), None, history(0.02))
    found = compare_runs(made.workspace, [one, two, three])
    assert [pairing.comparisons for pairing in found.pairings] == [(), ()]
    text = Page(render_comparison(found)).text
    assert "B b has the lowest validation loss, 1.301" in text and "there is no verdict" in text
    assert "B − A: they share no row" in text and "C − A: not both were evaluated" in text
    assert "no clear difference" not in text


def test_only_what_differs_is_listed(made: Made) -> None:
    one = made.run("a", recipe(4, "normalize", "exact_duplicates"), None, history(0.01))
    two = made.run("b", recipe(8, "normalize"), None, history(0.01))
    assert dict(compare_runs(made.workspace, [one, two]).differences) == {
        "train.method.rank": (4, 8),
        "data.clean": ("normalize, exact_duplicates", "normalize"),
    }


def test_a_recipe_too_old_for_a_field_has_its_default(made: Made) -> None:
    new = {"data": {"sources": [{"path": "/x.jsonl"}]}, "train": {"epochs": 2, "checkpoints": {"every": 7}}}
    old = {"data": {"sources": [{"path": "/x.jsonl"}]}, "train": {"epochs": 3}}
    one, two = made.run("a", new, None, history(0.01)), made.run("b", old, None, history(0.01))
    found = dict(compare_runs(made.workspace, [one, two]).differences)
    assert found == {"train.epochs": (2, 3), "train.checkpoints.every": (7, 50)}


def test_the_same_recipe_over_other_rows_says_so() -> None:
    plain = {"name": "x", "data": {"sources": [{"path": "a.jsonl"}]}}
    runs = [RunFacts(letter, letter, "x", recipe=plain, keys={"data": key * 20}) for letter, key in ("Ak", "Bm")]
    assert differences(runs) == [("the data set", ("k" * 12, "m" * 12))]


def test_fields_of_a_recipe_have_dotted_names() -> None:
    nested = {"a": {"type": "t", "b": 1, "c": [1, 2]}, "d": [{"type": "x", "n": 1}, {"type": "y"}, {"path": "p"}]}
    assert fields_of(nested) == {"a": "t", "a.b": 1, "a.c": [1, 2], "d.x.n": 1, "d[2].path": "p"}


def test_curves_by_tokens_count_all_tokens_before(made: Made) -> None:
    run = RunFacts("A", "a", "x", history=history(0.1, 20))
    points = points_of(run, "validation_loss", "tokens")
    assert [x for x, _ in points] == [sum(100 + n for n in range(1, 11)), sum(100 + n for n in range(1, 21))]
    assert points_of(run, "validation_loss", "step")[0][0] == 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_stands_by_itself_and_draws_every_run(
    made: Made, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANLU_LANG", language)
    ids = [made.run(f"run{n}<b>", recipe(n + 1), rows(set(range(n * 9))), history(0.01 * n + 0.01)) for n in range(4)]
    html = render_comparison(compare_runs(made.workspace, ids))
    assert not re.search(r"url\(|@import|https?://", html)
    page = Page(html)
    assert dict(page.tags)["html"]["lang"] == ("zh-CN" if language == "zh" else "en")
    lines = [a["class"] for tag, a in page.tags if tag == "polyline"]
    for index in range(4):
        # two large charts with a raw, a smoothed and a validation curve each, and two small ones
        assert [lines.count(f"c{index}{kind}") for kind in ("", " faint", " dashed", " thin")] == [2, 2, 2, 2]
        assert f"run{index}<b>" in page.text and ids[index] in page.text
    assert [a["id"] for tag, a in page.tags if tag == "section" and "id" in a] == [
        "curves",
        "scores",
        "recipe",
        "costs",
    ]
    plots = [json.loads(str(a["data-points"])) for _, a in page.tags if "data-points" in a]
    assert all(0 <= x <= 100 and 0 <= y <= 100 for plot in plots for x, y, _ in plot)


def test_losses_that_fall_far_are_drawn_on_a_logarithmic_axis() -> None:
    scale = LogScale(0.1, 10.0)
    assert [scale(v) for v in (0.1, 1.0, 10.0, 0.0, 99.0)] == [0.0, 50.0, 100.0, 0.0, 100.0]
    assert scale.ticks() == [0.1, 0.2, 0.5, 1, 2, 5, 10] and LogScale(1e-4, 1e4).ticks(3)[:2] == [1e-4, 1e-3]
    near, far = ((RunFacts("A", "a", "x", history=history(rate)),) for rate in (0.01, 0.1))
    said = ["logarithmic" in Page(render_comparison(RunsComparison(runs))).text for runs in (near, far)]
    assert said == [False, True]


def test_empty_runs_make_a_page_too() -> None:
    found = RunsComparison((RunFacts("A", "a", "x"), RunFacts("B", "b", "y")), (), (Pairing("B"),))
    assert "nothing yet" in headline(found)
    assert "None of these runs has trained" in Page(render_comparison(found)).text


def test_a_run_that_was_killed_is_seen_and_its_steps_come_from_its_events(made: Made) -> None:
    done = made.run("a", recipe(), None, history(0.01))
    run = made.workspace.new_run("killed", "name: killed\n")
    made.workspace.registry.start_run(run.id, "killed", "run", run.path)
    with EventLog(run.events) as log:
        for step in [*history(0.02, 5), history(0.02, 5)[-1]]:
            log.write("step", **step)
    with run.alive():
        assert state_of(made.workspace, made.workspace.registry.run(run.id)[0]) == "running"
    found = compare_runs(made.workspace, [done, run.id])
    assert [r.state for r in found.runs] == ["done", "killed"]
    assert [record["step"] for record in found.runs[1].history] == [1, 2, 3, 4, 5]
    assert found.runs[1].costs == {"tokens": 515.0}


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        (["a"], "1 runs were named"),
        (["a"] * 7, "7 runs were named"),
        (["a", "a"], "named twice"),
        (["a", "zz"], "no run"),
    ],
)
def test_mistakes_are_told(made: Made, specs: list[str], reason: str) -> None:
    made.run("a", recipe(), None, history(0.01))
    with pytest.raises(UserError, match=reason):
        compare_runs(made.workspace, specs)


def test_a_model_version_names_its_run(made: Made) -> None:
    one, two = (made.run(name, recipe(), None, history(0.01)) for name in "ab")
    made.workspace.registry.register_model("m", two, "key", made.workspace.root, {})
    assert [run.id for run in compare_runs(made.workspace, [one, "m@1"]).runs] == [one, two]


def test_the_verbs(made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one = made.run("alpha", recipe(4), rows(set(range(10))), history(0.01))
    two = made.run("beta", recipe(8), rows(set(range(30))), history(0.03))
    made.workspace.registry.start_run("gone", "gamma", "train", made.workspace.root / "runs" / "gone")
    place = ("--workspace", str(made.workspace.root))
    assert call(monkeypatch, *place, "runs") == 0
    listed = capsys.readouterr().out
    assert all(word in listed for word in (one, two, "done", "gone", "killed", "Exact match 0.25"))
    assert call(monkeypatch, *place, "runs", "compare", "alpha", "beta") == 0
    said = capsys.readouterr().out
    assert "train.method.rank" in said and "B − A (40)" in said and "better" in said and "train.epochs" not in said
    page = made.workspace.root / "comparisons" / f"{one}_{two}.html"
    assert str(page) in said.replace("\n", "") and page.is_file()
    assert call(monkeypatch, *place, "runs", "show", "alpha") == 0 and one in capsys.readouterr().out
    assert call(monkeypatch, *place, "runs", "compare", "alpha") == 2


def test_the_page_goes_where_it_is_wanted(made: Made, tmp_path: Path) -> None:
    found = compare_runs(made.workspace, [made.run(name, recipe(), None, history(0.01)) for name in "ab"])
    assert write_comparison(found, made.workspace, tmp_path / "x" / "y.html").read_text().startswith("<!doctype")
    with pytest.raises(UserError, match="cannot be written"):
        write_comparison(found, made.workspace, tmp_path / "x" / "y.html" / "z.html")


def test_the_last_loss_is_of_the_last_step_that_was_done() -> None:
    skipped = {"step": 4, "epoch": 0, "skipped": "the loss is nan", "rows": ["r:1"]}
    steps = history(0.1, 3)
    assert RunFacts("A", "a", "tiny", history=[*steps, skipped]).last_loss() == steps[-1]["loss"]
    assert RunFacts("A", "a", "tiny", history=[skipped]).last_loss() is None
