"""The quarantine file: every unusable row with place and reason, and nothing personal where that is scrubbed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from danlu.data.quarantine import SCANNED, SHOWN, QuarantineWriter, quarantined_text, raw_of
from danlu.data.row import Record

SECRET = "张伟13800138000"


def scrub(text: str) -> str:
    return text.replace(SECRET, "[NAME]")


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_written_with_place_reason_and_what_stood_there(tmp_path: Path) -> None:
    with QuarantineWriter(tmp_path / "quarantine.jsonl") as writer:
        writer.write("a.jsonl", 3, "read", "broken JSON", '{"text": "一\n')
        writer.write("b.jsonl", 4, "read", "no answer", "")
        assert writer.count == 2
    assert entries(tmp_path / "quarantine.jsonl") == [
        {"file": "a.jsonl", "line": 3, "step": "read", "reason": "broken JSON", "raw": '{"text": "一\n'},
        {"file": "b.jsonl", "line": 4, "step": "read", "reason": "no answer", "raw": ""},
    ]


def test_no_rows_leave_an_empty_file(tmp_path: Path) -> None:
    with QuarantineWriter(tmp_path / "q.jsonl"):
        pass
    assert (tmp_path / "q.jsonl").read_bytes() == b""


def test_a_long_row_is_cut_and_says_so() -> None:
    assert quarantined_text("x" * SHOWN, None) == "x" * SHOWN
    cut = quarantined_text("x" * 123_456, None)
    assert len(cut) == SHOWN and cut.endswith("x... [cut: 123,456 characters in all]")
    assert quarantined_text(cut, None) == cut


def test_reason_and_row_are_scrubbed_also_across_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    with QuarantineWriter(path, scrub) as writer:
        writer.write("a", 1, "read", f"about {SECRET}", f"{SECRET} and {SECRET}")
        for shift in range(20):
            writer.write("a", 2, "read", "long", "x" * (SHOWN - shift) + SECRET + "y" * 100)
    assert not any(half in path.read_text(encoding="utf-8") for half in ("张", "1380", "0138"))
    assert entries(path)[0]["reason"] == "about [NAME]" and entries(path)[0]["raw"] == "[NAME] and [NAME]"


def test_what_json_escapes_hide_is_found() -> None:
    hidden = json.dumps({"name": SECRET})
    assert "\\u5f20" in hidden
    assert quarantined_text(hidden, scrub) == '{"name": "[NAME]"}'
    harmless = json.dumps({"name": "你好", "half": "\ud800"})
    assert quarantined_text(harmless, scrub) == harmless  # unchanged where there is nothing to find


def test_bytes_nobody_can_read_are_counted_when_scrubbing() -> None:
    raw = "你好1380".encode("gb18030").decode("utf-8", "backslashreplace") + "caf\\xe9"
    assert quarantined_text(raw, None) == raw
    assert quarantined_text(raw, scrub).startswith("[4 bytes]1380") and quarantined_text(raw, scrub).endswith(
        "caf\\xe9"
    )


def test_a_row_beyond_what_is_scanned_shows_nothing_of_the_rest() -> None:
    shrinking = quarantined_text(SECRET * SCANNED, lambda text: text.replace(SECRET, ""))
    assert len(shrinking) <= SHOWN and "[cut: " in shrinking


def test_raw_of_a_record_is_what_stood_there_or_its_value() -> None:
    assert raw_of(Record("a", 1, None, "broken", "{raw")) == "{raw"
    assert raw_of(Record("a", 1, {"text": "一"})) == '{"text":"一"}'
    assert raw_of(Record("a", 1, None, "broken")) == ""


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        QuarantineWriter(tmp_path / "none" / "q.jsonl")
