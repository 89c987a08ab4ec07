"""The flow over shards: the same rows whatever runs it, gone on with after a kill, and nothing raw on disk."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from danlu.data import flow as flow_module
from danlu.data import splitting
from danlu.data.dataset import load_rows
from danlu.data.flow import segmented
from danlu.data.reporting import read_report
from danlu.data.runners import local
from danlu.models.chat import ChatRenderer
from danlu.recipe.cleaners import ExactDuplicatesCleaner, LengthFilter, NormalizeCleaner
from danlu.recipe.errors import InternalFault, UserError
from tests.data.making import chat, ledger_rows, prepare, section, write_jsonl
from tests.data.test_splitting import sentence

MOBILE, MAIL, KEY = "13800138000", "zhang.wei@corp-mail.cn", "sk-proj-9aX2mQ7LkR4vT8wZ3bN6cJ1d"
FILES = ("rows.parquet", "samples.parquet", "ledger.parquet", "ledger.json", "quarantine.jsonl")


def rows(count: int) -> list[dict[str, Any]]:
    """Rows with copies, near copies and short ones among them."""
    records = [chat(sentence(index % 70, 20), sentence(1000 + index % 70, 25)) for index in range(count)]
    for index in range(0, count, 9):
        records[index] = chat(sentence(index % 70, 20) + " ka", sentence(1000 + index % 70, 25))
    return records


def fingerprint(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


CLEAN = [
    {"type": "normalize"},
    {"type": "exact_duplicates"},
    {"type": "length", "min_words": 2},
    {"type": "near_duplicates"},
    {"type": "conflicts"},
]


def test_the_cleaners_are_cut_after_each_that_compares_rows() -> None:
    first, last = NormalizeCleaner(), LengthFilter()
    assert segmented([first, ExactDuplicatesCleaner(), last]) == [((first,), ExactDuplicatesCleaner()), ((last,), None)]
    assert segmented([]) == [((), None)]


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_module, "SHARD_ROWS", 16)


@pytest.mark.parametrize("runner", [{"type": "local", "workers": 2}, {"type": "ray"}])
def test_every_runner_and_shard_size_gives_the_same_files(
    renderer: ChatRenderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: dict[str, Any]
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [*rows(200), "{broken", chat("q", "")])
    fields: dict[str, Any] = {"clean": CLEAN, "on_bad_row": "drop", "split": {"validation": 0.1, "test": 0.2}}
    alone = prepare(section(path, **fields), renderer, tmp_path / "alone")
    monkeypatch.setattr(flow_module, "SHARD_ROWS", 25)  # just enough shards for processes
    shared = prepare(section(path, runner=runner, **fields), renderer, tmp_path / "shared")
    assert shared == alone and alone["fates"]["dropped"] > 50
    assert fingerprint(tmp_path / "shared") == fingerprint(tmp_path / "alone")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("after", [0, 1, 7, 14, 20, 27, 33, 40])
def test_a_killed_stage_goes_on_without_doing_finished_shards_again(
    renderer: ChatRenderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_shards: None, after: int
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", rows(200))
    config = section(path, clean=CLEAN, runner={"type": "local", "workers": 1})
    prepare(config, renderer, tmp_path / "whole")
    whole = local.LocalProcesses.map
    done = 0

    def dying(self: Any, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        nonlocal done
        for item in items:
            if done == after:
                raise Killed
            done += 1
            yield task(item)

    work = tmp_path / "work"
    monkeypatch.setattr(local.LocalProcesses, "map", dying)
    with pytest.raises(Killed):
        prepare(config, renderer, tmp_path / "killed", work=work)
    finished = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    monkeypatch.setattr(local.LocalProcesses, "map", whole)
    prepare(config, renderer, tmp_path / "again", work=work)
    assert fingerprint(tmp_path / "again") == fingerprint(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_nothing_raw_reaches_the_disk(renderer: ChatRenderer, tmp_path: Path, small_shards: None) -> None:
    """Planted values stand in good rows, in dropped, broken and refused ones, in metadata, tools and thinking."""
    secret = f"电话{MOBILE}，邮箱{MAIL}，key {KEY}"
    call = {"name": "f", "arguments": {"to": MAIL}}
    records: list[Any] = [
        chat(f"{sentence(1)} {secret}", sentence(2)),
        chat(f"{sentence(1)} {secret}", sentence(2)),
        chat(sentence(3), f"{sentence(4)} {secret}"),
        chat(secret, ""),
        {"messages": [{"role": MOBILE, "content": secret}]},
        {**chat(sentence(5)), MAIL: 1},
        f'{{"text": "{secret}',
        {**chat(sentence(6), "x"), "metadata": {"phone": MOBILE, "more": [{"mail": MAIL}]}},
        {"text": f"{sentence(7, 400)} {secret}"},
        {
            "messages": [
                {"role": "user", "content": sentence(8)},
                {"role": "assistant", "content": sentence(9), "reasoning_content": secret},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": sentence(10)},
                {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
            ]
        },
        *rows(40),
    ]  # fmt: skip
    path = write_jsonl(tmp_path / "in" / "rows.jsonl", records)
    for policy in ("tag", "mask", "pseudonym", "drop_row"):
        config = section(
            path, clean=CLEAN, on_bad_row="drop", on_too_long="drop", max_tokens=900,
            redact={"policy": policy}, split={"validation": 0.1, "test": 0.1},
        )  # fmt: skip
        out = tmp_path / policy / "out"
        prepare(config, renderer, out, key=b"k" * 32)
        files = [path for path in (tmp_path / policy).rglob("*") if path.is_file()]
        assert len(files) > 10
        for file in files:
            assert_holds_none(file, [MOBILE, MAIL, KEY])
        assert any(entry["step"] == "read" for entry in ledger_rows(out))


def assert_holds_none(file: Path, values: list[str]) -> None:
    """None of the values stands in the file; Parquet is read, since its bytes are compressed."""
    import pyarrow.parquet as pq

    data = file.read_bytes()
    if file.suffix == ".parquet":
        data += str(pq.read_table(file).to_pylist()).encode()
    for value in values:
        assert value.encode() not in data, f"{file} holds a planted value"


def test_the_last_comparison_drops_what_the_split_did_not_see(
    renderer: ChatRenderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [sentence(index, 30) for index in range(60)]
    records = [chat(text, sentence(900 + n, 30)) for n, text in enumerate(texts)]
    records += [chat(text + " ka", sentence(900 + n, 30)) for n, text in enumerate(texts)]
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    fields: dict[str, Any] = {"clean": [], "split": {"validation": 0.2, "test": 0.3}}
    fields["contamination"] = {"on_found": "report"}
    prepare(section(path, **fields), renderer, tmp_path / "seen")
    assert not [entry for entry in ledger_rows(tmp_path / "seen") if entry["fate"] == "dropped"]
    monkeypatch.setattr(splitting, "_pairs", lambda *_: np.empty((0, 2), np.int64))
    prepare(section(path, **fields), renderer, tmp_path / "missed")
    gone = [entry for entry in ledger_rows(tmp_path / "missed") if entry["fate"] == "dropped"]
    assert gone and {entry["step"] for entry in gone} == {"split"}
    assert {entry["reason"] for entry in gone} == {"is near a row of another split, as the last comparison found"}
    proof = read_report(tmp_path / "missed")["leakage"]
    assert proof["leaks"] == 0 and proof["dropped_rows"] == len(gone)
    sides = {entry["line"]: entry["split"] for entry in ledger_rows(tmp_path / "missed") if entry["fate"] != "dropped"}
    assert all(sides[n] == sides[n + 60] for n in range(1, 61) if n in sides and n + 60 in sides)


def test_a_shared_prompt_on_two_sides_is_a_fault(
    renderer: ChatRenderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(features: Any, corpus: Any, config: Any) -> splitting.Assignment:
        return splitting.Assignment(np.array([0, 2], dtype=np.int8))

    path = write_jsonl(tmp_path / "rows.jsonl", [chat("Same question?", "One."), chat("Same question?", "Two.")])
    monkeypatch.setattr("danlu.data.held_out.assign_splits", wrong)
    fields: dict[str, Any] = {"clean": [], "contamination": {"on_found": "report"}}
    with pytest.raises(InternalFault, match=r"rows\.jsonl:1 and rows\.jsonl:2 stand on different sides"):
        prepare(section(path, **fields), renderer, tmp_path / "out")


@pytest.mark.parametrize(
    ("records", "columns", "said"),
    [
        (
            [chat("a"), chat("b")],
            {"messages": "messages", "desirable": "labl"},
            r"'labl' .* for 'desirable'(?s:.*)leave",
        ),
        (
            [chat("a"), {**chat("b"), "label": True}],
            {"messages": "messages", "desirable": "labl"},
            "did you mean 'label'",
        ),
        ([chat("a")], {"text": "nope"}, r"rows\.jsonl: no row has the column 'nope'"),
        ([chat("a")], {"messages": "mesages"}, "did you mean 'messages'"),
    ],
)
def test_a_column_that_no_row_has_is_refused(
    renderer: ChatRenderer, tmp_path: Path, records: list[Any], columns: dict[str, str], said: str
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", records)
    with pytest.raises(UserError, match=said):
        config = section(path, sources=[{"path": str(path), "columns": columns}])
        prepare(config, renderer, tmp_path / "out")


def test_a_column_that_some_rows_lack_or_that_is_empty_is_none_of_a_mistake(
    renderer: ChatRenderer, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("a"), {**chat("b"), "liked": True}])
    columns = {"messages": "messages", "desirable": "liked"}
    prepare(section(path, sources=[{"path": str(path), "columns": columns}]), renderer, tmp_path / "some")
    assert [row.desirable for row in load_rows(tmp_path / "some", "train")] == [None, True]
    table = tmp_path / "rows.csv"
    table.write_text("q,a,s\none,two,\nthree,four,\n", encoding="utf-8")
    columns = {"prompt": "q", "completion": "a", "system": "s"}
    summary = prepare(section(table, sources=[{"path": str(table), "columns": columns}]), renderer, tmp_path / "empty")
    assert summary["splits"]["train"] == 2


def test_labels_are_a_set(renderer: ChatRenderer, tmp_path: Path) -> None:
    rows = [
        {"text": "Refund and delivery", "labels": labels} for labels in (["refund", "delivery"], ["delivery", "refund"])
    ]
    for name, clean in (
        ("exact", [{"type": "exact_duplicates"}]),
        ("conflicts", [{"type": "conflicts", "on_found": "drop"}]),
    ):
        config = section(write_jsonl(tmp_path / "rows.jsonl", rows), clean=clean)
        assert prepare(config, renderer, tmp_path / name)["splits"]["train"] == (1 if name == "exact" else 2)


def test_the_same_question_with_and_without_thinking_is_no_duplicate(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{**chat("a"), "thinking": mode} for mode in (True, False, True, None)])
    summary = prepare(section(path, clean=[{"type": "exact_duplicates"}]), renderer, tmp_path / "out")
    assert summary["splits"]["train"] == 3


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_reading_tells_how_many_rows_there_will_be(renderer: ChatRenderer, tmp_path: Path, kind: str) -> None:
    rows = [{"text": sentence(n, 8)} for n in range(9000)]
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "csv":
        path.write_text("text\n" + "".join(f"{row['text']}\n" for row in rows), encoding="utf-8")
    else:
        lines = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        path.write_bytes(gzip.compress(lines) if kind.endswith("gz") else lines)
    told: list[tuple[int, int | None]] = []

    def tell(step: str, done: int, total: int | None) -> None:
        if step == "read":
            told.append((done, total))

    prepare(section(path, clean=[], split={"test": 0, "validation": 0, "near_duplicates": None}), renderer,
            tmp_path / "out", tell=tell)  # fmt: skip
    assert [done for done, _ in told] == [0, 2048, 4096, 6144, 8192, 9000]
    assert told[0][1] is None and told[-1][1] == 9000
    # Files are read up to a megabyte ahead, packed ones whole
    assert all(total is not None and done <= total <= 9500 for done, total in told[1:])
