"""Comparing two datasets: every row has one place, texts are never shown, sums and recipe fields side by side."""

from __future__ import annotations

import dataclasses
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from danlu.data.dataset import DatasetWriter
from danlu.data.row import Row
from danlu.models.messages import Message
from danlu.pipeline.report import diff_rows
from danlu.pipeline.report.diff import Change, DatasetDiff, Group, RowsDiff, diff_datasets, diff_table, render_diff
from danlu.recipe.errors import UserError
from tests.pipeline.report.dataset_example import FULL
from tests.pipeline.test_report import Page

SECRET = "the-text-of-a-row"
Placed = tuple[str, str, str]  # id, what it says, split


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def row(row_id: str, says: str, **fields: Any) -> Row:
    messages: tuple[Message, ...] = (
        {"role": "user", "content": f"{SECRET} {says}"},
        {"role": "assistant", "content": says},
    )
    return Row(row_id, "f.jsonl", 1, messages=messages, **fields)


def dataset(folder: Path, rows: Sequence[Placed | tuple[Row, str]]) -> Path:
    folder.mkdir()
    writer = DatasetWriter(folder)
    for entry in rows:
        made, split = entry if len(entry) == 2 else (row(entry[0], entry[1]), entry[2])
        writer.write(made, split, [])
    writer.close()
    return folder


def compared(tmp_path: Path, a: Sequence[Any], b: Sequence[Any]) -> DatasetDiff:
    return diff_datasets(dataset(tmp_path / "a", a), dataset(tmp_path / "b", b))


def shown(diff: DatasetDiff) -> str:
    console = Console(file=StringIO(), width=200, color_system=None)
    console.print(diff_table(diff))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_every_kind_of_difference(tmp_path: Path) -> None:
    a = [
        ("f:1", "x", "train"),
        ("f:2", "y", "test"),
        ("f:3", "z", "train"),
        ("f:4", "w", "train"),
        ("f:5", "q", "test"),
    ]
    b = [
        ("f:1", "x", "train"),
        ("f:2", "y", "train"),
        ("f:3", "z!", "validation"),
        ("g:9", "w", "train"),
        ("g:1", "n", "test"),
    ]
    rows = compared(tmp_path, a, b).rows
    assert (rows.same, rows.renamed) == (3, 1)
    assert rows.changed == Group(1, ("f:3",))
    assert rows.only_a == Group(1, ("f:5",)) and rows.only_b == Group(1, ("g:1",))
    assert rows.moves == {"train → validation": Group(1, ("f:3",)), "test → train": Group(1, ("f:2",))}


def test_equal_datasets_have_no_difference(tmp_path: Path) -> None:
    rows = [(f"f:{n}", f"{n}", "train") for n in range(10)]
    diff = compared(tmp_path, rows, rows)
    assert diff.rows == RowsDiff(10, Group(0, ()), Group(0, ()), Group(0, ()), {}, 0)
    assert "Both hold the same 10 rows, split alike." in shown(diff)


@pytest.mark.parametrize("a", [0, 3])
@pytest.mark.parametrize("b", [0, 3])
def test_empty_datasets(tmp_path: Path, a: int, b: int) -> None:
    rows = [(f"f:{n}", f"{n}", "train") for n in range(3)]
    found = compared(tmp_path, rows[:a], rows[:b]).rows
    assert (found.same, found.only_a.count, found.only_b.count) == (min(a, b), max(0, a - b), max(0, b - a))


def test_copies_are_counted_one_by_one(tmp_path: Path) -> None:
    rows = compared(
        tmp_path,
        [("f:1", "x", "train"), ("f:2", "x", "train"), ("f:3", "x", "train")],
        [("g:7", "x", "train"), ("f:2", "x", "train")],
    ).rows
    assert (rows.same, rows.renamed) == (2, 1)
    assert rows.only_a == Group(1, ("f:3",)) and rows.only_b.count == 0


def test_a_row_keeps_its_counterpart_when_its_neighbour_comes_to_say_the_same(tmp_path: Path) -> None:
    """f:1 now says what f:2 says: f:2 is still f:2, and f:1 was changed."""
    rows = compared(
        tmp_path,
        [("f:1", "x", "train"), ("f:2", "y", "test")],
        [("f:1", "y", "train"), ("f:2", "y", "test")],
    ).rows
    assert rows.same == 1 and rows.changed == Group(1, ("f:1",)) and not rows.moves


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": ("b",)},
        {"tools": ({"name": "t"},)},
        {"rejected": ({"role": "assistant", "content": "no"},)},
        {"thinking": True},
        {"text": "more"},
    ],
)
def test_everything_a_row_says_counts_as_content(tmp_path: Path, fields: dict[str, Any]) -> None:
    a, b = row("f:1", "x", labels=("a",)), dataclasses.replace(row("f:1", "x", labels=("a",)), **fields)
    assert compared(tmp_path, [(a, "train")], [(b, "train")]).rows.changed.count == 1


