"""Readers of source files: every record with its line, every broken one with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from danlu.data.row import Record
from danlu.data.sources import SOURCES
from danlu.recipe.data import Source
from danlu.recipe.errors import UserError
from tests.data.making import write_jsonl

ADAPTER: TypeAdapter[Any] = TypeAdapter(Source)


def read(path: Path, **fields: Any) -> list[Record]:
    config = ADAPTER.validate_python({"path": str(path), **fields})
    records: Iterator[Record] = SOURCES.load(config.type)(config)
    return list(records)


def test_jsonl_gives_lines_and_reasons_and_goes_on_after_a_broken_one(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "一"}, "{broken", "", "[1]", '"x"', {"text": "b", "late": 1}])
    records = read(path)
    assert [record.line for record in records] == [1, 2, 4, 5, 6]
    assert [record.file for record in records] == ["a.jsonl"] * 5
    assert records[0].value == {"text": "一"} and records[4].value == {"text": "b", "late": 1}
    assert records[1].value is None and records[1].problem.startswith("broken JSON: ")
    assert records[2].problem == "a row must be a JSON object, not list"
    assert records[3].problem == "a row must be a JSON object, not str"


def test_jsonl_ignores_a_byte_order_mark_crlf_and_a_missing_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "bom.ndjson"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}')
    assert [(record.line, record.value) for record in read(path)] == [(1, {"text": "a"}), (2, {"text": "b"})]


def test_jsonl_reports_bytes_that_are_not_utf8_as_broken(tmp_path: Path) -> None:
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"text": "\xe9"}\n{"text": "b"}\n')
    first, second = read(path)
    assert first.value is None and "broken JSON" in first.problem
    assert second.value == {"text": "b"}


def test_jsonl_keeps_unicode_line_separators_inside_a_row(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", ['{"text": "a\u2028b"}', {"text": "c"}])
    assert [(record.line, record.value) for record in read(path)] == [(1, {"text": "a\u2028b"}), (2, {"text": "c"})]


def test_json_array_counts_objects_and_reports_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf[{"text": "a"}, 3, {"text": "b", "late": null}]')
    records = read(path)
    assert [record.line for record in records] == [1, 2, 3]
    assert records[1].value is None and records[1].problem == "a row must be a JSON object, not int"
    assert records[2].value == {"text": "b", "late": None}


@pytest.mark.parametrize(("content", "message"), [('{"text": 1}', "array of objects"), ("[{]", "not valid JSON")])
def test_json_that_is_no_array_is_refused_as_a_whole(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        read(path)
    assert error.value.where == str(path) and error.value.fix


def test_csv_counts_lines_through_quoted_newlines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffprompt,completion\r\n"one\ntwo, ""three""",four\r\n\r\nfive,六\r\n'.encode())
    records = read(path)
    assert [record.line for record in records] == [3, 5]
    assert records[0].value == {"prompt": 'one\ntwo, "three"', "completion": "four"}
    assert records[1].value == {"prompt": "five", "completion": "六"}


def test_csv_reports_rows_that_do_not_fit_the_header_and_broken_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt,completion\na\n"b"x,c\nd,e,f\n,g\nh,i\n', encoding="utf-8")
    records = read(path)
    assert [record.line for record in records] == [2, 3, 4, 5, 6]
    assert records[0].problem == "has 1 cells where the header names 2 columns"
    assert records[1].problem.startswith("broken CSV: ")
    assert records[2].problem == "has 3 cells where the header names 2 columns"
    assert records[3].value == {"completion": "g"}  # an empty cell is an absent key
    assert records[4].value == {"prompt": "h", "completion": "i"}


def test_an_unclosed_quote_at_the_end_of_a_csv_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('prompt,completion\na,b\nc,"d\ne,f\n', encoding="utf-8")
    good, broken = read(path)
    assert good.value == {"prompt": "a", "completion": "b"}
    assert broken.value is None and broken.problem.startswith("broken CSV: ")


def test_tsv_and_a_named_delimiter(tmp_path: Path) -> None:
    tabs, semicolons = tmp_path / "a.tsv", tmp_path / "b.csv"
    tabs.write_text("prompt\tcompletion\na,b\tc\n", encoding="utf-8")
    semicolons.write_text("prompt;completion\na,b;c\n", encoding="utf-8")
    assert [record.value for record in read(tabs)] == [{"prompt": "a,b", "completion": "c"}]
    assert [record.value for record in read(semicolons, delimiter=";")] == [{"prompt": "a,b", "completion": "c"}]


@pytest.mark.parametrize("content", [b"", b"a,a\n1,2\n", b'"a"b,c\n1,2\n'], ids=["empty", "twice", "quote"])
def test_csv_without_a_usable_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read(path)
    assert str(path) in error.value.where


def test_csv_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text\n你好\n".encode("gb18030"))
    with pytest.raises(UserError, match="not UTF-8"):
        read(path)


def test_parquet_gives_rows_and_leaves_null_keys_out(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    values = [
        {"messages": [{"role": "user", "content": "a", "name": None}], "late": None},
        {"messages": [{"role": "user", "content": "b", "name": "n"}], "late": "x"},
    ] * 1000
    pq.write_table(pa.Table.from_pylist(values), path)
    records = read(path)
    assert [record.line for record in records] == list(range(1, 2001))
    assert records[0].value == {"messages": [{"role": "user", "content": "a"}]}
    assert records[1].value == values[1]


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR0 or something else")
    with pytest.raises(UserError, match="not a Parquet file"):
        read(path)
