"""Runs of a workspace side by side: curves, recipes, scores on the rows that both answered, costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from danlu.evaluation.evaluate import Evaluation, read_evaluation, resampling_of
from danlu.evaluation.intervals import Comparison, compare_rows
from danlu.evaluation.metrics import build_metrics
from danlu.evaluation.rows import AnsweredRow
from danlu.pipeline.report.compare import render_comparison
from danlu.pipeline.report.compare_data import LETTERS, MOST_RUNS, Pairing, RunFacts, RunsComparison
from danlu.recipe.errors import UserError
from danlu.recipe.evaluate import EvaluateSection
from danlu.recipe.language import tr
from danlu.recipe.loading import read_dumped
from danlu.runs.artifacts import MANIFEST
from danlu.runs.database import RunRow
from danlu.runs.durable import write_text
from danlu.runs.events import read_events
from danlu.runs.workspace import Workspace
from danlu.training.history import read_history

ELSEWHERE = {"name", "track", "serve"}
"""Parts of a recipe that change nothing of what is compared."""


def compare_runs(workspace: Workspace, specs: Sequence[str]) -> RunsComparison:
    """Compare two to six runs, each named by its id, an unambiguous beginning of it, or a model version name@N.

    Raises:
        UserError: too few, too many, one twice, or one that is not there.
    """
    if not 2 <= len(specs) <= MOST_RUNS:
        raise UserError(f"{len(specs)} runs were named", fix=f"name two to {MOST_RUNS} runs; danlu runs list has them")
    rows = [_find(workspace, spec) for spec in specs]
    twice = [row.id for row in rows if [other.id for other in rows].count(row.id) > 1]
    if twice:
        raise UserError(f"run '{twice[0]}' is named twice", fix="name different runs")
    runs, evaluations = [], []
    for letter, row in zip(LETTERS, rows, strict=False):
        facts, evaluation = _gather(workspace, row, letter)
        runs.append(facts)
        evaluations.append(evaluation)
    config, seed = _evaluate_section(runs[0].recipe)
    pairings = [
        pair_up(run.letter, evaluations[0], evaluation, config, seed)
        for run, evaluation in zip(runs[1:], evaluations[1:], strict=True)
    ]
    return RunsComparison(tuple(runs), tuple(differences(runs)), tuple(pairings), config.confidence)


def state_of(workspace: Workspace, row: RunRow) -> str:
    """'done', 'failed', 'interrupted', 'running', or 'killed': booked as running, but no process works on it."""
    if row.status == "running" and not workspace.run_folder(row.id).is_alive():
        return "killed"
    return row.status


def _find(workspace: Workspace, spec: str) -> RunRow:
    registry = workspace.registry
    return registry.run(registry.model(spec).run_id if "@" in spec else spec)[0]


def _gather(workspace: Workspace, row: RunRow, letter: str) -> tuple[RunFacts, Evaluation | None]:
    folder = workspace.run_folder(row.id)
    artifacts = {artifact.stage: artifact for artifact in workspace.registry.run(row.id)[1]}
    manifests = {stage: manifest_of(Path(artifact.path)) for stage, artifact in artifacts.items()}
    history = read_history(Path(artifacts["train"].path) / "history.jsonl") if "train" in artifacts else []
    # A run that did not come to the end of its training has its steps in its events
    history = history or _steps(folder.events)
    evaluation = None
    if manifests.get("evaluate"):
        evaluation = read_evaluation(Path(artifacts["evaluate"].path))
    facts = RunFacts(
        letter=letter,
        id=row.id,
        name=row.name,
        state=state_of(workspace, row),
        started=row.started,
        recipe=read_dumped(folder.recipe),
        history=history,
        scores={score.metric: score for score in evaluation.scores} if evaluation else {},
        costs=_costs(manifests, history),
        keys={stage: artifact.key for stage, artifact in artifacts.items()},
    )
    return facts, evaluation


def write_comparison(found: RunsComparison, workspace: Workspace, out: Path | None = None) -> Path:
    """Write the page; returns where it lies.

    Raises:
        UserError: it cannot be written there.
    """
    name = "_".join(run.id for run in found.runs)
    page = out or workspace.root / "comparisons" / f"{name[:200]}.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_text(page, render_comparison(found))
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(page), fix="--out FILE") from error
    return page


def manifest_of(folder: Path) -> dict[str, Any]:
    """An artifact's manifest; empty if it was removed since."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}


