"""The command line: thin; each verb imports what it needs when it is called."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from functools import partial
from pathlib import Path

import click

from danlu import __version__
from danlu.cli.data import data
from danlu.cli.running import console_of, execute_recipe, fresh_option, print_outcome, recipe_argument, set_option
from danlu.cli.runs import runs
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


@cli.command(help=tr("Write a starter recipe and a small real data set.", "写出入门配方与一小份真实数据。"))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help=tr("Overwrite files that are there.", "覆盖已有文件。"))
def init(folder: Path, force: bool) -> None:
    """`danlu init`."""
    from danlu.pipeline.starter import write_starter

    for path in write_starter(folder, force=force):
        click.echo(path)
    click.echo(tr("next: ", "下一步：") + f"danlu run {folder / 'recipe.yaml'}")


@cli.command(
    help=tr("Do what is missing of data, train, evaluate, export.", "补齐数据、训练、评测、导出中缺少的部分。")
)
@recipe_argument
@set_option
@fresh_option
@click.pass_obj
def run(workspace: str, recipe: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """`danlu run`."""
    print_outcome(*execute_recipe(workspace, recipe, overrides, "export", "run", fresh=not resume))


cli.add_command(data)


@cli.command(help=tr("Train (or go on training); stops before evaluation.", "训练（或继续训练），不评测。"))
@recipe_argument
@set_option
@fresh_option
@click.pass_obj
def train(workspace: str, recipe: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """`danlu train`."""
    from danlu.pipeline.display import held_out_line

    console, result = execute_recipe(workspace, recipe, overrides, "train", "train", fresh=not resume)
    facts = result.artifacts["train"].facts
    share, final = facts["trained_parameters"] / facts["parameters"], facts["final_loss"]
    loss = "–" if final is None else f"{final:.4f}"
    console.print(
        tr(
            f"{facts['steps']} steps, {facts['tokens']:,} tokens, {facts['trained_parameters']:,} of "
            f"{facts['parameters']:,} parameters ({share:.2%}), loss {loss}",
            f"{facts['steps']} 步，{facts['tokens']:,} 个词元，训练 {facts['parameters']:,} 个参数中的 "
            f"{facts['trained_parameters']:,} 个（{share:.2%}），损失 {loss}",
        ),
        highlight=False,
    )  # fmt: skip
    if facts.get("test"):
        console.print(held_out_line(facts), highlight=False)
    console.print(str(result.artifacts["train"].path), soft_wrap=True, highlight=False)


@cli.command(help=tr("Measure base and tuned model on the held-out rows.", "在留出数据上评测基座与微调模型。"))
@recipe_argument
@set_option
@click.pass_obj
def evaluate(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu evaluate`."""
    print_outcome(*execute_recipe(workspace, recipe, overrides, "evaluate", "evaluate"))


@cli.command(
    help=tr("Export the tuned model and prove it equal to what was trained.", "导出微调模型并证明与训练结果一致。")
)
@recipe_argument
@set_option
@click.pass_obj
def export(workspace: str, recipe: Path, overrides: tuple[str, ...]) -> None:
    """`danlu export`."""
    console, result = execute_recipe(workspace, recipe, overrides, "export", "export")
    facts = result.artifacts["export"].facts
    console.print(
        f"mean KL {facts['mean_kl']:.2e}, top-1 {facts['top1']:.4f} over {facts['positions']} positions; "
        f"{facts['size_bytes'] / 1e6:.1f} MB {facts['dtype']}", highlight=False,
    )  # fmt: skip
    console.print(str(result.artifacts["export"].path), soft_wrap=True, highlight=False)


@cli.command(
    help=tr(
        "Show what a run would do, what trains and what memory it takes.", "显示将执行的阶段、可训练参数与所需内存。"
    )
)
@recipe_argument
@set_option
@click.option(
    "--time/--no-time", "timed", default=True,
    help=tr("Run a few steps to tell how long training takes.", "试跑几步以估计训练时间。"), show_default=True,
)  # fmt: skip
@click.pass_obj
def plan(workspace: str, recipe: Path, overrides: tuple[str, ...], timed: bool) -> None:
    """`danlu plan`."""
    from danlu.pipeline.plan import make_plan
    from danlu.recipe import load_recipe
    from danlu.runs import Workspace

    place, planned = Workspace(workspace), make_plan(load_recipe(recipe, overrides))
    for stage in planned.stages:
        state = tr("there", "已有") if stage.is_made(place) else tr("to do", "待做")
        click.echo(f"{stage.name:<14} {stage.key[:12]}  {state}")
    data = planned.stages[0]
    dataset = place.artifacts.find(data.kind, data.key)
    if dataset is None:
        click.echo(tr("parameters, steps and memory: after ", "参数、步数与内存：请先运行 ") + f"danlu data {recipe}")
        return
    from danlu.pipeline.outlook import print_outlook
    from danlu.pipeline.stages import training_input
    from danlu.training.outlook import look_ahead

    console = console_of()
    with console.status(tr("looking ahead", "预估中")):
        outlook = look_ahead(training_input(planned, dataset.path), timed=timed)
    print_outlook(console, outlook)


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


cli.add_command(runs)


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
    from danlu.pipeline.chat import converse, questions
    from danlu.pipeline.served import find_model
    from danlu.recipe.serve import TransformersEngine
    from danlu.runs import Workspace

    served = find_model(model, Workspace(workspace))
    engine = load_engine(TransformersEngine(), served.path, max_batch=1)
    sampling = Sampling(max_new_tokens=max_tokens, temperature=temperature)
    thinking = served.thinking if thinking is None else thinking
    show, ask = partial(click.echo, nl=False), questions(served.name, message)
    try:
        converse(engine, ask, show, sampling, thinking=thinking)
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
        click.echo(f"danlu: {error}{error.again(sys.argv[1:])}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        handle, path = tempfile.mkstemp(prefix="danlu-error-", suffix=".txt", text=True)
        with os.fdopen(handle, "w") as file:
            traceback.print_exc(file=file)
        click.echo(f"danlu: {tr('a fault of ours', '内部错误')}: {type(error).__name__}: {error}\n  {path}", err=True)
        sys.exit(1)
