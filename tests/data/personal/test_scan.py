"""`scan_file`: a line of spans for each row, plain words for bad input, and never a value."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from danlu.data.personal.scan import scan_file
from danlu.recipe.errors import UserError
from tests.data.test_files import PACKERS

ROWS: list[dict[str, Any]] = [
    {"text": "电话13912345678", "deep": {"list": ["a", "写给wang@qq.com"]}},
    {"text": None},
    {"other": 1},
    {"text": "没有"},
]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_one_line_for_each_row(tmp_path: Path) -> None:
    done: list[int] = []
    out = tmp_path / "spans.jsonl"
    kinds = scan_file(write(tmp_path / "in.jsonl", ROWS), "text", out, progress=done.append)
    assert [(line["line"], len(line["spans"])) for line in lines(out)] == [(1, 1), (2, 0), (3, 0), (4, 0)]
    [span] = lines(out)[0]["spans"]
    assert {k: span[k] for k in ("start", "end", "type")} == {"start": 2, "end": 13, "type": "CN_MOBILE"}
    assert 0.5 <= span["confidence"] <= 1
    assert kinds == {"CN_MOBILE": 1}
    assert done == [4]
    assert "13912345678" not in out.read_text("utf-8")


def test_gzip_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress('\ufeff{"text": "13912345678"}\n\n{"text": "x"}\n'.encode()))
    scan_file(path, "text", tmp_path / "out", progress=lambda n: None)
    assert [line["line"] for line in lines(tmp_path / "out")] == [1, 3]


def test_a_path_leads_into_objects_and_lists(tmp_path: Path) -> None:
    out = tmp_path / "out"
    scan_file(write(tmp_path / "in.jsonl", ROWS), "deep.list.1", out)
    assert [span["type"] for span in lines(out)[0]["spans"]] == ["EMAIL"]


@pytest.mark.parametrize(
    ("content", "field", "reason"),
    [
        (b'{"text": "a"}\n{"text": 13912345678 oops\n', "text", r"in\.jsonl:2: broken JSON at character 22"),
        (b'{"text": "a"}\n["13912345678"]\n', "text", r"in\.jsonl:2: a row must be a JSON object, not list"),
        (b'{"text": 13912345678}\n', "text", r"in\.jsonl:1: the field 'text' is a number, not text"),
        (b'{"text": "a"}\n', "content", r"no row has the field 'content'"),
        (b'{"text": "a"}\n', "text.inner", r"in\.jsonl:1: the field 'text.inner' is not reachable"),
        (b'{"text": "\xff\xfe"}\n', "text", r"in\.jsonl:1: invalid UTF-8 at byte 11"),
    ],
)
def test_bad_input_is_named_and_leaves_no_file(tmp_path: Path, content: bytes, field: str, reason: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        scan_file(path, field, tmp_path / "out")
    assert "13912345678" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl"]


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        scan_file(tmp_path / "none.jsonl", "text", tmp_path / "out")
    path = write(tmp_path / "in.jsonl", ROWS)
    with pytest.raises(UserError, match="cannot be written"):
        scan_file(path, "text", tmp_path / "no" / "out")
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 50)[:-12])
    with pytest.raises(UserError, match="the archive is cut off"):
        scan_file(tmp_path / "bad.gz", "text", tmp_path / "out")


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_files_are_read_as_the_loader_reads_them(tmp_path: Path, suffix: str) -> None:
    content = "".join(f'{{"text": "客户{n}来电说，他的手机是13912345678，请回电。"}}\n' for n in range(20)).encode(
        "gb18030"
    )
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(PACKERS[suffix](content) if suffix else content)
    assert scan_file(path, "text", tmp_path / "out") == {"CN_MOBILE": 20}
