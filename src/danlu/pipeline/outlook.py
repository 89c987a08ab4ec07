"""`danlu plan`: what will train, in how many steps, and what memory it takes, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from danlu.pipeline.report.numbers import duration
from danlu.recipe.language import tr

if TYPE_CHECKING:
    from danlu.training.outlook import Outlook

_GIB = 2**30


def print_outlook(console: Any, outlook: Outlook) -> None:
    """Groups of parameters, steps, memory, and what to do if it does not fit."""
    from rich.table import Table

    table = Table(tr("group", "参数组"), tr("parameters", "参数量"), tr("trained", "可训练"), "%")
    total = sum(group.total for group in outlook.groups)
    trained = sum(group.trained for group in outlook.groups)
    for group in outlook.groups:
        share = 100 * group.trained / group.total
        table.add_row(group.group, f"{group.total:,}", f"{group.trained:,}", f"{share:.2f}")
    table.add_row(tr("all", "合计"), f"{total:,}", f"{trained:,}", f"{100 * trained / total:.2f}", style="bold")
    console.print(table)
    console.print(
        tr(
            f"{outlook.rows:,} training examples, {outlook.tokens:,} tokens an epoch ({outlook.learned:,} learned), "
            f"{outlook.steps:,} steps",
            f"{outlook.rows:,} 条训练样本，每轮 {outlook.tokens:,} 个 token（其中 {outlook.learned:,} 个参与学习），"
            f"共 {outlook.steps:,} 步",
        )
    )
    memory = Table(
        tr("checkpointing", "激活重算"), "micro_tokens", tr("weights", "权重"), tr("optimizer", "优化器"),
        tr("step", "单步"), tr("libraries", "计算库"), tr("peak GiB", "峰值 GiB"), tr("fits", "可容纳"),
    )  # fmt: skip
    for choice in outlook.choices:
        parts = choice.forecast
        numbers = (parts.weights, parts.state, parts.step * parts.at_once, parts.libraries, parts.total)
        row = (choice.checkpointing, str(choice.micro_tokens), *(f"{number / _GIB:.2f}" for number in numbers))
        memory.add_row(*row, tr("yes", "是") if choice.fits else tr("no", "否"))
    console.print(memory)
    console.print(
        tr(
            "peak of living tensors and libraries; on a CPU the allocator may hold up to twice as much",
            "峰值为存活张量与计算库；在 CPU 上分配器可能占用至多两倍",
        )
    )
    console.print(tr(f"free memory: {outlook.free / _GIB:.1f} GiB", f"可用内存：{outlook.free / _GIB:.1f} GiB"))
    _advise(console, outlook)
    _tell_time(console, outlook)
    for warning in outlook.warnings:
        console.print(tr("warning: ", "警告：") + warning, soft_wrap=True)


def _advise(console: Any, outlook: Outlook) -> None:
    first, best = outlook.choices[0], outlook.advice
    if best is first:
        return
    if best is None:
        console.print(
            tr(
                "does not fit: take a smaller model, qlora, or rows of fewer tokens (data.max_tokens)",
                "内存不足：请使用更小的模型、qlora，或更短的样本（data.max_tokens）",
            )
        )
        return
    told = f"--set train.checkpointing={best.checkpointing} --set train.batch.micro_tokens={best.micro_tokens}"
    console.print(tr("does not fit as it is; this does: ", "当前设置内存不足；可改用：") + told, soft_wrap=True)


def _tell_time(console: Any, outlook: Outlook) -> None:
    pace, whole, epoch = outlook.pace, outlook.seconds, outlook.epoch_seconds
    if pace is None or whole is None or epoch is None:
        return
    steps, speed = pace.steps, f"{pace.tokens_per_second:,.0f}"
    console.print(
        tr(
            f"about {duration(epoch)} an epoch, {duration(whole)} in all, validation not counted "
            f"({speed} tokens/s in {steps} steps tried on this machine)",
            f"每轮约 {duration(epoch)}，全程约 {duration(whole)}，不含验证（在本机试跑 {steps} 步，{speed} token/s）",
        ),
        highlight=False,
    )