def test_what_the_source_says_besides_is_no_content_and_order_of_keys_is_none(tmp_path: Path) -> None:
    a = row("f:1", "x", metadata={"user": 1})
    turned: tuple[Any, ...] = tuple(dict(reversed(list(message.items()))) for message in a.messages)
    b = dataclasses.replace(a, metadata={"user": 2}, messages=turned, line=99)
    assert list(a.messages[0]) != list(b.messages[0])
    rows = compared(tmp_path, [(a, "train")], [(b, "train")]).rows
    assert rows.same == 1 and rows.changed.count == 0


def test_against_a_count_by_hand_over_random_datasets(tmp_path: Path) -> None:
    """An independent, slow reference: multisets of contents, ids of what is left."""
    for seed in range(20):
        rng = random.Random(seed)
        sides = []
        for _ in range(2):
            ids = rng.sample(range(40), 25)
            sides.append([(f"f:{n}", f"{rng.randrange(12)}", rng.choice(diff_rows.SPLITS)) for n in ids])
        (tmp_path / str(seed)).mkdir()
        rows = compared(tmp_path / str(seed), *sides).rows
        contents = [Counter(says for _, says, _ in side) for side in sides]
        assert rows.same == sum((contents[0] & contents[1]).values())
        exact = {entry[:2] for entry in sides[0]} & {entry[:2] for entry in sides[1]}
        assert rows.same - rows.renamed == len(exact)
        for side, only in zip(sides, (rows.only_a, rows.only_b), strict=True):
            assert rows.same + rows.changed.count + only.count == len(side)
            assert len(set(only.examples)) == min(only.count, 20)


def test_batches_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = [(f"f:{n}", f"{n % 7}", "train") for n in range(50)]
    b = [(f"f:{n}", f"{n % 5}", "test") for n in range(60)]
    whole = compared(tmp_path, a, b)
    monkeypatch.setattr(diff_rows, "BATCH", 3)
    assert diff_datasets(tmp_path / "a", tmp_path / "b") == whole
    assert len(whole.rows.changed.examples) == 20 or whole.rows.changed.count < 20


def test_texts_are_neither_shown_nor_kept(tmp_path: Path) -> None:
    a = [(f"f:{n}", f"{n}", "train") for n in range(30)]
    diff = compared(tmp_path, a, [(f"f:{n}", f"reworded {n}", "test") for n in range(40)])
    everything = shown(diff) + render_diff(diff, "a", "b") + json.dumps(diff.as_dict())
    assert diff.rows.changed.count == 30 and SECRET not in everything and "reworded" not in everything
    assert "f:3 +26" in shown(diff) and "f:19</bdi>" in render_diff(diff, "a", "b") and "f:20" not in everything


