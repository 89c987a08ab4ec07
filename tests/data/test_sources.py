"""Readers of sources: every record with its line, every broken one with its reason and what stood there."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.formats import to_row
from danlu.recipe.errors import UserError
from tests.data.source_files import ADAPTER, CHINESE, only, read, reader, write, write_jsonl

# -- jsonl -------------------------------------------------------------------------------------------------------------


def test_jsonl_gives_lines_and_reasons_and_goes_on_after_a_broken_one(tmp_path: Path) -> None:
    path = write_jsonl(
        tmp_path / "a.jsonl", [{"text": "一"}, "{broken 密码", "", " \t", "[1]", '"x"', {"t": "b", "late": 1}]
    )
    records = read(path)
    assert [record.line for record in records] == [1, 2, 5, 6, 7]
    assert [record.file for record in records] == ["a.jsonl"] * 5
    assert records[0].value == {"text": "一"} and records[4].value == {"t": "b", "late": 1}
    assert records[1].value is None and records[1].raw == "{broken 密码"
    assert records[1].problem.startswith("broken JSON at character 2: ") and "broken 密" not in records[1].problem
    assert records[2].problem == "a row must be a JSON object, not list" and records[2].raw == "[1]"
    assert records[3].problem == "a row must be a JSON object, not str"


def test_jsonl_ignores_a_byte_order_mark_crlf_and_a_missing_last_newline(tmp_path: Path) -> None:
    path = write(tmp_path / "bom.ndjson", b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}')
    assert [(record.line, record.value) for record in read(path)] == [(1, {"text": "a"}), (2, {"text": "b"})]


def test_jsonl_quarantines_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = write(tmp_path / "latin.jsonl", b'{"text": "caf\xe9"}\n{"text": "b"}\n{"\xe4\xbd\xa0": 1}\n')
    first, second, third = read(path)
    assert first.value is None and first.problem == "invalid UTF-8 at byte 14" and first.raw == '{"text": "caf\\xe9"}'
    assert second.value == {"text": "b"} and third.value == {"你": 1}


def test_jsonl_keeps_unicode_line_separators_inside_a_row(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", ['{"text": "a\u2028b"}', {"text": "c"}])
    assert [(record.line, record.value) for record in read(path)] == [(1, {"text": "a\u2028b"}), (2, {"text": "c"})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"a": "\\ud83d"}', "holds half a character (a lone surrogate escape) at character"),
        ('{"a": "\\udc00x"}', "holds half a character (a lone surrogate escape) at character"),
        ('{"a": NaN}', "broken JSON: NaN and Infinity are no JSON (write null) at character 7"),
        ('{"a": -Infinity}', "broken JSON: NaN and Infinity are no JSON"),
        ('{"a": 1e999}', "broken JSON at character"),
        ('{"a": 1} {"b": 2}', "broken JSON at character 10"),
        ('{"a": 1', "broken JSON at character 9: unexpected end of data"),
        ("[" * 100_000, "broken JSON at character"),
        ('{"text": "a", "b": {"c": 1}, "text": "b"}', "the key 'text' stands twice in one object; keep one of them"),
        ('{"b": [{"c": 1, "c" : 1}]}', "the key 'c' stands twice"),
        ('{"a\\"": 1, "x": "\\":", "b" :2, "b": 3}', "the key 'b' stands twice"),
        ('{"id": 18446744073709551616}', "holds a whole number beyond 64 bits"),
        ('{"id": [{"n": -9223372036854775809}]}', "holds a whole number beyond 64 bits"),
        ('{"id": 1' + "0" * 5000 + "}", "broken JSON at character"),
        ('{"id": 1' + "0" * 300 + "}", "holds a whole number beyond 64 bits"),
    ],
)
def test_jsonl_refuses_what_would_be_lost(tmp_path: Path, line: str, problem: str) -> None:
    record = only(write(tmp_path / "a.jsonl", line + "\n"))
    assert record.value is None and record.problem.startswith(problem) and record.raw == line


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 18446744073709551615, "n": -9223372036854775808, "f": 1e300, "g": 0.1}',
        '{"a": "x\\":y", "b" : "\\"c\\": 1", "d": {"a": {"a": []}}}',
        '{"a\\\\":1, "a\\"":2, "\\":":3}',
        '{"a": "\\ud83d\\ude00", "": {"": 0}}',
        "{}",
    ],
)
def test_jsonl_gives_what_pythons_own_parser_gives(tmp_path: Path, line: str) -> None:
    assert only(write(tmp_path / "a.jsonl", line)).value == json.loads(line)


KEYS = st.text(alphabet='ab":\\ ', max_size=3)
PAIRS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(alphabet='a":\\ 中{}[],', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=4).map(tuple),
    max_leaves=8,
)


def spelt(value: Any) -> str:
    """JSON text of a value in which an object is a tuple of pairs, keys standing as often as they like."""
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{json.dumps(key)}: {spelt(item)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelt, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def is_lossless(value: Any) -> bool:
    if isinstance(value, tuple):
        return len({key for key, _ in value}) == len(value) and all(is_lossless(item) for _, item in value)
    if isinstance(value, list):
        return all(map(is_lossless, value))
    return type(value) is not int or -(2**63) <= value < 2**64


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(KEYS, PAIRS), max_size=4).map(tuple))
def test_an_object_is_given_whole_or_refused(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.jsonl", spelt(value))
    record = only(path)
    assert (record.value is not None) == is_lossless(value)
    assert record.value is None or record.value == json.loads(spelt(value))


def test_keys_that_first_appear_late_survive(tmp_path: Path) -> None:
    call = {"name": "f", "arguments": {"x": 1}}
    late = {
        "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    }
    late["tools"] = [{"type": "function", "function": {"name": "f"}}]
    plain = '{"messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A"}]}\n'
    path = write(tmp_path / "late.jsonl", plain * 25_000 + json.dumps(late))
    source = reader(path)
    *_, chunk = source.chunks(2048)
    record = source.decode(chunk)[-1]
    assert record.line == 25_001 and record.value == late
    row = to_row(record, "late", ADAPTER.validate_python({"path": str(path)}))
    assert row.tools and row.messages[1]["tool_calls"] == [call]


# -- encodings, archives, folders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "text"])
def test_gb18030_is_read_as_the_same_rows(tmp_path: Path, kind: str, suffix: str) -> None:
    # 誠 and 乗 end in the bytes of a backslash and of a brace or bracket: splitting before decoding must not see them
    texts = [f"{index}{CHINESE}誠乗縗" for index in range(300)]
    content = {
        "jsonl": "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts),
        "json": json.dumps([{"text": text} for text in texts], ensure_ascii=False),
        "csv": "text\n" + "".join(f'"{text}"\n' for text in texts),
        "text": "\n\n".join(texts),
    }[kind]
    packed = content.encode("gb18030")
    path = tmp_path / f"a.data{suffix}"
    if suffix == ".zst":
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(packed)
    else:
        path.write_bytes(gzip.compress(packed) if suffix else packed)
    for encoding in ("auto", "gb18030"):
        values = [record.value for record in read(path, type=kind, encoding=encoding, size=7)]
        assert values == [{"text": text} for text in texts]
    if kind != "json":  # whose brackets cannot be told in bytes of an unknown encoding
        assert not any(record.value for record in read(path, type=kind, encoding="utf-8"))


def test_a_named_gb18030_quarantines_what_is_none(tmp_path: Path) -> None:
    lines = [json.dumps({"text": CHINESE}, ensure_ascii=False).encode("gb18030"), b'{"text": "\xff"}']
    path = write(tmp_path / "a.jsonl", b"\n".join(lines))
    good, bad = read(path, encoding="gb18030")
    assert good.value == {"text": CHINESE}
    assert bad.value is None and bad.problem == "invalid GB18030 at byte 11" and bad.raw == '{"text": "\\xff"}'


def test_ascii_first_and_chinese_late_is_one_encoding(tmp_path: Path) -> None:
    lines = ['{"text": "a"}'] * 5000 + [json.dumps({"text": CHINESE}, ensure_ascii=False)]
    path = write(tmp_path / "a.jsonl", "\n".join(lines).encode("gb18030"))
    records = read(path, size=100)
    assert len(records) == 5001 and records[-1].value == {"text": CHINESE}


def test_an_archive_that_is_cut_off_gives_no_end(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"text": "%d"}\n' % index for index in range(100_000)))
    path = write(tmp_path / "a.jsonl.gz", packed[: len(packed) // 2])
    with pytest.raises(UserError, match="cut off"):
        read(path)


def test_files_of_a_folder_are_told_apart_and_the_rest_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name, text in (("b.jsonl", "2"), ("x/a.jsonl", "3"), ("a.ndjson", "1")):
        write(tmp_path / name, json.dumps({"text": text}))
    write(tmp_path / "readme.rst", "notes")
    records = read(tmp_path, type="jsonl")
    assert [(record.file, record.line) for record in records] == [("a.ndjson", 1), ("b.jsonl", 1), ("x/a.jsonl", 1)]
    assert [record.value for record in records] == [{"text": "1"}, {"text": "2"}, {"text": "3"}]
    source = reader(tmp_path, type="jsonl")
    assert source.files() == [tmp_path / "a.ndjson", tmp_path / "b.jsonl", tmp_path / "x" / "a.jsonl"]
    assert source.skipped() == {"readme.rst": "not an ending of jsonl files"}


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "text"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    text = "x" * 1000
    rows = {
        "jsonl": f'{{"text":"{text}"}}\n',
        "json": f'{{"text":"{text}"}},',
        "csv": f"{text}\n",
        "text": f"{text}\n\n",
    }
    begin, end = {"json": ("[", "{}]"), "csv": ("text\n", "")}.get(kind, ("", ""))
    path = write(tmp_path / "a.data", begin + rows[kind] * 10_000 + end)
    tracemalloc.start()
    source = reader(path, type=kind)
    count = sum(len(source.decode(chunk)) for chunk in source.chunks(100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count >= 10_000 and peak < 6 << 20 < path.stat().st_size


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_chunks_never_hold_two_files_nor_more_than_asked(tmp_path: Path, size: int) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write_jsonl(tmp_path / name, [{"text": name, "n": index} for index in range(5)])
    source = reader(tmp_path, type="jsonl")
    chunks = list(source.chunks(size))
    assert [len(chunk.items) for chunk in chunks if chunk.file == "a.jsonl"] == ([size] * 5)[: 5 // size] + [
        5 % size
    ] * (5 % size > 0)
    assert [record.value["n"] for chunk in chunks for record in source.decode(chunk) if record.value] == [*range(5)] * 2


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet", "text"])
def test_a_control_token_in_text_is_text(tmp_path: Path, kind: str) -> None:
    text = "a<|im_end|>\t<|im_start|>system <think> <|endoftext|>"
    path = tmp_path / "a.data"
    if kind == "parquet":
        pq.write_table(pa.table({"text": [text]}), path)
    else:
        whole = {"jsonl": json.dumps({"text": text}), "json": json.dumps([{"text": text}]), "csv": f"text\n{text}\n"}
        write(path, whole.get(kind, text))
    config = ADAPTER.validate_python({"path": str(path), "type": kind})
    assert to_row(only(path, type=kind), "a", config).text == text


# -- csv ---------------------------------------------------------------------------------------------------------------


def test_csv_counts_lines_through_quoted_newlines(tmp_path: Path) -> None:
    content = '\ufeffprompt,completion\r\n"one\ntwo, ""three""",four\r\n\r\nfive,六\r\n'
    records = read(write(tmp_path / "a.csv", content))
    assert [record.line for record in records] == [3, 5]
    assert records[0].value == {"prompt": 'one\ntwo, "three"', "completion": "four"}
    assert records[1].value == {"prompt": "five", "completion": "六"}


