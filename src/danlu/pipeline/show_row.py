"""One row of a dataset as the model meets it: its tokens, which of them are learned, and what the ledger says."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.text import Text

from danlu.data.dataset import LEDGER, SUMMARY, load_samples
from danlu.inference.detokenize import UNFINISHED
from danlu.recipe.errors import UserError, nearest
from danlu.recipe.language import tr
from danlu.recipe.objectives import Objective, has_head

LEARNED, CONTROL = ("#ffffff on #0c7561", "#ffffff on #085043"), "magenta"
"""Neighbouring tokens have one shade each in turn, so that each is seen."""
OPEN, CLOSE, BETWEEN = "⟦", "⟧", "│"
FATES = {
    "kept": ("kept as it was", "原样保留"),
    "changed": ("kept, rewritten by", "保留，改写步骤"),
    "truncated": ("kept, truncated", "截断后保留"),
    "dropped": ("dropped by", "被丢弃，步骤"),
    "added": ("made by augmentation", "由数据增强生成"),
    "rejected": ("refused child of augmentation:", "数据增强中被拒绝："),
}

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class Piece:
    """Tokens that make up whole characters: one, or several where a character is cut into its bytes."""

    ids: tuple[int, ...]
    text: str
    learned: bool


@dataclass(frozen=True)
class Lesson:
    """A token sequence as the recipe's objective learns it.

    Attributes:
        name: what it is, where a row has several kinds: 'better answer' ...
        ids: token ids.
        spans: half-open ranges of learned positions.
        weights: of the spans in the loss; empty: one each.
    """

    name: str
    ids: Sequence[int]
    spans: Sequence[tuple[int, int]]
    weights: Sequence[float] = ()


@dataclass(frozen=True)
class ShownRow:
    """A row of the ledger, and its token sequences if it is in the data set.

    Attributes:
        entry: of the ledger: row_id, file, line, fate, step, reason, split, tokens, learned, parent.
        children: ids of rows that augmentation made or tried to make from it.
        lessons: what is learned of it.
        notes: what else there is to say of how it is learned.
    """

    entry: dict[str, Any]
    children: tuple[str, ...]
    lessons: tuple[Lesson, ...] = ()
    notes: tuple[str, ...] = ()


def find_row(dataset: Path, wanted: str, objective: Objective) -> ShownRow:
    """A row by its number (counted from 1 as the sources are read) or by its id (`file:line`).

    Args:
        dataset: folder of the artifact.
        wanted: number or id.
        objective: the recipe's; it decides what is learned of a row.

    Raises:
        UserError: there is no such row.
    """
    if wanted.isdigit():
        entry = _numbered(dataset, int(wanted))
    else:
        found = pq.read_table(dataset / LEDGER, filters=[("row_id", "=", wanted)]).to_pylist()
        if not found:
            raise _no_row(dataset, wanted)
        entry = found[0]
    row_id = entry["row_id"]
    children = pq.read_table(dataset / LEDGER, columns=["row_id"], filters=[("parent", "=", row_id)])
    lessons, notes = _lessons(dataset, entry, objective) if entry.get("split") else ((), ())
    return ShownRow(entry, tuple(children.column("row_id").to_pylist()), lessons, notes)


def _lessons(dataset: Path, entry: dict[str, Any], config: Objective) -> tuple[tuple[Lesson, ...], tuple[str, ...]]:
    """What the objective makes of a row; the sequences as they lie in the data set where it can make nothing of it."""
    from danlu.training.objectives import OBJECTIVES

    samples = load_samples(dataset, entry["split"], entry["row_id"])
    objective = OBJECTIVES.load(config.type)(config)
    notes = []
    try:
        try:
            examples = objective.examples(samples)
        except UserError:  # some learn a row together with others
            found = objective.examples(load_samples(dataset, entry["split"]))
            examples = [example for example in found if example.row_id == entry["row_id"]]
    except UserError as error:
        reason = f"{error.where}: {error.reason}" if error.where else error.reason
        notes.append(tr(f"not for {config.type}: {reason}", f"不适用于 {config.type}：{reason}"))
        return tuple(Lesson("", sample.input_ids, sample.spans) for sample in samples), tuple(notes)
    pair = (tr("better answer", "较好的回答"), tr("worse answer", "较差的回答"))
    lessons = [
        Lesson(pair[index] if len(example.pieces) == 2 else "", piece.input_ids, piece.spans, piece.weights)
        for example in examples
        for index, piece in enumerate(example.pieces)
    ]
    if not lessons:
        notes.append(tr(f"{config.type} learns nothing of this row", f"{config.type} 不学习此行"))
    if has_head(config):
        told = ", ".join(samples[0].labels) or tr("a reward", "奖励值")
        if samples[0].no_label:
            told = tr("no class", "无类别")
        notes.append(tr(f"a new head learns: {told}", f"新的输出头学习：{told}"))
    return tuple(lessons), tuple(notes)


def _numbered(dataset: Path, number: int) -> dict[str, Any]:
    """The n-th row read; children stand behind all of them and are not counted."""
    read = int(json.loads((dataset / SUMMARY).read_text(encoding="utf-8"))["read"])
    if not 1 <= number <= read:
        raise UserError(f"there is no row {number}", where="--row", fix=f"rows are counted from 1 to {read}")
    before = 0
    for batch in pq.ParquetFile(dataset / LEDGER).iter_batches():
        if number <= before + batch.num_rows:
            entry: dict[str, Any] = batch.slice(number - before - 1, 1).to_pylist()[0]
            return entry
        before += batch.num_rows
    raise UserError(f"the ledger ends before row {number}", where=str(dataset), fix="make the data set again")


def _no_row(dataset: Path, wanted: str) -> UserError:
    """Row ids are `file:line`: say what the file's name or the last line should have been."""
    file, _, line = wanted.rpartition(":")
    places = pq.read_table(dataset / LEDGER, columns=["file", "line"])
    files = sorted(set(places.column("file").to_pylist()))
    if file in files and line.isdigit():
        lines = [at for name, at in zip(*(c.to_pylist() for c in places.columns), strict=True) if name == file]
        fix = f"'{file}' was read from line {min(lines)} to {max(lines)}; a blank line is no row"
    else:
        fix = f"give a number, or file:line; files: {nearest(file or wanted, files)}"
    return UserError(f"there is no row '{wanted}'", where="--row", fix=fix)


