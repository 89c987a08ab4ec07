"""`danlu runs` and its verbs."""

from __future__ import annotations

import click

from danlu.recipe.language import tr


@click.command(help=tr("List runs, or show one with its lineage.", "列出运行，或显示一次运行及其来源。"))
@click.argument("run_id", required=False)
@click.pass_obj
def runs(workspace: str, run_id: str | None) -> None:
    """`danlu runs`."""
    from danlu.runs import Workspace

    registry = Workspace(workspace).registry
    if run_id is None:
        for row in registry.runs():
            click.echo(f"{row.id:<48} {row.command:<9} {row.status:<8} {row.started}")
        return
    row, artifacts = registry.run(run_id)
    click.echo(f"{row.id}  {row.command}  {row.status}  {row.started} .. {row.finished or ''}\n{row.folder}")
    if row.error:
        click.echo(row.error)
    for artifact in artifacts:
        click.echo(f"  {artifact.stage:<14} {artifact.status:<7} {artifact.key[:12]}  {artifact.path}")