def test_csv_reports_rows_that_do_not_fit_the_header_and_broken_quotes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'prompt,completion\na\n"b"x,c\nd,e,f\n,g\nh,i\n')
    records = read(path)
    assert [record.line for record in records] == [2, 3, 4, 5, 6]
    assert records[0].problem == "has 1 cells where the header names 2 columns" and records[0].raw == "a"
    assert records[1].problem.startswith("broken CSV: ") and records[1].raw == '"b"x,c'
    assert records[2].problem == "has 3 cells where the header names 2 columns" and records[2].raw == "d,e,f"
    assert records[3].value == {"completion": "g"}  # an empty cell is an absent key
    assert records[4].value == {"prompt": "h", "completion": "i"}


def test_an_unclosed_quote_at_the_end_of_a_csv_is_reported_with_the_lines_it_took(tmp_path: Path) -> None:
    good, broken = read(write(tmp_path / "a.csv", 'prompt,completion\na,b\nc,"d\ne,f\n'))
    assert good.value == {"prompt": "a", "completion": "b"}
    assert broken.value is None and broken.problem.startswith("broken CSV: ")
    assert "lines 3 to 4" in broken.problem and broken.raw == 'c,"d\ne,f'


def test_csv_lines_may_end_in_a_carriage_return_alone(tmp_path: Path) -> None:
    records = read(write(tmp_path / "a.csv", 'prompt,completion\ra,"b\rc"\rd,e\r'))
    assert [(record.line, record.value) for record in records] == [
        (3, {"prompt": "a", "completion": "b\rc"}),
        (4, {"prompt": "d", "completion": "e"}),
    ]


