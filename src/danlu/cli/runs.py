"""`danlu runs` and its verbs."""

from __future__ import annotations

from pathlib import Path

import click

from danlu.cli.running import console_of
from danlu.recipe.language import tr


class _RunsGroup(click.Group):
    """`danlu runs` is short for `danlu runs list`, `danlu runs RUN` for `danlu runs show RUN`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args:
            args = ["list"]
        elif args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().parse_args(context, args)


@click.group(
    cls=_RunsGroup,
    help=tr("List runs, show one with its lineage, compare some.", "列出运行、查看来源、对比多次运行。"),
)
def runs() -> None:
    """The verbs on runs."""


@runs.command(
    "list", help=tr("List runs with state, date and scores (the default).", "列出运行的状态、日期与得分（默认）。")
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help=tr("The newest.", "最近的条数。"))
@click.pass_obj
def runs_list(workspace: str, limit: int) -> None:
    """`danlu runs list`."""
    from danlu.pipeline.runs_table import runs_table
    from danlu.runs import Workspace

    place = Workspace(workspace)
    rows = place.registry.runs(limit)
    if rows:
        console_of().print(runs_table(place, rows))
    else:
        click.echo(tr("there is no run yet: danlu run RECIPE makes the first", "还没有运行：danlu run RECIPE"))


@runs.command("show", help=tr("Show a run with its lineage.", "显示一次运行及其来源。"))
@click.argument("run_id")
@click.pass_obj
def runs_show(workspace: str, run_id: str) -> None:
    """`danlu runs show`."""
    from danlu.runs import Workspace

    row, artifacts = Workspace(workspace).registry.run(run_id)
    click.echo(f"{row.id}  {row.command}  {row.status}  {row.started} .. {row.finished or ''}\n{row.folder}")
    if row.error:
        click.echo(row.error)
    for artifact in artifacts:
        click.echo(f"  {artifact.stage:<14} {artifact.status:<7} {artifact.key[:12]}  {artifact.path}")


@runs.command(
    "compare",
    help=tr(
        "Compare two to six runs (ids or NAME@VERSION): a table here, curves and scores in one HTML page.",
        "对比二至六次运行（运行 id 或 名称@版本）：终端打印表格，曲线与得分写入一个 HTML 页面。",
    ),
)
@click.argument("run_ids", nargs=-1, required=True, metavar="A B [C ...]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=tr("The page; default: in the workspace.", "页面路径；默认在工作区内。"),
)
@click.pass_obj
def runs_compare(workspace: str, run_ids: tuple[str, ...], out: Path | None) -> None:
    """`danlu runs compare`."""
    from danlu.pipeline.compare_runs import compare_runs, write_comparison
    from danlu.pipeline.runs_table import comparison_tables
    from danlu.runs import Workspace

    place = Workspace(workspace)
    found = compare_runs(place, run_ids)
    console = console_of()
    for part in comparison_tables(found):
        console.print(part)
        console.print()
    page = write_comparison(found, place, out)
    console.print(tr("page: ", "页面：") + str(page), soft_wrap=True, highlight=False)