def test_memory_does_not_grow_with_what_rows_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_rows, "BATCH", 100)
    folders = [
        dataset(tmp_path / f"{size}", [(f"f:{n}", f"{n}" + "long " * size, "train") for n in range(2000)])
        for size in (0, 200)
    ]
    peaks = []
    for folder in folders:
        tracemalloc.start()
        diff_rows.load(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    texts = 2000 * 2 * len("long ") * 200
    assert peaks[1] - peaks[0] < texts / 4


# -- sums, steps, recipe -----------------------------------------------------------------------------------------------


def with_report(folder: Path, report: dict[str, Any], recipe: dict[str, Any] | None = None) -> Path:
    dataset(folder, [("f:1", "x", "train")])
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    if recipe is not None:
        manifest = {"key": folder.name * 20, "recipe": recipe, "files": {}, "facts": {}}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_counts_steps_and_recipe_side_by_side(tmp_path: Path) -> None:
    other = json.loads(json.dumps(FULL))
    other["ledger"]["splits"]["train"] = 7000
    other["ledger"]["steps"] = other["ledger"]["steps"][:-1]
    other["labels"][0]["rows"], other["languages"][1]["value"] = 1, "ko"
    other["personal_data"]["kinds"][0]["found"] = 1500
    recipe = {"data.clean": [{"type": "normalize"}, {"type": "length", "min": 1}], "data.max_tokens": 2048}
    changed = {
        "data.clean": [{"type": "html"}, {"type": "normalize"}, {"type": "length", "min": 2}],
        "data.max_tokens": 2048,
        "data.redact": {"policy": "tag", "kinds": {}},
    }
    diff = diff_datasets(with_report(tmp_path / "a", FULL, recipe), with_report(tmp_path / "b", other, changed))
    assert Change("train", 7739, 7000) in diff.counts["splits"] and Change("test", 922, 922) in diff.counts["splits"]
    assert Change("max_tokens", 83, None) in diff.counts["steps"]
    assert Change("near_duplicates", 1979, 1979) in diff.counts["steps"]
    assert Change("refund", 3011, 1) in diff.counts["labels"]
    assert {Change("en", 3704, None), Change("ko", None, 3704)} <= set(diff.counts["languages"])
    assert Change("CN_MOBILE (pseudonym)", 1510, 1500) in diff.counts["personal data"]
    assert diff.recipe == (
        Change("data.clean.length.min", 1, 2),
        Change("data.clean.html", None, {"type": "html"}),
        Change("data.redact", None, {"policy": "tag", "kinds": {}}),
    )
    assert diff.keys == ("a" * 20, "b" * 20)
    text = " ".join(shown(diff).split())
    for wanted in (
        "training │ 7,739 │ 7,000 │ −739",
        "length limit │ 83 │ – │ −83",
        "data.clean.length.min │ 1 │ 2",
        "data.clean.html │ – │ yes",
        "data.redact │ – │ policy: tag",
    ):
        assert wanted in text, wanted
    assert "near duplicates" not in text and "max_tokens" not in text, "what is equal is not listed"
    page = Page(render_diff(diff, "old", "new"))
    assert "data.redact" in page.text and "Splits" in page.text
    assert json.loads(json.dumps(diff.as_dict()))["rows"]["same"] == 1


def test_steps_in_another_order_are_a_difference_and_copies_of_a_step_are_compared_by_place(tmp_path: Path) -> None:
    a = {"clean": [{"type": "html"}, {"type": "normalize"}], "twice": [{"type": "x", "n": 1}, {"type": "x", "n": 2}]}
    b = {"clean": [{"type": "normalize"}, {"type": "html"}], "twice": [{"type": "x", "n": 1}, {"type": "x", "n": 3}]}
    diff = diff_datasets(with_report(tmp_path / "a", {}, a), with_report(tmp_path / "b", {}, b))
    assert diff.recipe == (
        Change("clean", ["html", "normalize"], ["normalize", "html"]),
        Change("twice", a["twice"], b["twice"]),
    )


def test_rows_that_were_held_out_and_are_trained_on_now_are_told_first(tmp_path: Path) -> None:
    text = shown(compared(tmp_path, [("f:1", "x", "test")], [("f:1", "x", "train")]))
    assert "1 rows that A holds out are trained on in B" in " ".join(text.split())


def test_without_report_and_manifest_the_rows_are_compared_all_the_same(tmp_path: Path) -> None:
    diff = compared(tmp_path, [("f:1", "x", "train")], [("f:1", "x", "train")])
    assert diff.recipe == () and diff.keys == ("a", "b") and diff.rows.same == 1
    (tmp_path / "a" / "ledger.json").write_text(json.dumps(FULL["ledger"]), encoding="utf-8")
    assert Change("test", 922, None) in diff_datasets(tmp_path / "a", tmp_path / "b").counts["splits"]


def test_text_of_strangers_stays_text(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>[red]\x1b[31m\u202e"
    report = {"labels": [{"value": nasty, "rows": 3, "train": 3}]}
    diff = diff_datasets(
        with_report(tmp_path / "a", report, {"name": nasty}), with_report(tmp_path / "b", {}, {"name": ""})
    )
    diff = dataclasses.replace(diff, rows=dataclasses.replace(diff.rows, only_a=Group(1, (nasty,))))
    html = render_diff(diff, nasty, nasty)
    assert not [tag for tag, _ in Page(html).tags if tag == "script"] and html.count("alert(1)") >= 5
    assert "\u202e" not in html and "http" not in html
    text = shown(diff)
    assert "\x1b" not in text and "[red]" in text and "\u202e" not in text


def test_faults_are_told(tmp_path: Path) -> None:
    good = dataset(tmp_path / "good", [("f:1", "x", "train")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty.*is no dataset"):
        diff_datasets(good, tmp_path / "empty")
    (tmp_path / "empty" / "rows.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(UserError, match=r"rows\.parquet.*cannot be read"):
        diff_datasets(tmp_path / "empty", good)
    (good / "report.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"report\.json.*is no JSON"):
        diff_datasets(good, good)
