"""What a person sees of a run in the terminal: stages, progress, the comparison, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from danlu.pipeline.finish import figures_of, next_commands
from danlu.recipe.language import tr

NAMES = {
    "data": ("data", "数据"),
    "train": ("train", "训练"),
    "evaluate_base": ("evaluate base", "评测基座"),
    "evaluate": ("evaluate tuned", "评测微调"),
    "export": ("export", "导出"),
}


class RunDisplay:
    """Shows events of a run as they come; a line stays for each finished stage."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._task: Any = None
        self._stage = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show an event."""
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def _on_stage(self, event: dict[str, Any]) -> None:
        name = tr(*NAMES[event["stage"]])
        if event["status"] == "started":
            self._stage = name
            self._task = self._progress.add_task(name, total=None, note="")
            return
        self._progress.remove_task(self._task)
        said = tr("already there", "已存在") if event["status"] == "reused" else f"{event['seconds']:.1f} s"
        self.console.print(f"[green]✓[/] {name:<16} {said}", highlight=False)

    def _on_progress(self, event: dict[str, Any]) -> None:
        self._progress.update(self._task, completed=event["done"], total=event["total"], note=event.get("note", ""))

    def _on_training(self, event: dict[str, Any]) -> None:
        if event["resumed_at"]:
            done, total = event["resumed_at"], event["steps"]
            self.console.print(tr(f"  going on after step {done} of {total}", f"  从第 {done}/{total} 步继续"))

    def _on_step(self, event: dict[str, Any]) -> None:
        note = f"loss {event['loss']:.3f} · {event['tokens_per_second']:,.0f} tokens/s"
        self._progress.update(self._task, completed=event["step"], total=event["total"], note=note)

    def _on_fault(self, event: dict[str, Any]) -> None:
        self.console.print(f"[yellow]![/] {event['reason']}", highlight=False)

    _on_corrupt = _on_fault

    def _on_waiting(self, event: dict[str, Any]) -> None:
        self.console.print(tr("  another process is making this; waiting", "  另一进程正在生成，等待中"))


class RowsDisplay:
    """Rows done so far, for work that is not a run."""

    def __init__(self, console: Console, title: str) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,}"))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(title, total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int) -> None:
        """So many rows are done."""
        self._progress.update(self._task, completed=done)


def kinds_table(counts: Mapping[str, int]) -> Table:
    """Personal data by kind."""
    table = Table(title=tr("Personal data found", "发现的个人信息"), title_justify="left")
    table.add_column(tr("kind", "类型"))
    table.add_column(tr("spans", "处数"), justify="right")
    for kind, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        table.add_row(kind, f"{count:,}")
    return table


def ledger_table(summary: Mapping[str, Any]) -> Table:
    """The data stage's books as a table whose columns add up."""
    table = Table(title=tr("Ledger: the fate of every row", "账本：每一行的去向"), title_justify="left")
    for heading in (tr("step", "步骤"), tr("in", "进"), tr("changed", "改写"), tr("dropped", "丢弃"), tr("out", "出")):
        table.add_column(heading, justify="left" if len(table.columns) == 0 else "right")
    for step in summary["steps"]:
        lost = step["in"] - step["out"]
        table.add_row(step["step"], *(f"{n:,}" for n in (step["in"], step["changed"], lost, step["out"])))
    fates, splits = summary["fates"], summary["splits"]
    table.caption = (
        f"{summary['read']:,} = " + " + ".join(f"{count:,} {fate}" for fate, count in fates.items())
        + "  ·  " + ", ".join(f"{name} {count:,}" for name, count in splits.items())
    )  # fmt: skip
    return table


def reasons(summary: Mapping[str, Any]) -> list[str]:
    """Why rows were dropped, a line each."""
    return [
        f"{step['step']}: {count:,} × {reason}"
        for step in summary["steps"]
        for reason, count in step["dropped"].items()
    ]


def comparison_table(comparisons: Sequence[Any], confidence: float) -> Table:
    """Base against tuned, each with its interval."""
    rows = comparisons[0].tuned.rows if comparisons else 0
    title = tr(f"{rows} held-out rows, {confidence:.0%} intervals", f"{rows} 行留出数据，{confidence:.0%} 置信区间")
    table = Table(title=title, title_justify="left")
    for heading in (
        tr("metric", "指标"),
        tr("base", "基座"),
        tr("tuned", "微调"),
        tr("difference", "差"),
        tr("verdict", "结论"),
    ):
        table.add_column(heading)
    verdicts = {"better": tr("better", "更好"), "worse": tr("worse", "更差")}
    styles = {"better": "green", "worse": "red"}
    for c in comparisons:
        verdict = verdicts.get(c.verdict, tr("no clear difference", "无明显差异"))
        style = styles.get(c.verdict, "yellow")
        difference = f"{number(c.difference)} [{number(c.low)}, {number(c.high)}]"
        table.add_row(
            c.metric, _score(c.base), _score(c.tuned), difference.replace("[", "\\["), f"[{style}]{verdict}[/]"
        )
    return table


def held_out_line(figures: Mapping[str, float]) -> str:
    """The objective's figures on the test split, in one line."""
    from danlu.pipeline.report.words import figures_text

    return tr("held-out rows: ", "留出数据：") + figures_text(figures)


def outcome(result: Any) -> list[Any]:
    """What a finished run has to say, part by part: how good, where the report is, what to try."""
    parts: list[Any] = []
    if result.comparisons:
        parts.append(comparison_table(result.comparisons, result.plan.recipe.evaluate.confidence))
    figures = figures_of(result.artifacts)
    if figures:
        parts.append(held_out_line(figures))
    parts.append(tr("report: ", "报告：") + str(result.run.report))
    if result.version:
        parts.append(tr("model:  ", "模型：") + result.version)
    commands = next_commands(result)
    if commands:
        parts.append(tr("try:    ", "试试：") + "   ".join(commands))
    return parts


def number(value: float) -> str:
    """A number with three significant digits or so."""
    if value != 0 and (abs(value) >= 1e5 or abs(value) < 1e-3):
        return f"{value:.2e}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def _score(score: Any) -> str:
    return f"{number(score.value)} \\[{number(score.low)}, {number(score.high)}]"
