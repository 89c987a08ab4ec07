"""Readers of columns, Parquet and Hugging Face: plain data out of them, and errors that help."""

from __future__ import annotations

import datetime
import decimal
import gzip
import io
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from danlu.recipe.errors import UserError
from tests.data.source_files import only, read, reader, write, write_jsonl

# -- parquet -----------------------------------------------------------------------------------------------------------


def test_parquet_gives_rows_and_leaves_null_keys_out(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = [
        {"messages": [{"role": "user", "content": "a", "name": None}], "late": None},
        {"messages": [{"role": "user", "content": "b", "name": "n"}], "late": "x"},
    ] * 1000
    pq.write_table(pa.Table.from_pylist(values), path)
    records = read(path, size=300)
    assert [record.line for record in records] == list(range(1, 2001))
    assert records[0].value == {"messages": [{"role": "user", "content": "a"}]}
    assert records[1].value == values[1]


def test_parquet_values_become_plain_data(tmp_path: Path) -> None:
    day = datetime.datetime(2026, 11, 24, 8, 0)
    table = {
        "when": [day], "price": [decimal.Decimal("1.50")], "text": [b"\xe4\xbd\xa0"], "score": [float("nan")],
        "kind": pa.array(["a"]).dictionary_encode(), "parts": [[{"type": "text", "text": "x"}]], "n": [3],
    }  # fmt: skip
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert only(tmp_path / "a.parquet").value == {
        "when": "2026-11-24T08:00:00", "price": "1.50", "text": "你", "kind": "a",
        "parts": [{"type": "text", "text": "x"}], "n": 3,
    }  # fmt: skip


def test_parquet_text_that_is_not_utf8_is_quarantined(tmp_path: Path) -> None:
    """Arrow takes any bytes for text: rows written by a tool that did not check must not come in as mojibake."""
    raw = pa.array([b"good", "你好".encode("gb18030"), b"also good"])
    lied = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    nested = pa.array([[{"content": "a"}]] * 3)
    pq.write_table(pa.table({"text": lied, "turns": nested}), tmp_path / "a.parquet")
    first, second, third = read(tmp_path / "a.parquet")
    assert first.value == {"text": "good", "turns": [{"content": "a"}]} and third.value and third.line == 3
    assert second.value is None and second.problem == "invalid UTF-8 in column 'text' at byte 1"
    assert second.raw == "\\xc4\\xe3\\xba\\xc3"


def test_parquet_of_images_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b"\x89PNG\xff"]}), tmp_path / "a.parquet")
    assert only(tmp_path / "a.parquet").problem == "column 'image' holds bytes that are no UTF-8 text"


def test_parquet_in_an_archive(tmp_path: Path) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a", "b"]}), sink)
    path = write(tmp_path / "a.parquet.gz", gzip.compress(sink.getvalue()))
    assert [record.value for record in read(path)] == [{"text": "a"}, {"text": "b"}]


def test_a_file_that_is_no_parquet_or_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", b"PAR0 or something else")
    with pytest.raises(UserError, match="not a Parquet file"):
        read(path)
    whole = tmp_path / "b.parquet"
    pq.write_table(pa.table({"text": [str(index) for index in range(10_000)]}), whole)
    with pytest.raises(UserError, match="damaged") as error:
        read(write(path, whole.read_bytes()[:-100]))
    assert error.value.where == str(path) and error.value.fix


def test_chunks_of_every_reader_travel_to_other_processes_small(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x" * 100] * 10_000}), path)
    source = reader(path)
    chunk = next(iter(source.chunks(10)))
    packed = pickle.dumps(chunk)
    assert len(packed) < 10_000  # not the whole row group
    assert reader(path).decode(pickle.loads(packed)) == source.decode(chunk)


# -- huggingface -------------------------------------------------------------------------------------------------------


def fake_datasets(monkeypatch: pytest.MonkeyPatch, rows: Any) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def load_dataset(path: str, name: str | None, **options: Any) -> Any:
        calls.append((path, name, options))
        if isinstance(rows, Exception):
            raise rows
        return rows

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return calls


HUB: dict[str, Any] = {"type": "huggingface"}


def test_huggingface_rows_keep_their_order_and_lose_their_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_datasets(
        monkeypatch, [{"text": f"{index}", "late": None, "parts": [{"a": None}]} for index in range(5)]
    )
    source = reader("some/rows", **HUB, name="en", split="validation", revision="abc")
    chunks = list(source.chunks(2))
    assert calls == [("some/rows", "en", {"split": "validation", "revision": "abc", "streaming": True})]
    assert [len(chunk.items) for chunk in chunks] == [2, 2, 1] and source.files() == [] and source.skipped() == {}
    records = [record for chunk in chunks for record in source.decode(chunk)]
    assert [(record.file, record.line) for record in records] == [("some/rows", index) for index in range(1, 6)]
    assert records[4].value == {"text": "4", "parts": [{}]}


def test_huggingface_values_that_are_no_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_datasets(monkeypatch, [{"image": object()}])
    assert only(Path("some/rows"), **HUB).problem.startswith("column 'image' holds object, which is no text")


class DatasetNotFoundError(FileNotFoundError):
    """Named as the library names it."""


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (
            DatasetNotFoundError("Dataset 'a/b' doesn't exist on the Hub or cannot be accessed."),
            "check id, name, split",
        ),
        (DatasetNotFoundError("Dataset 'a/b' is a gated dataset on the Hub."), "hf auth login"),
        (ConnectionError("Couldn't reach the Hub"), "check the network"),
        (ValueError("Bad split: x. Available splits: ['train']"), "check id, name, split"),
        (RuntimeError("Dataset scripts are no longer supported, but found b.py"), "Parquet or JSON Lines"),
    ],
)
def test_huggingface_errors_say_what_to_do(monkeypatch: pytest.MonkeyPatch, error: Exception, fix: str) -> None:
    fake_datasets(monkeypatch, error)
    with pytest.raises(UserError) as caught:
        read("a/b", **HUB)
    assert (
        caught.value.where == "data set a/b" and fix in caught.value.fix and type(error).__name__ in caught.value.reason
    )


def test_huggingface_failing_midway_says_after_how_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Iterator[dict[str, str]]:
        yield {"text": "a"}
        yield {"text": "b"}
        raise ConnectionError("gone")

    fake_datasets(monkeypatch, rows())
    with pytest.raises(UserError, match="cannot be read after 2 rows"):
        read("a/b", **HUB)


def test_huggingface_without_its_library_names_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError) as caught:
        read("a/b", **HUB)
    assert caught.value.fix == "pip install 'danlu[datasets]'"


def test_huggingface_commit_is_what_the_hub_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Hub:
        def dataset_info(self, path: str, revision: str | None) -> Any:
            if path == "no/such":
                raise ConnectionError("offline")
            return types.SimpleNamespace(sha=f"sha of {path} at {revision}")

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    made: Any = reader("a/b", **HUB, revision="v1")
    assert made.commit() == "sha of a/b at v1"
    local: Any = reader(tmp_path, **HUB)
    assert local.commit() == ""
    gone: Any = reader("no/such", **HUB)
    with pytest.raises(UserError, match="cannot be read"):
        gone.commit()


def test_huggingface_reads_a_local_folder_with_the_real_library(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    write_jsonl(tmp_path / "train.jsonl", [{"text": "一", "late": None}, {"text": "b", "late": 1}])
    assert [record.value for record in read(tmp_path, **HUB)] == [{"text": "一"}, {"text": "b", "late": 1}]
