"""What a person sees of a run in the terminal: stages, progress, the comparison, what to do next."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from danlu.pipeline.finish import figures_of, next_commands
from danlu.pipeline.live import Clock, Pauses, TrainingView, clock_time
from danlu.recipe.language import tr

NAMES = {
    "data": ("data", "数据"),
    "train": ("train", "训练"),
    "evaluate_base": ("evaluate base", "评测基座"),
    "evaluate": ("evaluate tuned", "评测微调"),
    "export": ("export", "导出"),
}


class _Rate(ProgressColumn):
    """Rows per second, of stages that tell of rows."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["rate"], style="progress.data.speed")


class _TimeLeft(TimeRemainingColumn):
    """Of stages whose pace nobody else tells."""

    def render(self, task: Task) -> Text:
        return Text() if task.fields["paced"] else super().render(task)


class _Pace:
    """Rows per second since a step began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._step: str | None = None
        self._began: tuple[float, int] | None = None

    def is_new(self, step: str) -> bool:
        """Whether another step has begun."""
        new, self._step = step != self._step, step
        if new:
            self._began = None
        return new

    def rate(self, done: int) -> float:
        """So many rows are done; 0 where there is no pace yet."""
        now = self._clock()
        if self._began is None or done < self._began[1]:
            self._began = now, done
        seconds, rows = now - self._began[0], done - self._began[1]
        return rows / seconds if seconds > 0 else 0.0


class RunDisplay:
    """Shows events of a run as they come; a line stays for each finished stage.

    In a terminal the stage that runs is redrawn in place; elsewhere (a log, a pipe) there is a line now and then.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self.console = console
        self._clock = clock
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None if console.width >= 100 else max(8, console.width // 4)),
            MofNCompleteColumn(),
            _Rate(),
            _TimeLeft(compact=True),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._training: TrainingView | None = None
        self._live = Live(get_renderable=self._picture, console=console, transient=True, refresh_per_second=4)
        self._task: Any = None
        self._pauses = Pauses(clock)
        self._stage = ""
        self._pace = _Pace(clock)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        """Show an event."""
        handler = getattr(self, f"_on_{event['event']}", None)
        if handler is not None:
            handler(event)

    def _picture(self) -> Group:
        return Group(*[part for part in (self._progress, self._training) if part is not None])

    def _on_stage(self, event: dict[str, Any]) -> None:
        name = tr(*NAMES[event["stage"]])
        if event["status"] == "started":
            self._stage, self._pauses = name, Pauses(self._clock)
            self._task = self._progress.add_task(name, total=None, note="", rate="", paced=event["stage"] == "train")
            self._pace = _Pace(self._clock)
            return
        self._progress.remove_task(self._task)
        self._training = None
        said = tr("already there", "已存在") if event["status"] == "reused" else f"{event['seconds']:.1f} s"
        self.console.print(f"[green]✓[/] {name:<16} {said}", highlight=False)

    def _on_progress(self, event: dict[str, Any]) -> None:
        done, total, note = event["done"], event["total"], event.get("note", "")
        if self._pace.is_new(note):
            self._progress.reset(self._task)  # what another step needed for a row says nothing of this one
        per_second = self._pace.rate(done)
        rate = tr(f"{per_second:,.0f} rows/s", f"{per_second:,.0f} 行/秒") if per_second else ""
        self._progress.update(self._task, completed=done, total=total, note=note, rate=rate)
        left = f"  {clock_time((total - done) / per_second)}" if total and per_second and total > done else ""
        of = f"/{total:,}" if total else ""
        said = tr(f"{left} left", f"  剩余{left}") if left else ""
        self._log(f"{note} {done:,}{of}{'  ' if rate else ''}{rate}{said}".strip())

    def _on_training(self, event: dict[str, Any]) -> None:
        self._training = TrainingView(event["steps"], event["resumed_at"], self._clock)
        if event["resumed_at"]:
            done, total = event["resumed_at"], event["steps"]
            self.console.print(tr(f"  going on after step {done} of {total}", f"  从第 {done}/{total} 步继续"))

    def _on_step(self, event: dict[str, Any]) -> None:
        first = self._training is None or not self._training.started
        view = self._training = self._training or TrainingView(event["total"], clock=self._clock)
        view.step(event)
        self._progress.update(self._task, completed=event["step"], total=event["total"], note="")
        self._log(view.line(), now=first or event["step"] == event["total"] or "validation_loss" in event)

    def _log(self, line: str, *, now: bool = False) -> None:
        """A line where nothing can be redrawn: when it is time for one, or at once."""
        if not self.console.is_terminal and (now or self._pauses.due()):
            self._pauses.begin()
            self.console.print(f"  {self._stage}  {line}", highlight=False, markup=False, soft_wrap=True)

    def _on_fault(self, event: dict[str, Any]) -> None:
        self.console.print(Text.assemble(("! ", "yellow"), event["reason"]), highlight=False)

    _on_corrupt = _on_fault

    def _on_waiting(self, event: dict[str, Any]) -> None:
        self.console.print(tr("  another process is making this; waiting", "  另一进程正在生成，等待中"))


class RowsDisplay:
    """Rows done so far, for work that is not a run."""

    def __init__(self, console: Console, title: str) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,}"))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(title, total=None)
        self.done = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, done: int) -> None:
        """So many rows are done."""
        self.done = done
        self._progress.update(self._task, completed=done)


