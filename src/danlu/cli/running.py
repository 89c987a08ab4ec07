"""What the verbs that run a recipe share: their options, the run itself, and what is said at its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from danlu.recipe.language import tr

recipe_argument = click.argument("recipe", type=click.Path(path_type=Path))
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="FIELD=VALUE",
    help=tr("Override a field, such as train.epochs=2.", "覆盖一个字段，如 train.epochs=2。"),
)  # fmt: skip

fresh_option = click.option(
    "--resume/--fresh", "resume", default=True, show_default=True,
    help=tr("Go on where an earlier run stopped, or start that over.", "接着上次中断处继续，或重新开始。"),
)  # fmt: skip


def console_of() -> Any:
    """The console that is printed on."""
    from rich.console import Console

    # Where the output is not a terminal (a log), rich would take 80 columns, too few for the comparison
    return Console() if sys.stdout.isatty() else Console(width=110)


def execute_recipe(
    workspace: str, recipe: Path, overrides: tuple[str, ...], until: str, command: str, *, fresh: bool = False
) -> Any:
    """Run a recipe up to a stage with what a person sees of it; (console, result)."""
    from danlu.pipeline.display import RunDisplay
    from danlu.pipeline.execute import execute
    from danlu.recipe import load_recipe
    from danlu.runs import Workspace

    console = console_of()
    loaded = load_recipe(recipe, overrides)
    with RunDisplay(console) as display:
        result = execute(loaded, Workspace(workspace), until=until, command=command, on_event=display, fresh=fresh)
    if result.told:
        names = ", ".join(result.told)
        console.print(tr(f"Every stage was there already; given to: {names}.", f"所有阶段均已完成；已交给：{names}。"))
    elif result.nothing_done:
        said = tr("Nothing to do: every stage was there already.", "无需执行：所有阶段均已完成。")
        console.print(said)
    return console, result


def print_outcome(console: Any, result: Any) -> None:
    """The comparison, the report, the model and what to try with it."""
    from danlu.pipeline.display import outcome

    for part in outcome(result):
        console.print(part, soft_wrap=isinstance(part, str), highlight=False)