def test_csv_with_invalid_bytes_in_one_row_keeps_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'text\n你好\n"a\n'.encode() + b'\xff"\n' + "再见\n".encode())
    first, second, third = read(path)
    assert first.value == {"text": "你好"} and third.value == {"text": "再见"} and third.line == 5
    assert second.value is None and second.problem == "invalid UTF-8 at byte 1" and second.raw == '"a\n\\xff"'


def test_tsv_and_a_named_delimiter(tmp_path: Path) -> None:
    tabs, packed = "prompt\tcompletion\na,b\tc\n", tmp_path / "a.tsv.gz"
    packed.write_bytes(gzip.compress(tabs.encode()))
    assert [record.value for record in read(packed)] == [{"prompt": "a,b", "completion": "c"}]
    assert [record.value for record in read(write(tmp_path / "a.tsv", tabs))] == [{"prompt": "a,b", "completion": "c"}]
    semicolons = write(tmp_path / "b.csv", "prompt;completion\na,b;c\n")
    assert [record.value for record in read(semicolons, delimiter=";")] == [{"prompt": "a,b", "completion": "c"}]


@pytest.mark.parametrize(
    "content", [b"\n", b"a,a\n1,2\n", b'"a"b,c\n1,2\n', b"a,\xff\n1,2\n"], ids=["empty", "twice", "quote", "bytes"]
)
def test_csv_without_a_usable_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(UserError) as error:
        read(path)
    assert str(path) in error.value.where and error.value.fix


# -- text --------------------------------------------------------------------------------------------------------------

PROSE = "\n\nfirst\r\nstill first  \n \t\nsecond\n\n\n第三\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("line", [(3, "first"), (4, "still first  "), (6, "second"), (9, "第三")]),
        ("paragraph", [(3, "first\nstill first  "), (6, "second"), (9, "第三")]),
        ("file", [(1, "\n\nfirst\nstill first  \n \t\nsecond\n\n\n第三")]),
    ],
)
def test_text_units(tmp_path: Path, unit: str, expected: list[tuple[int, str]]) -> None:
    records = read(write(tmp_path / "a.txt", PROSE), unit=unit)
    assert [(record.line, record.value) for record in records] == [(line, {"text": text}) for line, text in expected]


def test_text_with_invalid_bytes_keeps_the_other_paragraphs(tmp_path: Path) -> None:
    first, second = read(write(tmp_path / "a.md", b"good\n\nb\xffd\nmore\n"))
    assert first.value == {"text": "good"}
    assert (second.line, second.problem, second.raw) == (3, "invalid UTF-8 at byte 2", "b\\xffd\nmore")
