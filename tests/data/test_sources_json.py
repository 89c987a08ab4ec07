"""The JSON reader: arrays cut as they stream by, wherever blocks end."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.sources.json_array import _Splitter
from danlu.recipe.errors import UserError
from tests.data.source_files import CHINESE, read, write

# -- json --------------------------------------------------------------------------------------------------------------


def test_json_array_counts_objects_and_reports_what_is_none(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json", b'\xef\xbb\xbf [{"text": "a"}, 3,\n {"text": "b" "c"}, {"text": "b", "late": null},]\n '
    )
    records = read(path)
    assert [record.line for record in records] == [1, 2, 3, 4, 5]
    assert records[1].value is None and records[1].problem == "a row must be a JSON object, not int"
    assert records[2].value is None and records[2].problem.startswith("broken JSON at character")
    assert records[3].value == {"text": "b", "late": None}
    assert records[4].problem.startswith("broken JSON: nothing where a record should be")


def test_json_may_be_an_object_with_one_array(tmp_path: Path) -> None:
    content = '{"v": "1, [", "about": {"rows": [1, 2], "x": "}"}, "n": 2, "data": [{"text": "a"}, {"text": "b"}]}'
    assert [record.value for record in read(write(tmp_path / "a.json", content))] == [{"text": "a"}, {"text": "b"}]
    assert read(write(tmp_path / "b.json", '{"data": [ ]}')) == []


@pytest.mark.parametrize(
    ("content", "message", "fix"),
    [
        ('{"text": 1}', "must hold an array of objects, not one object", "wrap it in"),
        ('{"text": 1}\n{"text": 2}', "must hold an array", "type to jsonl"),
        ('{"messages": [{}]}', "is one row, not an array of rows", "wrap it in"),
        ('{"a": [], "b": []}', r"holds two arrays \('a', 'b'\)", "keep the one"),
        ("[{}", "ends in the middle, after 0 records", "write the whole file again"),
        ('[{}, {"a": "b}]', "ends in the middle, after 1 records", "quote"),
        ('[{}, {"a": "b\\', "ends in the middle, after 1 records", "quote"),
        ("[{}] [{}]", "goes on after its end", "jsonl"),
        ("[{}}]", "closes nothing, at record 1", "jsonl"),
        ("text", r"does not begin with \[ or {", "jsonl"),
        ("  ", r"does not begin with \[ or {", "jsonl"),
        ('{"a" 1}', "a key and a colon were expected", "jsonl"),
        ('{"data": [{}]', "ends in the middle, after 1 records", "write the whole"),
    ],
)
def test_json_that_is_no_array_is_refused_as_a_whole(tmp_path: Path, content: str, message: str, fix: str) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(UserError, match=message) as error:
        read(path)
    assert error.value.where == str(path) and fix in error.value.fix


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(alphabet='a"\\[]{},: 中\n', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='ab"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=6), st.integers(1, 9), st.booleans(), st.sampled_from([None, 1]))
def test_json_is_cut_the_same_wherever_blocks_end(
    values: list[Any], piece: int, wrapped: bool, indent: int | None
) -> None:
    text = json.dumps(
        {"n": [1] and "[", "data": values, "z": {}} if wrapped else values, indent=indent, ensure_ascii=False
    )
    file = io.BytesIO(text.encode())
    assert [json.loads(raw) for raw in _Splitter(lambda size: file.read(piece), "x").records()] == values


def test_a_json_array_larger_than_a_block_streams(tmp_path: Path) -> None:
    rows = [{"text": CHINESE * (1 + index % 50), "n": index} for index in range(3000)]
    path = write(tmp_path / "a.json", json.dumps(rows, ensure_ascii=False))
    assert path.stat().st_size > 5 << 20
    assert [record.value for record in read(path)] == rows
    huge = [{"text": "x" * (5 << 20)}, {"text": "y"}]
    assert [record.value for record in read(write(tmp_path / "b.json", json.dumps(huge)))] == huge


def test_a_json_element_with_invalid_bytes_costs_only_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", b'[{"t": "a"}, {"t": "\xff\xfe"}, {"t": "c"}]')
    for encoding in ("auto", "gb18030"):
        first, second, third = read(path, encoding=encoding)
        assert first.value == {"t": "a"} and third.value == {"t": "c"}
        assert second.value is None and "at byte" in second.problem and second.raw == '{"t": "\\xff\\xfe"}'
