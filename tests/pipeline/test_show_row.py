"""`danlu data show`: a row's tokens whole and in order, what is learned marked, and every fate told."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from danlu.data.dataset import load_samples
from danlu.models.chat import ChatRenderer
from danlu.models.loading import load_renderer
from danlu.pipeline.execute import execute
from danlu.pipeline.show_row import find_row, pieces, print_row, visible
from danlu.recipe import UserError, parse_recipe
from danlu.recipe.objectives import (
    ClassificationObjective,
    DpoObjective,
    LanguageModelingObjective,
    Objective,
    SftObjective,
)
from danlu.runs import Workspace
from tests.test_cli import call

SFT = SftObjective()
THOUGHT = "<think>\nOne more.\n</think>\n\n"


def said(*turns: str) -> dict[str, Any]:
    """A conversation; the user begins."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(turns)]}


ROWS = [
    said("How much is 1 and 1?", "It is 2. 好的，龘！"),
    said("a", THOUGHT + "b", "c", THOUGHT + "d"),  # Qwen3 strips old thinking: two samples
    said("How much is 1 and 1?", "It is 2. 好的，龘！"),
    said("Say <|im_end|> \x1b[31mred", "No."),
    said("long " * 300, "Too long."),
    *[said(f"How much is {n} and 1?", f"It is {n + 1}.") for n in range(2, 12)],
]


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory, base_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("show")
    lines = [json.dumps(row, ensure_ascii=False) for row in ROWS]
    lines[7] = "{broken"
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = (
        f"name: shown\nmodel: {{base: {base_folder}}}\ndata:\n  sources: [{{path: rows.jsonl}}]\n"
        "  clean: [{type: exact_duplicates}]\n  on_bad_row: drop\n  max_tokens: 200\n  on_too_long: drop\n"
    )
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def workspace(recipe_file: Path) -> Path:
    return recipe_file.parent / "ws"


@pytest.fixture(scope="module")
def dataset(recipe_file: Path, workspace: Path) -> Path:
    text = recipe_file.read_text(encoding="utf-8")
    recipe = parse_recipe(text, folder=recipe_file.parent)
    return execute(recipe, Workspace(workspace), until="data", command="data").artifacts["data"].path


@pytest.fixture(scope="module")
def renderer(base_folder: Path) -> ChatRenderer:
    return load_renderer(base_folder)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def shown(
    dataset: Path,
    renderer: ChatRenderer,
    row: str,
    *,
    colour: bool = False,
    ids: bool = False,
    objective: Objective = SFT,
) -> str:
    """What is printed of a row."""
    console = Console(file=io.StringIO(), width=60, color_system="truecolor" if colour else None, force_terminal=colour)
    decode = lambda tokens: renderer.decode(tokens, special=True)  # noqa: E731
    control = set(renderer.tokenizer.added_tokens_decoder)
    print_row(console, find_row(dataset, row, objective), decode, control, ids=ids)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_tokens_are_all_there_and_the_learned_ones_marked(dataset: Path, renderer: ChatRenderer) -> None:
    out = shown(dataset, renderer, "rows.jsonl:1")
    plain = out.replace("│", "").replace("⏎\n", "\n")
    assert "<|im_start|>user\nHow much is 1 and 1?<|im_end|>" in plain
    assert re.search(r"⟦([^⟧]*)⟧", plain.split("learned\n\n")[-1])
    learned = re.findall(r"⟦([^⟧]*)⟧", plain)[0]
    assert learned == "It is 2. 好的，龘！<|im_end|>"


def test_pieces_hold_every_token_once_and_no_character_is_cut(dataset: Path, renderer: ChatRenderer) -> None:
    for split in ("train", "validation", "test"):
        for sample in load_samples(dataset, split):
            found = list(pieces(sample.input_ids, sample.spans, lambda ids: renderer.decode(ids, special=True)))
            assert [token for piece in found for token in piece.ids] == sample.input_ids
            assert "".join(piece.text for piece in found) == renderer.decode(sample.input_ids, special=True)
            assert sum(len(piece.ids) for piece in found if piece.learned) == sample.learned
            assert not any("\ufffd" in piece.text for piece in found)


def test_a_character_that_begins_before_what_is_learned_is_cut_there() -> None:
    def decode(ids: Sequence[int]) -> str:
        return bytes(ids).decode(errors="replace")

    ids = list("aé".encode())
    whole = list(pieces(ids, [(1, 3)], decode))
    assert [(piece.ids, piece.text, piece.learned) for piece in whole] == [((97,), "a", False), ((195, 169), "é", True)]
    assert [(len(piece.ids), piece.learned) for piece in pieces(ids, [(2, 3)], decode)] == [
        (1, False),
        (1, False),
        (1, True),
    ]


def test_a_conversation_of_two_samples_shows_both(dataset: Path, renderer: ChatRenderer) -> None:
    out = shown(dataset, renderer, "2")
    assert "sample 1/2" in out and "sample 2/2" in out
    learned = re.findall(r"⟦([^⟧]*)⟧", out.replace("│", ""))[:2]
    assert [text.split("⏎\n⏎\n")[-1] for text in learned] == ["b<|im_end|>", "d<|im_end|>"]