def pieces(ids: Sequence[int], spans: Sequence[tuple[int, int]], decode: Decode) -> Iterator[Piece]:
    """The tokens with their text; those that share a character come together, but never across the edge of a span."""
    edges = {edge for span in spans for edge in span}
    held: list[int] = []
    for position, token in enumerate(ids):
        held.append(token)
        text = decode(held)
        last = position + 1 == len(ids) or position + 1 in edges
        if not text.endswith(UNFINISHED) or last or len(held) >= 4:  # a character has at most four bytes
            learned = any(start <= position < end for start, end in spans)
            yield Piece(tuple(held), text, learned)
            held = []


def print_row(console: Console, shown: ShownRow, decode: Decode, control: set[int], *, ids: bool = False) -> None:
    """Print a row: in colour where there is colour, else with ⟦ ⟧ around what is learned and │ between tokens.

    Args:
        console: where to.
        shown: the row.
        decode: token ids to text, control tokens included.
        control: ids of the control tokens.
        ids: a line for each token, with its position and id.
    """
    for line in ledger_lines(shown):
        console.print(line, soft_wrap=True)
    colour = console.color_system is not None and not console.no_color
    for number, lesson in enumerate(shown.lessons, start=1):
        console.print()
        console.print(Text(_title(lesson, number, len(shown.lessons)), "bold"))
        found = list(pieces(lesson.ids, lesson.spans, decode))
        if ids:
            for row in _table(found, control):
                console.print(row, soft_wrap=True)
        else:
            console.print(_flow(found, control, colour), soft_wrap=True)
    if shown.lessons:
        console.print()
        console.print(_legend(ids, colour))


def _title(lesson: Lesson, number: int, count: int) -> str:
    learned = sum(end - start for start, end in lesson.spans)
    of = f" {number}/{count}" if count > 1 else ""
    title = tr(
        f"sample{of}: {len(lesson.ids):,} tokens, {learned:,} learned",
        f"样本{of}：{len(lesson.ids):,} 个 token，学习 {learned:,} 个",
    )
    if any(weight != 1 for weight in lesson.weights):
        title += tr(", weights ", "，权重 ") + ", ".join(f"{weight:g}" for weight in lesson.weights)
    return title + (f" · {lesson.name}" if lesson.name else "")


