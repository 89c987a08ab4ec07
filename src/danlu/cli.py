"""The command line: thin; each verb imports what it needs when it is called."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import click

from danlu import __version__
from danlu.recipe.errors import DanluError
from danlu.recipe.language import tr


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    help=tr(
        "From raw domain rows to a fine-tuned, measured, served model.", "从原始领域数据到微调、评测并上线的模型。"
    ),
)
@click.option(
    "--workspace",
    envvar="DANLU_WORKSPACE",
    default="danlu-workspace",
    show_default=True,
    help=tr("Folder of runs, artifacts and models.", "运行、产物与模型所在的文件夹。"),
)
@click.version_option(__version__, prog_name="danlu")
@click.pass_context
def cli(context: click.Context, workspace: str) -> None:
    """The root of all verbs."""
    context.obj = workspace


recipe_argument = click.argument("recipe", type=click.Path(path_type=Path))
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="FIELD=VALUE",
    help=tr("Override a field, such as train.epochs=2.", "覆盖一个字段，如 train.epochs=2。"),
)  # fmt: skip


@cli.command(help=tr("Write a starter recipe and a small real data set.", "写出入门配方与一小份真实数据。"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help=tr("Overwrite files that are there.", "覆盖已有文件。"))
def init(folder: Path, force: bool) -> None:
    """`danlu init`."""
    from danlu.pipeline.starter import write_starter

    for path in write_starter(folder, force=force):
        click.echo(path)
    click.echo(tr("next: ", "下一步：") + f"danlu run {folder / 'recipe.yaml'}")


def _execute(workspace: str, recipe: Path, overrides: tuple[str, ...], until: str, command: str) -> Any:
    from rich.console import Console

    from danlu.pipeline.display import RunDisplay
    from danlu.pipeline.execute import execute
    from danlu.recipe import load_recipe
    from danlu.runs import Workspace

    # Where the output is not a terminal (a log), rich would take 80 columns, too few for the comparison
    console = Console() if sys.stdout.isatty() else Console(width=110)
    loaded = load_recipe(recipe, overrides)
    with RunDisplay(console) as display:
        result = execute(loaded, Workspace(workspace), until=until, command=command, on_event=display)
    if result.nothing_done:
        said = tr("Nothing to do: every stage was there already.", "无需执行：所有阶段均已完成。")
        console.print(said)
    return console, result


def _print_outcome(console: Any, result: Any) -> None:
    from danlu.pipeline.display import outcome

    for part in outcome(result):
        console.print(part, soft_wrap=isinstance(part, str), highlight=False)


@cli.command(
    help=tr("Do what is missing of data, train, evaluate, export.", "补齐数据、训练、评测、导出中缺少的部分。")
)
@recipe_argument
@set_option
@click.pass_obj
def run(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu run`."""
    _print_outcome(*_execute(workspace, recipe, overrides, "export", "run"))


class _DataGroup(click.Group):
    """`danlu data recipe.yaml` is short for `danlu data make recipe.yaml`."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = ["make", *args]
        return super().parse_args(context, args)


@cli.group(
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

    console, result = _execute(workspace, recipe, overrides, "data", "data")
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
@click.option("--names", type=click.Choice(["rules", "model"]), default="rules", show_default=True)
def data_pii(file: Path, field: str, out: Path, names: str) -> None:
    """`danlu data pii`."""
    from rich.console import Console

    from danlu.data.personal.scan import scan_file
    from danlu.pipeline.display import RowsDisplay, kinds_table

    console = Console()
    with RowsDisplay(console, tr("personal data", "个人信息")) as progress:
        counts = scan_file(file, field, out, names=names, progress=progress)
    console.print(kinds_table(counts))
    console.print(str(out), soft_wrap=True, highlight=False)


@data.command("diff", help=tr("Compare two datasets by their rows.", "按行比较两个数据集。"))
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
def data_diff(a: Path, b: Path) -> None:
    """`danlu data diff`."""
    from rich.console import Console

    from danlu.pipeline.report.diff import diff_datasets, diff_table

    Console().print(diff_table(diff_datasets(a, b)))


@cli.command(help=tr("Train (or go on training); stops before evaluation.", "训练（或继续训练），不评测。"))
@recipe_argument
@set_option
@click.pass_obj
def train(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu train`."""
    from danlu.pipeline.display import held_out_line

    console, result = _execute(workspace, recipe, overrides, "train", "train")
    facts = result.artifacts["train"].facts
    share = facts["trained_parameters"] / facts["parameters"]
    console.print(
        f"{facts['steps']} steps, {facts['tokens']:,} tokens, {facts['trained_parameters']:,} of "
        f"{facts['parameters']:,} parameters ({share:.2%}), loss {facts['final_loss']:.4f}", highlight=False,
    )  # fmt: skip
    if facts.get("test"):
        console.print(held_out_line(facts["test"]), highlight=False)
    console.print(str(result.artifacts["train"].path), soft_wrap=True, highlight=False)


