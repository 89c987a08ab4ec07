"""`danlu data pii` and `danlu data diff` as a person types them: what they write and print, and how they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.making import write_jsonl
from tests.data.personal.generate import documents
from tests.pipeline.report.test_diff import dataset
from tests.test_cli import call

KINDS = {
    *("CN_MOBILE", "CN_LANDLINE", "CN_ID", "BANK_CARD", "CN_USCC", "CN_PASSPORT", "CN_PLATE", "CN_ADDRESS", "CN_NAME"),
    *("EMAIL", "PHONE", "SSN", "IBAN", "CREDIT_CARD", "IP", "EN_NAME", "SECRET"),
}
MOBILE = "13912345678"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """English texts, an empty folder to stand in."""
    monkeypatch.setenv("DANLU_LANG", "en")
    monkeypatch.chdir(tmp_path)


def lines(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_pii_writes_the_spans_of_every_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [d for language in ("zh", "en") for d in documents(5, 40, language=language, held_out=True)]
    source = write_jsonl(Path("rows.jsonl"), [{"id": i, "body": d.text} for i, d in enumerate(rows)])
    before = source.read_bytes()
    assert call(monkeypatch, "data", "pii", "rows.jsonl", "--field", "body", "--out", "spans.jsonl") == 0
    found = lines("spans.jsonl")
    assert [entry["line"] for entry in found] == list(range(1, 81))
    hits = total = 0
    for document, entry in zip(rows, found, strict=True):
        for span in entry["spans"]:
            assert set(span) == {"start", "end", "type", "confidence"} and span["type"] in KINDS
            assert 0 <= span["start"] < span["end"] <= len(document.text) and 0.5 <= span["confidence"] <= 1
        places = {(span["start"], span["end"], span["type"]) for span in entry["spans"]}
        hits += len(places & set(document.spans))
        total += len(document.spans)
    assert hits >= 0.95 * total > 150
    assert source.read_bytes() == before
    out = capsys.readouterr().out
    assert "Personal data in 80 rows" in out and "CN_MOBILE" in out and "spans.jsonl" in out
    said = out + Path("spans.jsonl").read_text(encoding="utf-8")
    assert not [1 for d in rows for start, end, _ in d.spans if end - start > 4 and d.text[start:end] in said]


def test_pii_offsets_count_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"😀é\u200b电话：{MOBILE}\n邮箱 wang@qq.com"
    write_jsonl(Path("rows.jsonl"), [{"text": text}, {"text": None}, {"other": 1}, {"text": ""}])
    assert call(monkeypatch, "data", "pii", "rows.jsonl", "--out", "spans.jsonl") == 0
    first, *others = lines("spans.jsonl")
    assert [text[span["start"] : span["end"]] for span in first["spans"]] == [MOBILE, "wang@qq.com"]
    assert [entry["spans"] for entry in others] == [[], [], []]


def test_pii_says_when_there_is_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(Path("rows.jsonl"), [{"text": "Nothing here."}, {"text": "没有。"}])
    assert call(monkeypatch, "data", "pii", "rows.jsonl", "--out", "spans.jsonl") == 0
    assert "No personal data found in 2 rows." in capsys.readouterr().out
    monkeypatch.setenv("DANLU_LANG", "zh")
    assert call(monkeypatch, "data", "pii", "rows.jsonl", "--out", "spans.jsonl") == 0
    assert "2 行中未发现个人信息" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (f'{{"text": "a"}}\n{{"text": {MOBILE} oops\n'.encode(), (), ("rows.jsonl:2: broken JSON", "one JSON object")),
        (b"id,text\n1,a\n", (), ("rows.jsonl:1: broken JSON", ".jsonl")),
        (b'{"text": "\xff\xff"}\n', (), ("rows.jsonl:1: ", "UTF-8")),
        (b'["a"]\n', (), ("rows.jsonl:1: a row must be a JSON object", "one JSON object")),
        (b'{"text": 5}\n', (), ("rows.jsonl:1: the field 'text' is a number, not text", "--field")),
        (b'{"text": ["a"]}\n', (), ("is a list, not text", "messages.0.content")),
        (b'{"id": 1, "body": "a"}\n', (), ("no row has the field 'text'", "the rows have: id, body")),
        (b'{"text": "a"}\n', ("--out", "."), (".: is a folder", "--out")),
        (b'{"text": "a"}\n', ("--out", "no/spans.jsonl"), ("no/spans.jsonl: cannot be written", "--out")),
        (b'{"text": "a"}\n', ("--out", "rows.jsonl"), ("would be written over the rows", "another file")),
        (b'{"text": "a"}\n', ("--out", "./link.jsonl"), ("would be written over the rows", "another file")),
        (b'{"text": "a"}\n', ("--names", "best"), ("'best' is not one of", "rules")),
    ],
)
def test_pii_refuses_with_place_reason_and_fix(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    arguments: tuple[str, ...],
    said: tuple[str, str],
) -> None:
    Path("rows.jsonl").write_bytes(content)
    Path("link.jsonl").symlink_to("rows.jsonl")
    out = () if "--out" in arguments else ("--out", "spans.jsonl")
    assert call(monkeypatch, "data", "pii", "rows.jsonl", *out, *arguments) == 2
    captured = capsys.readouterr()
    for words in said:
        assert words in captured.err
    assert "Traceback" not in captured.err and MOBILE not in captured.err + captured.out
    assert Path("rows.jsonl").read_bytes() == content
    assert sorted(path.name for path in Path().iterdir()) == ["link.jsonl", "rows.jsonl"]


@pytest.mark.parametrize(("named", "said"), [("none.jsonl", "No such file"), (".", "Is a directory")])
def test_pii_without_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: str, said: str
) -> None:
    assert call(monkeypatch, "data", "pii", named, "--out", "spans.jsonl") == 2
    error = capsys.readouterr().err
    assert said in error and "fix: check that it exists" in error
    assert call(monkeypatch, "data", "pii", named) == 2
    assert "Missing option '--out'" in capsys.readouterr().err


def test_diff_shows_what_differs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    dataset(Path("a"), [("f:1", "x", "train"), ("f:2", "y", "test"), ("f:3", "z", "train")])
    dataset(Path("b"), [("f:1", "x", "train"), ("f:2", "other", "test"), ("f:4", "w", "train")])
    assert call(monkeypatch, "data", "diff", "a", "b") == 0
    out = capsys.readouterr().out
    assert "1 row" in out and "f:2" in out and "the-text-of-a-row" not in out
    assert call(monkeypatch, "data", "diff", "a", "a") == 0
    assert "Both hold the same 3 rows" in capsys.readouterr().out


def test_diff_refuses_with_place_reason_and_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset(Path("a"), [("f:1", "x", "train")])
    dataset(Path("broken"), [("f:1", "x", "train")])
    Path("broken/rows.parquet").write_bytes(b"PAR1")
    Path("rows.jsonl").write_text("{}", encoding="utf-8")
    Path("empty").mkdir()
    for other, reason in (
        ("none", "there is no such dataset"),
        ("rows.jsonl", "is no dataset"),
        ("empty", "is no dataset"),
        ("broken", "cannot be read"),
        ("no.yaml", "there is no such dataset"),
    ):
        for pair in (("a", other), (other, "a")):
            assert call(monkeypatch, "data", "diff", *pair) == 2
            error = capsys.readouterr().err
            assert reason in error and other in error and "fix: " in error and "Traceback" not in error
    assert call(monkeypatch, "data", "diff", "a") == 2
    assert "Missing argument 'B'" in capsys.readouterr().err