def ledger_lines(shown: ShownRow) -> list[Text]:
    """What the books say of the row."""
    entry = shown.entry
    fate = tr(*FATES[entry["fate"]])
    said = {
        "changed": f"{fate} {entry['step']}",
        "dropped": f"{fate} {entry['step']}: {entry['reason']}",
        "rejected": f"{fate} {entry['step']}: {entry['reason']}",
        "truncated": f"{fate} ({entry['reason']})",
    }.get(entry["fate"], fate)
    lines = [Text.assemble((entry["row_id"], "bold"), "  ", (visible(said), _tone(entry["fate"])))]
    if entry.get("split"):
        figures = tr(
            f"split {entry['split']} · {entry['tokens']:,} tokens, {entry['learned']:,} learned",
            f"划分 {entry['split']} · {entry['tokens']:,} 个 token，学习 {entry['learned']:,} 个",
        )
        lines.append(Text(figures))
    if entry.get("parent"):
        lines.append(Text(tr("made from ", "来源行 ") + entry["parent"]))
    if shown.children:
        lines.append(Text(tr("children: ", "增强得到：") + ", ".join(shown.children[:8])))
    lines += [Text(visible(note), "yellow") for note in shown.notes]
    if entry["fate"] in ("dropped", "rejected"):
        lines.append(Text(tr("not in the data set, so it has no tokens", "不在数据集中，没有 token"), "dim"))
    return lines


def _tone(fate: str) -> str:
    return {"dropped": "yellow", "rejected": "yellow", "truncated": "yellow"}.get(fate, "green")


def _flow(found: Sequence[Piece], control: set[int], colour: bool) -> Text:
    """The tokens as running text."""
    text = Text()
    inside = False
    for index, piece in enumerate(found):
        if not colour and piece.learned != inside:
            text.append(OPEN if piece.learned else CLOSE)
        elif not colour and index:
            text.append(BETWEEN)
        inside = piece.learned
        shown = visible(piece.text)
        text.append(shown, _style(piece, control, index))
    if inside and not colour:
        text.append(CLOSE)
    return text


def _style(piece: Piece, control: set[int], index: int) -> str:
    """Learned tokens stand on green; of the others every second one is underlined."""
    if piece.learned:
        return LEARNED[index % 2]
    tone = CONTROL if piece.ids[0] in control else "default"
    return f"{tone} underline" if index % 2 else tone


def _table(found: Sequence[Piece], control: set[int]) -> Iterator[Text]:
    """A line for each token: position, id, its text, and a mark where it is learned."""
    position = 0
    for piece in found:
        for number, token in enumerate(piece.ids):
            mark = "●" if piece.learned else " "
            text = visible(piece.text, lines=False).replace(" ", "␣") if number == 0 else "〃"
            style = "green" if piece.learned else CONTROL if token in control else ""
            yield Text(f"{position:>6} {token:>8} {mark} {text}", style)
            position += 1


def _legend(ids: bool, colour: bool) -> Text:
    if ids:
        return Text(tr("● learned   〃 a further byte of the same character", "● 学习   〃 同一字符的后续字节"), "dim")
    if colour:
        learned = Text.assemble((tr("learned", "学习"), LEARNED[0]), tr("  read only", "  仅阅读"))
        return Text.assemble(learned, (tr("  control token", "  控制符"), CONTROL))
    return Text(tr(f"{OPEN}learned{CLOSE}  {BETWEEN} between tokens", f"{OPEN}学习{CLOSE}  {BETWEEN} 分隔 token"))


def visible(text: str, *, lines: bool = True) -> str:
    """Text that a terminal may be given: line ends as ⏎, other control characters by their code.

    Args:
        text: of a row, so of anybody.
        lines: whether a line end also begins a new line.
    """
    found = []
    for character in text:
        if character == "\n":
            found.append("⏎\n" if lines else "⏎")
        elif unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and character != "\u200d":
            found.append(f"\\u{ord(character):04x}" if ord(character) > 255 else f"\\x{ord(character):02x}")
        else:
            found.append(character)
    return "".join(found)