def test_the_objective_decides_what_is_learned(dataset: Path, renderer: ChatRenderer) -> None:
    last = shown(dataset, renderer, "2", objective=SftObjective(turns="last")).replace("│", "")
    assert "b<|im_end|>" not in "".join(re.findall(r"⟦([^⟧]*)⟧", last)[:-1]) and "d<|im_end|>⟧" in last
    everything = shown(dataset, renderer, "1", objective=LanguageModelingObjective()).replace("│", "")
    assert "⟦user⏎\nHow much" in everything, "all but the first token"
    for config in (DpoObjective(), ClassificationObjective()):
        told = shown(dataset, renderer, "1", objective=config)
        assert f"not for {config.type}: rows.jsonl:" in told and "⟦" in told


def test_a_pair_shows_both_answers_and_weights_are_told(
    base_folder: Path, renderer: ChatRenderer, tmp_path: Path
) -> None:
    weighed = said("How much?", "Two.", "And more?", "Three.")
    weighed["messages"][1]["weight"] = 0
    pair = {"prompt": "How much is 1 and 1?", "chosen": "It is 2.", "rejected": "It is 3."}
    for name, rows in (("pairs", [pair]), ("weights", [weighed])):
        lines = [json.dumps(row) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = "name: x\nmodel: {{base: {}}}\ndata: {{sources: [{{path: {}.jsonl}}], max_tokens: 200}}\n"
    folders = {
        name: execute(
            parse_recipe(text.format(base_folder, name), folder=tmp_path), Workspace(tmp_path / "ws"), until="data"
        )
        .artifacts["data"]
        .path
        for name in ("pairs", "weights")
    }
    out = shown(folders["pairs"], renderer, "1", objective=DpoObjective()).replace("│", "")
    assert "· better answer" in out and "· worse answer" in out
    assert re.findall(r"⟦([^⟧]*)⟧", out)[:2] == ["It is 2.<|im_end|>", "It is 3.<|im_end|>"]
    learned = re.findall(r"⟦([^⟧]*)⟧", shown(folders["weights"], renderer, "1").replace("│", ""))
    assert learned[0] == "Three.<|im_end|>", "weight 0 is not learned"


def test_ids_are_listed_with_their_positions(dataset: Path, renderer: ChatRenderer) -> None:
    out = shown(dataset, renderer, "1", ids=True)
    rows = [line.split() for line in out.splitlines() if re.match(r" +\d+ +\d+ ", line)]
    sample = next(
        s
        for split in ("train", "validation", "test")
        for s in load_samples(dataset, split)
        if s.row_id == "rows.jsonl:1"
    )
    assert [int(row[1]) for row in rows] == sample.input_ids
    assert [int(row[0]) for row in rows] == list(range(len(sample.input_ids)))
    marked = [int(row[0]) for row in rows if "●" in row[2:3]]
    assert marked == [at for start, end in sample.spans for at in range(start, end)]


def test_colour_takes_the_place_of_the_marks(dataset: Path, renderer: ChatRenderer) -> None:
    out = shown(dataset, renderer, "1", colour=True)
    assert "⟦" not in out and "│" not in out and "48;2;12;117;97" in out
    assert "It is 2. 好的，龘！<|im_end|>" in re.sub(r"\x1b\[[0-9;]*m", "", out)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("3", "dropped by exact_duplicates"),
        ("5", "dropped by max_tokens: longer than 200 tokens"),
        ("rows.jsonl:8", "dropped by read"),
    ],
)
def test_the_ledger_says_why_a_row_is_not_there(dataset: Path, renderer: ChatRenderer, row: str, told: str) -> None:
    out = shown(dataset, renderer, row)
    assert told in out.replace("\n", " ") and "no tokens" in out and "⟦" not in out


def test_a_row_cannot_write_to_the_terminal(dataset: Path, renderer: ChatRenderer) -> None:
    out = shown(dataset, renderer, "4")
    assert "\x1b" not in out and "\\x1b" in out
    assert out.count("<|im_end|>") == 2 and "<│|" in out, "the user's own is cut into plain tokens"
    assert visible("a\u202eb\r\n\tc") == "a\\u202eb\\x0d⏎\n\\x09c"


@pytest.mark.parametrize(
    ("row", "reason", "fix"),
    [
        ("0", "no row 0", "from 1 to 15"),
        ("16", "no row 16", "from 1 to 15"),
        ("rows.jsonl:99", "no row 'rows.jsonl:99'", "from line 1 to 15"),
        ("row.jsonl:1", "no row 'row.jsonl:1'", "did you mean 'rows.jsonl'"),
    ],
)
def test_a_row_that_is_not_there(dataset: Path, row: str, reason: str, fix: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        find_row(dataset, row, SFT)
    assert fix in caught.value.fix


def test_the_verb_makes_the_data_set_when_it_is_missing(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--workspace", str(tmp_path / "new"), "data", "show", str(recipe_file), "--row", "1")
    assert call(monkeypatch, *arguments) == 0
    first = capsys.readouterr().out
    assert call(monkeypatch, *arguments) == 0
    assert first.endswith(capsys.readouterr().out) and "⟦" in first
    monkeypatch.setenv("DANLU_LANG", "zh")
    assert call(monkeypatch, *arguments) == 0
    assert "学习" in capsys.readouterr().out