def kinds_table(counts: Mapping[str, int], rows: int) -> Table:
    """Personal data by kind."""
    table = Table(
        title=tr(f"Personal data in {rows:,} rows", f"{rows:,} 行中的个人信息"), title_justify="left", min_width=36
    )
    table.add_column(tr("kind", "类型"))
    table.add_column(tr("spans", "处数"), justify="right")
    for kind, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        table.add_row(kind, f"{count:,}")
    return table


def found_personal(counts: Mapping[str, int], rows: int) -> Table | str:
    """Personal data by kind, or that there is none."""
    if not counts:
        return tr(f"No personal data found in {rows:,} rows.", f"{rows:,} 行中未发现个人信息。")
    return kinds_table(counts, rows)


def ledger_table(summary: Mapping[str, Any]) -> Table:
    """The data stage's books as a table whose columns add up."""
    table = Table(title=tr("Ledger: the fate of every row", "账本：每一行的去向"), title_justify="left")
    headings = [tr("step", "步骤"), tr("in", "进"), tr("changed", "改写"), tr("dropped", "丢弃"), tr("out", "出")]
    fates, splits, children = summary["fates"], summary["splits"], summary["children"]
    born = any(children.values())
    if born:
        headings.insert(3, tr("added", "新增"))
    for heading in headings:
        table.add_column(heading, justify="left" if len(table.columns) == 0 else "right")
    for step in summary["steps"]:
        lost, added = max(0, step["in"] - step["out"]), max(0, step["out"] - step["in"])
        figures = [step["in"], step["changed"], *([added] if born else []), lost, step["out"]]
        table.add_row(step["step"], *(f"{n:,}" for n in figures))
    table.caption = f"{summary['read']:,} = " + " + ".join(f"{count:,} {fate}" for fate, count in fates.items())
    if born:
        table.caption += tr(
            f"  ·  children: {children['added']:,} added, {children['rejected']:,} attempts rejected, "
            f"{children['dropped']:,} dropped later",
            f"  ·  子行：新增 {children['added']:,}，否决 {children['rejected']:,}，后续丢弃 {children['dropped']:,}",
        )
    rows = sum(splits.values())
    table.caption += f"  ·  {rows:,} = " + " + ".join(f"{count:,} {name}" for name, count in splits.items())
    return table


def reasons(summary: Mapping[str, Any]) -> list[str]:
    """Why rows were dropped, and how many lack what they are split or compared by, a line each."""
    from danlu.pipeline.report.reason_words import said

    why = [
        f"{step['step']}: {count:,} × {said(reason)}"
        for step in summary["steps"]
        for reason, count in step["dropped"].items()
    ]
    return why + [
        tr(
            f"{found['field']}: {found['rows']:,} of {found['of']:,} rows have no '{found['key']}'",
            f"{found['field']}：{found['of']:,} 行中有 {found['rows']:,} 行没有“{found['key']}”",
        )
        for found in summary.get("lacking", ())
        if found["rows"]
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


def score_lines(result: Any) -> list[Any]:
    """What a finished run says of its scores: the comparison, and what training repeats of the evaluated rows."""
    confidence, clean = result.plan.recipe.evaluate.confidence, result.clean
    parts: list[Any] = []
    if result.comparisons:
        parts.append(comparison_table(result.comparisons, confidence))
    if clean is not None:
        from danlu.pipeline.report.words import repeated

        parts.append(Text(repeated(clean, confidence), style="yellow"))
        if clean.comparisons:
            table = comparison_table(clean.comparisons, confidence)
            rows = clean.comparisons[0].tuned.rows
            table.title = tr(f"The same on the {rows} clean rows alone", f"仅 {rows} 行干净数据")
            parts.append(table)
    return parts


def held_out_line(facts: Mapping[str, Any]) -> str:
    """The objective's figures on the test split, in one line; `facts` are those of a train stage."""
    from danlu.pipeline.report.words import figures_text

    return tr("held-out rows: ", "留出数据：") + figures_text(facts["test"], facts.get("test_rows", 0))


def outcome(result: Any) -> list[Any]:
    """What a finished run has to say, part by part: how good, where the report is, what to try."""
    parts = score_lines(result)
    if figures_of(result.artifacts):
        parts.append(held_out_line(result.artifacts["train"].facts))
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
