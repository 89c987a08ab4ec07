"""`danlu data` and its verbs."""

from __future__ import annotations

from pathlib import Path

import click

from danlu.cli.running import console_of, execute_recipe, recipe_argument, set_option
from danlu.recipe.language import tr


class _DataGroup(click.Group):
    """`danlu data recipe.yaml` is short for `danlu data make recipe.yaml`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["make", *args]
        return super().parse_args(context, args)


@click.group(
    cls=_DataGroup,
    help=tr(
        "Make the dataset of a recipe and print its ledger; look into data.",
        "生成配方的数据集并打印账本；查看数据。",
    ),
)
def data() -> None:
    """The verbs on data."""


@data.command("make", help=tr("Make the dataset and print its ledger (the default).", "生成数据集并打印账本（默认）。"))
@recipe_argument
@set_option
@click.pass_obj
def data_make(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu data`."""
    from danlu.pipeline.dataset_page import PAGE
    from danlu.pipeline.display import ledger_table, reasons

    console, result = execute_recipe(workspace, recipe, overrides, "data", "data")
    dataset = result.artifacts["data"]
    console.print(ledger_table(dataset.facts))
    for line in reasons(dataset.facts):
        console.print(f"  {line}", highlight=False)
    console.print(str(dataset.path / PAGE), soft_wrap=True, highlight=False)


@data.command(
    "pii",
    help=tr(
        "Find personal data in a JSONL file; writes spans, never values, and changes nothing.",
        "在 JSONL 文件中查找个人信息；只写位置不写内容，不改动文件。",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--field", default="text", show_default=True, help=tr("Key of the text; a.b goes in.", "文本字段名。"))
@click.option("--out", required=True, type=click.Path(path_type=Path), help=tr("JSONL of spans.", "输出的位置文件。"))
@click.option(
    "--names",
    type=click.Choice(["rules", "model", "off"]),
    default="rules",
    show_default=True,
    help=tr("How names are found; off: not at all.", "人名的识别方式；off：不识别。"),
)
def data_pii(file: Path, field: str, out: Path, names: str) -> None:
    """`danlu data pii`."""
    from rich.console import Console

    from danlu.data.personal.scan import scan_file
    from danlu.pipeline.display import RowsDisplay, found_personal

    console = Console()
    with RowsDisplay(console, tr("personal data", "个人信息")) as progress:
        counts = scan_file(file, field, out, names=names, progress=progress)
    console.print(found_personal(counts, progress.done))
    console.print(str(out), soft_wrap=True, highlight=False)


@data.command(
    "diff",
    help=tr("Compare the rows of two datasets (recipes, folders or keys).", "按行比较两个数据集（配方、文件夹或键）。"),
)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.pass_obj
def data_diff(workspace: str, a: Path, b: Path) -> None:
    """`danlu data diff`."""
    from rich.console import Console

    from danlu.pipeline.datasets import find_dataset
    from danlu.pipeline.report.diff import diff_datasets, diff_table

    Console().print(diff_table(diff_datasets(find_dataset(a, workspace), find_dataset(b, workspace))))


@data.command(
    "show",
    help=tr(
        "Print a row's tokens with the learned ones marked, and what the ledger says of it.",
        "打印一行的 token 并标出参与学习的部分，以及账本中的记录。",
    ),
)
@recipe_argument
@set_option
@click.option(
    "--row",
    required=True,
    metavar="N | FILE:LINE",
    help=tr("The N-th row read, counted from 1, or a row id.", "第 N 个读入的行（从 1 起），或行 id。"),
)
@click.option("--ids", is_flag=True, help=tr("A line for each token, with its id.", "每个 token 一行，附其 id。"))
@click.pass_obj
def data_show(workspace: str, recipe: Path, overrides: tuple[str, ...], row: str, ids: bool) -> None:
    """`danlu data show`."""
    from danlu.models.loading import load_renderer
    from danlu.pipeline.plan import make_plan
    from danlu.pipeline.show_row import find_row, print_row
    from danlu.recipe import load_recipe
    from danlu.runs import Workspace

    loaded = load_recipe(recipe, overrides)
    plan = make_plan(loaded, "data")
    stage, console = plan.stages[0], console_of()
    found = Workspace(workspace).artifacts.find(stage.kind, stage.key)
    if found is None:
        console, result = execute_recipe(workspace, recipe, overrides, "data", "data")
        found = result.artifacts["data"]
    renderer = load_renderer(plan.base.path)
    shown = find_row(found.path, row, loaded.train.objective)
    control = set(renderer.tokenizer.added_tokens_decoder)
    print_row(console, shown, lambda tokens: renderer.decode(tokens, special=True), control, ids=ids)