def _steps(events: Path) -> list[dict[str, Any]]:
    """The last record of each step."""
    found = {event["step"]: event for event in read_events(events) if event["event"] == "step"}
    return [found[step] for step in sorted(found)]


def _costs(manifests: Mapping[str, Mapping[str, Any]], history: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    train, export = manifests.get("train") or {}, manifests.get("export") or {}
    facts = train.get("facts", {})
    found = {
        "tokens": sum(record.get("tokens", 0) for record in history),
        "seconds": train.get("seconds"),
        "memory": facts.get("memory"),
        "trained": facts.get("trained_parameters"),
        "size": export.get("facts", {}).get("size_bytes"),
    }
    return {name: float(amount) for name, amount in found.items() if amount}


def _evaluate_section(recipe: Mapping[str, Any]) -> tuple[EvaluateSection, int]:
    """How the first run was evaluated, which all are compared by; the defaults if its recipe is of another version."""
    try:
        return EvaluateSection.model_validate(recipe.get("evaluate") or {}), int(recipe.get("seed") or 0)
    except ValidationError:
        return EvaluateSection(), 0


def pair_up(
    letter: str, first: Evaluation | None, other: Evaluation | None, config: EvaluateSection, seed: int
) -> Pairing:
    """Another run against the first, on the rows that are the same in both: id, question and reference."""
    if first is None or other is None:
        return Pairing(letter, of=(len(first.rows) if first else 0, len(other.rows) if other else 0))
    known = {row.row_id: row for row in first.rows}
    both = [(known[row.row_id], row) for row in other.rows if _same(known.get(row.row_id), row)]
    sizes = (len(first.rows), len(other.rows))
    if not both:
        return Pairing(letter, of=sizes)
    comparisons: list[Comparison] = []
    left_out: dict[str, str] = {}
    for metric in build_metrics(config.metrics):
        if metric.name == "perplexity" and any(a.tokens != b.tokens for a, b in both):
            left_out[metric.name] = tr("the runs cut text into other tokens", "两次运行的分词不同")
            continue
        try:
            pairs = [a for a, _ in both], [b for _, b in both]
            comparisons.append(compare_rows(metric, *pairs, resampling_of(config, seed)))
        except UserError as error:
            left_out[metric.name] = error.reason
    return Pairing(letter, len(both), sizes, tuple(comparisons), left_out)


def _same(one: AnsweredRow | None, other: AnsweredRow) -> bool:
    return one is not None and (one.question, one.reference) == (other.question, other.reference)


def differences(runs: Sequence[RunFacts]) -> list[tuple[str, tuple[Any, ...]]]:
    """Recipe fields that are not the same in all runs; and the data, where the same recipe let other rows in."""
    fields = [fields_of({k: v for k, v in run.recipe.items() if k not in ELSEWHERE}) for run in runs]
    found = []
    for name in dict.fromkeys(name for known in fields for name in known):
        values = [known.get(name) for known in fields]
        if any(value != values[0] for value in values[1:]):
            found.append((name, tuple(values)))
    keys = [run.keys.get("data") for run in runs]
    if len(set(keys)) > 1 and not any(name.startswith(("data.", "model.base")) for name, _ in found):
        found.append((tr("the data set", "数据集"), tuple(key[:12] if key else None for key in keys)))
    return found


def fields_of(value: Any, name: str = "") -> dict[str, Any]:
    """Dotted name -> value; steps of a list are known by their type, so that a new one does not shift the others."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, item in value.items():
            if key != "type" or not name:
                found |= fields_of(item, f"{name}.{key}" if name else str(key))
        kind = {name: value["type"]} if name and "type" in value else {}
        return kind | found
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        kinds = [str(item.get("type", "")) for item in value]
        numbered = [
            kind if kind and kinds.count(kind) == 1 else f"{kind}[{index}]" if kind else f"[{index}]"
            for index, kind in enumerate(kinds)
        ]
        found = {name: ", ".join(kinds)} if all(kinds) else {}
        for number, item in zip(numbered, value, strict=True):
            inner = {key: item[key] for key in item if key != "type"}
            found |= fields_of(inner, f"{name}.{number}" if not number.startswith("[") else f"{name}{number}")
        return found
    return {name: value}
