"""The history file: cut back by bytes, whole lines only, opened without reading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.training.history import History, copy_history, read_history


def written(path: Path, steps: range) -> list[int]:
    """A history of these steps; its length after each."""
    history, lengths = History(path), []
    for step in steps:
        history.write({"step": step, "loss": step / 3})
        lengths.append(history.length)
    history.close()
    return lengths


def steps_in(path: Path) -> list[int]:
    return [record["step"] for record in read_history(path)]


@pytest.mark.parametrize("kept", [0, 1, 3, 5])
def test_it_is_cut_back_to_the_checkpoint_and_goes_on(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "history.jsonl"
    lengths = [0, *written(path, range(1, 6))]
    history = History(path, lengths[kept])
    assert history.whole and steps_in(path) == list(range(1, kept + 1)) and history.length == lengths[kept]
    history.write({"step": kept + 1, "loss": 0.1 + 0.2})
    history.sync()
    history.close()
    assert read_history(path)[-1] == {"step": kept + 1, "loss": 0.1 + 0.2}


def test_a_half_line_behind_the_checkpoint_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    lengths = written(path, range(1, 4))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 4')
    assert steps_in(path) == [1, 2, 3]
    history = History(path, lengths[2])
    history.close()
    assert history.whole and path.stat().st_size == lengths[2]


@pytest.mark.parametrize("lost", [1, 15, 1000])
def test_a_file_that_is_too_short_keeps_its_whole_lines_and_says_so(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "history.jsonl"
    lengths = written(path, range(1, 4))
    path.write_bytes(path.read_bytes()[: max(0, lengths[2] - lost)])
    history = History(path, lengths[2])
    history.write({"step": 4})
    history.close()
    assert not history.whole
    assert steps_in(path) == ([4] if lost == 1000 else [1, 2, 4])


def test_opening_reads_nothing_but_the_end(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte with no content: reading it would take minutes
        file.seek((1 << 40) - 1)
        file.write(b"\n")
    history = History(path, 1 << 40)
    assert history.whole and history.length == 1 << 40
    history.close()


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (b'"step": 2', b'"step": \xff', [1, 3]),  # no UTF-8
        (b'"step": 2', b'"step" 2', [1, 3]),  # no JSON
        (b'"step": 2', b'"stop": 2', [1, 3]),
        (b'{"step": 2, "loss": 0.6666666666666666}', b"null", [1, 3]),
        (b"0.6666666666666666", b'"6666666666666666"', [1, 3]),
        (b'66}\n{"step": 3', b'66} {"step": 3', [1]),  # two lines in one
        (b'"step": 2', b'"ste\np": 2', [1, 3]),  # one line in two
    ],
)
def test_damaged_lines_are_left_out_and_the_others_are_exact(
    tmp_path: Path, old: bytes, new: bytes, left: list[int]
) -> None:
    path, copy = tmp_path / "history.jsonl", tmp_path / "copy.jsonl"
    written(path, range(1, 4))
    whole = path.read_bytes()
    assert copy_history(path, copy)[1] == 0 and copy.read_bytes() == whole
    assert whole.count(old) == 1
    path.write_bytes(whole.replace(old, new))
    assert steps_in(path) == left
    records, damaged = copy_history(path, copy)
    assert damaged == (2 if b"\n" in new else 1) and records == [{"step": step, "loss": step / 3} for step in left]
    assert set(copy.read_bytes().splitlines()) < set(whole.splitlines())


def test_no_file_is_no_history(tmp_path: Path) -> None:
    assert copy_history(tmp_path / "gone", tmp_path / "copy") == ([], 0) and read_history(tmp_path / "copy") == []
