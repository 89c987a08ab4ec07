"""The end of a run: comparison, registration, report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from danlu.pipeline.plan import Plan
from danlu.recipe.loading import dump_recipe
from danlu.recipe.objectives import has_head
from danlu.runs.artifacts import Artifact
from danlu.runs.database import now
from danlu.runs.durable import write_json, write_text
from danlu.runs.environment import library_versions
from danlu.runs.workspace import RunFolder, Workspace

if TYPE_CHECKING:
    from danlu.evaluation.evaluate import CleanRows
    from danlu.evaluation.intervals import Comparison
    from danlu.pipeline.execute import RunResult

SAMPLES = 20


def compare_models(plan: Plan, made: dict[str, Artifact]) -> list[Comparison]:
    """Base against tuned on the same rows, or [] if the run does not evaluate both."""
    if "evaluate" not in made or "evaluate_base" not in made:
        return []
    from danlu.evaluation.evaluate import compare

    return compare(made["evaluate_base"].path, made["evaluate"].path, plan.recipe.evaluate, plan.recipe.seed)


def clean_rows(plan: Plan, made: dict[str, Artifact]) -> CleanRows | None:
    """The same on the rows that training does not repeat; None where it repeats none."""
    if "evaluate" not in made:
        return None
    from danlu.evaluation.evaluate import compare_clean

    base = made["evaluate_base"].path if "evaluate_base" in made else None
    return compare_clean(base, made["evaluate"].path, plan.recipe.evaluate, plan.recipe.seed)


def figures_of(made: Mapping[str, Artifact]) -> dict[str, float]:
    """The objective's figures on the test split, where they say more than an evaluation of the run does."""
    figures: dict[str, float] = made["train"].facts.get("test") or {} if "train" in made else {}
    return figures if len(figures) > 1 or "evaluate" not in made else {}


def register(plan: Plan, run: RunFolder, made: dict[str, Artifact], workspace: Workspace) -> str | None:
    """Register the export as a model version; 'name@number', or None if the run does not export."""
    if "export" not in made:
        return None
    facts = made["evaluate"].facts if "evaluate" in made else {}
    scores = dict(facts.get("scores", {}))
    scores |= {f"{name} (clean rows)": value for name, value in facts.get("clean_scores", {}).items()}
    scores |= figures_of(made)
    export = made["export"]
    row = workspace.registry.register_model(plan.recipe.name, run.id, export.key, export.path, scores)
    return f"{row.name}@{row.version}"


def registered_version(plan: Plan, made: dict[str, Artifact], workspace: Workspace) -> str | None:
    """'name@number' under which an export is registered already, or None."""
    if "export" not in made:
        return None
    key = made["export"].key
    rows = [row for row in workspace.registry.models() if (row.name, row.export_key) == (plan.recipe.name, key)]
    return f"{rows[0].name}@{rows[0].version}" if rows else None


def write_report(result: RunResult) -> None:
    """report.html (and comparison.json) of a run."""
    from danlu.evaluation.evaluate import comparison_to_json
    from danlu.pipeline.report import render_report

    if result.comparisons:
        body = [comparison_to_json(comparison) for comparison in result.comparisons]
        write_json(result.run.path / "comparison.json", body)
    write_text(result.run.report, render_report(_report_data(result)))


def result_event(result: RunResult) -> dict[str, Any]:
    """What came out, for the events file and for trackers: scores, comparisons, and where everything lies."""
    from danlu.evaluation.evaluate import comparison_to_json, read_evaluation

    made = result.artifacts
    scores = read_evaluation(made["evaluate"].path).scores if "evaluate" in made else []
    return {
        "event": "result",
        "scores": {score.metric: {"value": score.value, "low": score.low, "high": score.high} for score in scores},
        "comparisons": [comparison_to_json(comparison) for comparison in result.comparisons],
        "artifacts": {stage: str(artifact.path) for stage, artifact in made.items()},
        "report": str(result.run.report),
        "model": result.version,
    }


def _report_data(result: RunResult) -> Any:
    from danlu.evaluation.evaluate import read_evaluation
    from danlu.pipeline.report import ReportData
    from danlu.training.history import read_history

    made = result.artifacts
    scores = read_evaluation(made["evaluate"].path).scores if "evaluate" in made else []
    export = {**made["export"].facts, "path": str(made["export"].path)} if "export" in made else None
    return ReportData(
        title=result.plan.recipe.name,
        created=now(),
        recipe_yaml=dump_recipe(result.plan.recipe),
        stages=[(s.name, s.status, s.seconds, s.key) for s in result.stages],
        ledger=dict(made["data"].facts),
        history=read_history(made["train"].path / "history.jsonl") if "train" in made else [],
        training=dict(made["train"].facts) if "train" in made else {},
        comparisons=list(result.comparisons),
        scores=list(scores),
        samples=_samples(made),
        export=export,
        environment={**library_versions(), "base": result.plan.base.name, "run": result.run.id},
        next_commands=next_commands(result),
        clean=result.clean,
        confidence=result.plan.recipe.evaluate.confidence,
        figures=figures_of(made),
    )


def next_commands(result: RunResult) -> list[str]:
    """What to try with a registered model; nothing with one that answers in numbers."""
    version = result.version
    if version is None or has_head(result.plan.recipe.train.objective):
        return []
    return [f"danlu chat {version}", f"danlu serve {version}"]


def _samples(made: dict[str, Artifact]) -> list[dict[str, Any]]:
    """Up to twenty answers side by side, spread evenly over the evaluated rows."""
    if "evaluate" not in made:
        return []
    from danlu.evaluation.evaluate import read_evaluation

    tuned = read_evaluation(made["evaluate"].path).rows
    base = (
        {row.row_id: row.answer for row in read_evaluation(made["evaluate_base"].path).rows}
        if "evaluate_base" in made
        else {}
    )
    stride = max(1, len(tuned) // SAMPLES)
    return [
        {
            "question": row.question,
            "reference": row.reference,
            "base": base.get(row.row_id),
            "tuned": row.answer,
            "language": row.language,
        }
        for row in tuned[::stride][:SAMPLES]
    ]