@cli.command(help=tr("Measure base and tuned model on the held-out rows.", "在留出数据上评测基座与微调模型。"))
@recipe_argument
@set_option
@click.pass_obj
def evaluate(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu evaluate`."""
    _print_outcome(*_execute(workspace, recipe, overrides, "evaluate", "evaluate"))


@cli.command(
    help=tr("Export the tuned model and prove it equal to what was trained.", "导出微调模型并证明与训练结果一致。")
)
@recipe_argument
@set_option
@click.pass_obj
def export(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu export`."""
    console, result = _execute(workspace, recipe, overrides, "export", "export")
    facts = result.artifacts["export"].facts
    console.print(
        f"mean KL {facts['mean_kl']:.2e}, top-1 {facts['top1']:.4f} over {facts['positions']} positions; "
        f"{facts['size_bytes'] / 1e6:.1f} MB {facts['dtype']}", highlight=False,
    )  # fmt: skip
    console.print(str(result.artifacts["export"].path), soft_wrap=True, highlight=False)


@cli.command(help=tr("Show what a run would do and what is there already.", "显示将要执行的阶段及已完成的部分。"))
@recipe_argument
@set_option
@click.pass_obj
def plan(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu plan`."""
    from danlu.pipeline.plan import make_plan
    from danlu.recipe import load_recipe
    from danlu.runs import Workspace

    place = Workspace(workspace)
    for stage in make_plan(load_recipe(recipe, overrides)).stages:
        state = tr("there", "已有") if stage.is_made(place) else tr("to do", "待做")
        click.echo(f"{stage.name:<14} {stage.key[:12]}  {state}")


@cli.group("recipe", help=tr("Look at recipes.", "查看配方。"))
def recipe_group() -> None:
    """The verbs on recipes."""


@recipe_group.command("show", help=tr("Print the resolved recipe, defaults written out.", "打印补全默认值的配方。"))
@recipe_argument
@set_option
def recipe_show(recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu recipe show`."""
    from danlu.recipe import load_recipe
    from danlu.recipe.loading import dump_recipe

    click.echo(dump_recipe(load_recipe(recipe, overrides)), nl=False)


@recipe_group.command("schema", help=tr("Print the JSON Schema of recipes.", "打印配方的 JSON Schema。"))
def recipe_schema() -> None:
    """`danlu recipe schema`."""
    from danlu.recipe import Recipe

    click.echo(json.dumps(Recipe.model_json_schema(), indent=2, ensure_ascii=False))


@cli.command(help=tr("List runs, or show one with its lineage.", "列出运行，或显示一次运行及其来源。"))
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


@cli.command(help=tr("List model versions, or show one.", "列出模型版本，或显示其中一个。"))
@click.argument("model", required=False)
@click.pass_obj
def models(workspace: str, model: str | None) -> None:
    """`danlu models`."""
    from danlu.pipeline.display import number
    from danlu.runs import Workspace

    registry = Workspace(workspace).registry
    for row in [registry.model(model)] if model else registry.models():
        scores = "  ".join(f"{name} {number(value)}" for name, value in row.scores.items())
        click.echo(f"{row.name}@{row.version}  {row.created}  {scores}")
        if model:
            click.echo(f"  run    {row.run_id}\n  export {row.export_key[:12]}\n  path   {row.path}")


@cli.command(
    help=tr(
        "Talk to a model in the terminal (/new forgets, Ctrl-D ends).", "在终端与模型对话（/new 清空，Ctrl-D 结束）。"
    )
)
@click.argument("model", required=False)
@click.option("--message", "-m", help=tr("Ask once and leave.", "只问一次。"))
@click.option("--max-tokens", default=256, show_default=True, type=click.IntRange(1))
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0, 2))
@click.option("--thinking/--no-thinking", default=None, help=tr("Default: as it was trained.", "默认与训练一致。"))
@click.pass_obj
def chat(
    workspace: str, model: str | None, message: str | None, max_tokens: int, temperature: float, thinking: bool | None
) -> None:
    """`danlu chat`."""
    from danlu.inference.completion import Sampling
    from danlu.inference.loading import load_engine
    from danlu.pipeline.chat import converse
    from danlu.pipeline.served import find_model
    from danlu.recipe.serve import TransformersEngine
    from danlu.runs import Workspace

    served = find_model(model, Workspace(workspace))
    engine = load_engine(TransformersEngine(), served.path, max_batch=1)
    sampling = Sampling(max_new_tokens=max_tokens, temperature=temperature)
    lines = iter([message]) if message is not None else None

    def ask() -> str | None:
        if lines is not None:
            return next(lines, None)
        try:
            return input(f"{served.name} > ")
        except EOFError:
            return None

    def show(piece: str) -> None:
        click.echo(piece, nl=False)

    try:
        converse(engine, ask, show, sampling, thinking=served.thinking if thinking is None else thinking)
    finally:
        engine.close()


@cli.command(help=tr("Serve a model over an OpenAI-compatible REST API.", "以兼容 OpenAI 的 REST API 提供模型服务。"))
@click.argument("model", required=False)
@click.option("--host", help=tr("Default 127.0.0.1; 0.0.0.0 opens it to all.", "默认 127.0.0.1；0.0.0.0 对外开放。"))
@click.option(
    "--port", type=click.IntRange(0, 65535), help=tr("Default 8000; 0 picks a free one.", "默认 8000；0 自动选择。")
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help=tr("Take the serve section of a recipe.", "使用配方的 serve 部分。"),
)
@click.pass_obj
def serve(workspace: str, model: str | None, host: str | None, port: int | None, recipe: Path | None) -> None:
    """`danlu serve`."""
    from danlu.inference.loading import load_engine
    from danlu.pipeline.served import find_model
    from danlu.recipe import load_recipe
    from danlu.recipe.serve import ServeSection
    from danlu.runs import Workspace
    from danlu.serving.server import serve as serve_forever

    section = load_recipe(recipe).serve if recipe else ServeSection()
    chosen = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    config = ServeSection.model_validate({**section.model_dump(), **chosen})
    served = find_model(model, Workspace(workspace))
    engine = load_engine(config.engine, served.path, max_batch=config.max_batch)
    serve_forever(engine, model_name=served.name, config=config, thinking_default=served.thinking)


@cli.command(help=tr("Print the environment and what would not work in it.", "打印环境及其中的问题。"))
@click.pass_obj
def doctor(workspace: str) -> None:
    """`danlu doctor`."""
    from danlu.pipeline.doctor import examine

    findings = examine(workspace)
    for finding in findings:
        mark = " " if finding.fine else "!"
        click.echo(f"{mark} {finding.what:<14} {finding.value}" + (f"\n{'':17}{finding.fix}" if finding.fix else ""))
    if not all(finding.fine for finding in findings):
        sys.exit(1)


def main() -> None:
    """The `danlu` command: errors of Danlu as one message, exit code 2 for the user's, 1 for ours."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(tr("interrupted; the same command goes on from here", "已中断；再次执行同一命令即可继续"), err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except DanluError as error:
        click.echo(f"danlu: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        handle, path = tempfile.mkstemp(prefix="danlu-error-", suffix=".txt", text=True)
        with os.fdopen(handle, "w") as file:
            traceback.print_exc(file=file)
        click.echo(f"danlu: {tr('a fault of ours', '内部错误')}: {type(error).__name__}: {error}\n  {path}", err=True)
        sys.exit(1)
