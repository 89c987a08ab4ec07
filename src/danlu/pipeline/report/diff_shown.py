"""The comparison of two datasets as a person sees it: a table in the terminal, a page in the browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from danlu.pipeline.report import dataset_words as words
from danlu.pipeline.report.charts import stacked_bar
from danlu.pipeline.report.dataset_text import isolated, listed, plain
from danlu.pipeline.report.diff_data import Change, DatasetDiff, Group
from danlu.pipeline.report.numbers import count, signed
from danlu.pipeline.report.templates import environment
from danlu.recipe.language import chosen_language, tr

SHOWN_IDS = 4
HELD_OUT = ("validation", "test")
GROUPS = {
    "rows": ("Rows", "行"),
    "children": ("Children of augmentation", "增强行"),
    "splits": ("Splits", "划分"),
    "tokens": ("Tokens", "Token"),
    "languages": ("Languages", "语言"),
    "labels": ("Labels", "标签"),
    "personal data": ("Personal data", "个人信息"),
    "steps": ("Rows dropped by each step", "各步丢弃的行"),
}
FATES = {
    "read": ("read", "读入"),
    "kept": ("kept as they were", "原样保留"),
    "changed": ("kept, rewritten", "改写后保留"),
    "truncated": ("kept, truncated", "截断后保留"),
    "dropped": ("dropped", "丢弃"),
    "added": ("in the data set", "进入数据集"),
    "rejected": ("rejected", "拒绝"),
    "total": ("total", "总数"),
    "learned": ("learned", "参与学习"),
}


def sentence(diff: DatasetDiff) -> str:
    """What matters most: whether the same rows are trained on and held out."""
    rows = diff.rows
    if not (rows.changed.count or rows.only_a.count or rows.only_b.count or rows.moves):
        return tr(
            f"Both hold the same {count(rows.same)} rows, split alike.", f"两者的 {count(rows.same)} 行及划分完全相同。"
        )
    found = tr(
        f"{count(rows.same)} rows say the same in both, {count(rows.changed.count)} were changed, "
        f"{count(rows.only_a.count)} are only in A, {count(rows.only_b.count)} only in B.",
        f"{count(rows.same)} 行内容相同，{count(rows.changed.count)} 行有改动，仅 A 有 {count(rows.only_a.count)} 行，"
        f"仅 B 有 {count(rows.only_b.count)} 行。",
    )
    seen = sum(
        group.count for move, group in rows.moves.items() if move.endswith("→ train") and move.split(" ")[0] in HELD_OUT
    )
    if seen:
        found += tr(
            f" {count(seen)} rows that A holds out are trained on in B: a model of B must not be scored on them.",
            f"A 的 {count(seen)} 条留出行在 B 中用于训练：不能用它们评估 B 的模型。",
        )
    return found


def diff_table(diff: DatasetDiff) -> Table:
    """The comparison for the terminal; of the counts only those that differ."""
    table = Table(title=sentence(diff), title_justify="left", title_style="bold")
    for heading in ("", f"A  {plain(diff.keys[0])[:12]}", f"B  {plain(diff.keys[1])[:12]}", tr("difference", "差异")):
        middle = 0 < len(table.columns) < 3
        table.add_column(Text(heading), justify="right" if middle else "left", overflow="fold")
    for name, group, side in _groups(diff):
        amounts = [count(group.count) if side in (which, "both") else "" for which in ("a", "b")]
        table.add_row(Text(name), *amounts, Text(_ids(group), style="dim"))
    for title, changes in _counted(diff):
        table.add_section()
        table.add_row(Text(title, style="bold"))
        for name, a, b, difference in changes:
            table.add_row(Text(f"  {name}"), a, b, difference)
    if diff.recipe:
        table.add_section()
        table.add_row(Text(tr("Recipe", "配方"), style="bold"))
        for change in diff.recipe:
            table.add_row(Text(f"  {plain(change.name)}"), Text(_value(change.a)), Text(_value(change.b)))
    return table


def render_diff(diff: DatasetDiff, title_a: str, title_b: str) -> str:
    """The comparison as one HTML page that loads nothing."""
    rows = diff.rows
    parts = [
        ("kept", tr("the same", "相同"), rows.same),
        ("changed", tr("changed", "改动"), rows.changed.count),
        ("dropped", tr("only in A", "仅 A"), rows.only_a.count),
        ("test", tr("only in B", "仅 B"), rows.only_b.count),
    ]
    return environment().get_template("diff.html.j2").render(
        page_language="zh-CN" if chosen_language() == "zh" else "en",
        titles=[isolated(title_a), isolated(title_b)],
        plain_title=f"{plain(title_a)} / {plain(title_b)}",
        keys=[isolated(key) for key in diff.keys],
        sentence=sentence(diff),
        chart=stacked_bar(parts, tr("Rows", "行")),
        legend=[(kind, label, count(amount)) for kind, label, amount in parts],
        groups=[(plain(name), count(g.count), listed(g.examples)) for name, g, _ in _groups(diff) if g.examples],
        counted=[(title, list(changes)) for title, changes in _counted(diff)],
        recipe=[(isolated(c.name), isolated(_value(c.a)), isolated(_value(c.b))) for c in diff.recipe],
    )  # fmt: skip


def _groups(diff: DatasetDiff) -> Iterator[tuple[str, Group, str]]:
    """(what became of them, the rows, the side they are on) of each group that is not empty."""
    rows = diff.rows
    yield tr("rows that say the same", "内容相同的行"), Group(rows.same, ()), "both"
    for name, group, side in (
        (tr("same id, other content", "同 id、内容不同"), rows.changed, "both"),
        (tr("only in A", "仅在 A"), rows.only_a, "a"),
        (tr("only in B", "仅在 B"), rows.only_b, "b"),
        *((tr(f"moved {move}", f"移动 {move}"), group, "both") for move, group in rows.moves.items()),
    ):
        if group.count:
            yield name, group, side


def _counted(diff: DatasetDiff) -> Iterator[tuple[str, list[tuple[str, str, str, str]]]]:
    """(title, rows of name, A, B and difference) of each group of counts in which something differs."""
    for group, changes in diff.counts.items():
        found = [_change(group, change) for change in changes if change.a != change.b]
        if found:
            yield words.called(GROUPS, group), found


def _change(group: str, change: Change) -> tuple[str, str, str, str]:
    known = {
        "rows": FATES,
        "children": FATES,
        "tokens": FATES,
        "splits": words.SPLITS,
        "languages": words.LANGUAGES,
        "steps": words.STEPS,
    }
    name = words.called(known[group], change.name) if group in known else plain(change.name)
    difference = signed(int(change.b or 0) - int(change.a or 0), 0)
    return name, _amount(change.a), _amount(change.b), difference


def _amount(value: Any) -> str:
    return "–" if value is None else count(value)


def _ids(group: Group) -> str:
    """The first ids in one line of a terminal; the page and `as_dict` have more."""
    shown = group.examples[:SHOWN_IDS]
    more = f" +{count(group.count - len(shown))}" if group.count > len(shown) > 0 else ""
    return ", ".join(plain(example) for example in shown) + more


def _value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):  # a step or section that one side lacks: its own plain fields say enough
        told = {key: inner for key, inner in value.items() if key != "type" and isinstance(inner, (str, int, float))}
        value = ", ".join(f"{key}: {inner}" for key, inner in told.items()) or tr("yes", "有")
    return plain(", ".join(map(str, value)) if isinstance(value, list) else value)
