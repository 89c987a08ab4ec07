"""Runs in the terminal: a list of them, and a comparison in a few compact tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from danlu.evaluation.metrics import style_of
from danlu.pipeline.compare_runs import manifest_of, state_of
from danlu.pipeline.report.compare import STATES, cost_names, metrics_of, notes_of, shown
from danlu.pipeline.report.compare_data import RunFacts, RunsComparison
from danlu.pipeline.report.numbers import MISSING, count, number, signed
from danlu.pipeline.report.templates import moment
from danlu.pipeline.report.words import verdict_word
from danlu.recipe.language import tr
from danlu.runs.database import RunRow
from danlu.runs.workspace import Workspace

COLOURS = {"done": "green", "failed": "red", "running": "cyan", "killed": "yellow", "interrupted": "yellow"}
VERDICTS = {"better": "green", "worse": "red"}


def runs_table(workspace: Workspace, rows: Sequence[RunRow]) -> Table:
    """The runs with state, date and the scores of their tuned models."""
    table = _table(
        tr("run", "运行"), tr("verb", "命令"), tr("state", "状态"), tr("started", "开始"), tr("scores", "得分")
    )
    for row in rows:
        state = state_of(workspace, row)
        said = Text(row.error.splitlines()[0][:80], "red") if row.error else Text(_scores(workspace, row))
        table.add_row(row.id, row.command, _state(state), moment(row.started), said)
    return table


def comparison_tables(found: RunsComparison) -> Iterator[Table | Text]:
    """What the page shows, but for the curves."""
    yield _runs(found.runs)
    if found.differences:
        yield _differences(found)
    if any(pairing.comparisons for pairing in found.pairings):
        yield _pairs(found)
    for pairing in found.pairings:
        for note in notes_of(found, pairing):
            yield Text(note, "dim")


def _runs(runs: Sequence[RunFacts]) -> Table:
    metrics, costs = metrics_of(runs), cost_names()
    table = _table("", *(run.letter for run in runs))
    table.add_row(tr("run", "运行"), *(run.id for run in runs))
    table.add_row(tr("state", "状态"), *(_state(run.state) for run in runs))
    table.add_row(tr("steps", "步数"), *(count(len(run.history)) for run in runs))
    table.add_row(tr("last loss", "末步损失"), *(number(run.last_loss(), 3) for run in runs))
    table.add_row(tr("lowest validation loss", "最低验证损失"), *(number(run.best_validation(), 3) for run in runs))
    for name in metrics:
        style = style_of(name)
        table.add_row(style.label, *(_score(run, name, style.digits) for run in runs))
    for key, (label, write) in costs.items():
        if any(key in run.costs for run in runs):
            table.add_row(label, *(_cost(run, key, write) for run in runs))
    return table


def _score(run: RunFacts, name: str, digits: int) -> Text:
    score = run.scores.get(name)
    if score is None:
        return Text(MISSING)
    interval = f" [{number(score.low, digits)}, {number(score.high, digits)}]"
    return Text.assemble(number(score.value, digits), (interval, "dim"))


def _cost(run: RunFacts, key: str, write: Any) -> str:
    amount = run.costs.get(key)
    return MISSING if amount is None else str(write(int(amount) if amount == int(amount) else amount))


def _differences(found: RunsComparison) -> Table:
    table = _table(tr("recipe field", "配方字段"), *(run.letter for run in found.runs))
    for name, values in found.differences:
        table.add_row(Text(name), *(Text(shown(value)) for value in values))
    return table


def _pairs(found: RunsComparison) -> Table:
    first = found.runs[0].letter
    table = _table(
        tr("paired on the same rows", "相同行配对"), tr("metric", "指标"), tr("difference", "差"), tr("verdict", "结论")
    )
    for pairing in found.pairings:
        for entry in pairing.comparisons:
            style = style_of(entry.metric)
            low, high = signed(entry.low, style.digits), signed(entry.high, style.digits)
            table.add_row(
                f"{pairing.letter} − {first} ({count(pairing.rows)})",
                style.label,
                Text.assemble(signed(entry.difference, style.digits), (f" [{low}, {high}]", "dim")),
                Text(verdict_word(entry.verdict), VERDICTS.get(entry.verdict, "yellow")),
            )
    return table


def _scores(workspace: Workspace, row: RunRow) -> str:
    for artifact in workspace.registry.run(row.id)[1]:
        if artifact.stage == "evaluate":
            scores = manifest_of(Path(artifact.path)).get("facts", {}).get("scores", {})
            styles = ((style_of(name), value) for name, value in scores.items())
            return "  ".join(f"{style.label} {number(value, style.digits)}" for style, value in styles)
    return ""


def _state(state: str) -> Text:
    return Text(tr(*STATES.get(state, (state, state))), COLOURS.get(state, ""))


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=index == 0 and heading == tr("run", "运行"))
    return table
