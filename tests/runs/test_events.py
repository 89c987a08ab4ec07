"""events.jsonl: whole lines in, whole lines out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from danlu.runs import EventLog, read_events


def test_events_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.jsonl"
    with EventLog(path) as log:
        written = [log.write("step", loss=1.5, text="炉\n\u2028 火"), log.write("done")]
    assert list(read_events(path)) == written
    assert [event["event"] for event in written] == ["step", "done"]
    log.close()
    assert path.read_text(encoding="utf-8").count("\n") == 2


def test_a_log_opened_again_goes_on(tmp_path: Path) -> None:
    for number in range(2):
        with EventLog(tmp_path / "e.jsonl") as log:
            log.write("start", number=number)
    assert [event["number"] for event in read_events(tmp_path / "e.jsonl")] == [0, 1]


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_last_line_cut_anywhere_is_skipped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "e.jsonl"
    line = json.dumps({"text": "炉火🔥好"}, ensure_ascii=False).encode()
    path.write_bytes(b'{"event": "first"}\n' + line[:cut])
    assert list(read_events(path)) == [{"event": "first"}]


def test_no_file_is_no_events(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "none.jsonl")) == []
    (tmp_path / "empty.jsonl").touch()
    assert list(read_events(tmp_path / "empty.jsonl")) == []


def test_lines_of_two_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    script = (
        "import sys; from pathlib import Path; from danlu.runs import EventLog\n"
        "with EventLog(Path(sys.argv[1])) as log:\n"
        "    for number in range(300): log.write(sys.argv[2], number=number, filler='x' * 3000)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    events = list(read_events(path))
    for name in ("a", "b"):
        assert [event["number"] for event in events if event["event"] == name] == list(range(300))


def test_an_event_may_have_a_kind_of_its_own(tmp_path: Path) -> None:
    with EventLog(tmp_path / "e.jsonl") as log:
        log.write("fault", kind="memory", reason="step 3 did not fit")
    (found,) = read_events(tmp_path / "e.jsonl")
    assert (found["event"], found["kind"], found["reason"]) == ("fault", "memory", "step 3 did not fit")
