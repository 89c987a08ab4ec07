"""The live display: what it says, in any width, and how seldom it says it in a log."""

from __future__ import annotations

import io
import itertools
import math
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from danlu.pipeline.display import RunDisplay
from danlu.pipeline.live import BLOCKS, MOST_POINTS, Curve, Pauses, TrainingView, clock_time, fitted, sparkline


class Watch:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def step(number: int, **fields: Any) -> dict[str, Any]:
    """The event of a step of 400."""
    known = {"loss": 4 / number, "tokens": 1000, "learning_rate": 1e-4, "memory": 2_500_000_000}
    return {"event": "step", "step": number, "total": 400, **known, **fields}


def watched(width: int, *, terminal: bool = True, steps: int = 100, seconds: float = 0.5) -> tuple[str, Console]:
    """What a display of that width shows in the middle of a training."""
    watch = Watch()
    console = Console(width=width, force_terminal=terminal, file=io.StringIO(), color_system=None)
    display = RunDisplay(console, clock=watch)
    display({"event": "stage", "stage": "train", "status": "started"})
    display({"event": "training", "steps": 400, "resumed_at": 0})
    for number in range(1, steps + 1):
        watch.now += seconds
        checked = {"validation_loss": 1.25 if number == 50 else 1.5} if number % 50 == 0 else {}
        display(step(number, **checked))
    if terminal:
        console.print(display._picture())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), console


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


def test_it_says_all_there_is_to_say() -> None:
    shown, _ = watched(100)
    for said in ("100/400", "loss 0.040", "validation 1.500", "best 1.250", "2,000 tokens/s", "2:30 left", "2.50 GB"):
        assert said in shown
    assert "1.00e-04" in shown and "█" in shown and "▁" in shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [24, 34, 58, 80, 200])
def test_it_fits_any_width_and_loses_nothing(width: int, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", language)
    shown, _ = watched(width)
    assert all(cell_len(line) <= width for line in shown.splitlines())
    for figure in ("0.040", "1.500", "1.250", "2,000", "2:30", "1.00e-04", "2.50"):
        assert figure in shown, f"{figure} at {width}"


def test_a_log_has_few_whole_lines_and_no_control_characters() -> None:
    shown, _ = watched(40, terminal=False, steps=400, seconds=60)
    lines = shown.splitlines()
    assert "\x1b" not in shown and "\r" not in shown
    assert "1/400" in lines[0] and "400/400" in lines[-1] and all("tokens/s" in line for line in lines)
    assert len([line for line in lines if "validation 1.250" in line and " 50/400" in line]) == 1
    seconds = 400 * 60
    assert 20 < len(lines) < seconds / 300 + 40, "a line each five minutes once the run is long"


def test_pauses_grow_with_the_run() -> None:
    watch = Watch()
    pauses, said = Pauses(watch), []
    while watch.now < 20_000:
        watch.now += 1
        if pauses.due():
            pauses.begin()
            said.append(watch.now)
    gaps = [b - a for a, b in itertools.pairwise(said)]
    assert gaps[0] == 10 and max(gaps) == 300 and gaps == sorted(gaps)


def test_time_left_follows_the_pace_of_the_last_steps() -> None:
    watch = Watch()
    view = TrainingView(1000, 900, watch)
    assert view.seconds_left is None
    for number in range(901, 981):
        watch.now += 5.0 if number < 925 else 1.0
        view.step(step(number, total=1000))
    assert view.seconds_left == pytest.approx(20.0) and view.tokens_per_second == pytest.approx(1000.0)


def test_a_sparkline_falls_as_the_loss_does_and_a_spike_does_not_flatten_it() -> None:
    losses = [1 + math.exp(-n / 30) for n in range(200)]
    line = sparkline(losses, 20)
    assert len(line) == 20 and list(line) == sorted(line, reverse=True) and line[-1] == "▁"
    spiked = sparkline([*losses[:100], 1e6, *losses[100:]], 20)
    levels = [[BLOCKS.index(block) for block in drawn] for drawn in (line, spiked)]
    assert sorted(abs(a - b) for a, b in zip(*levels, strict=True))[-2] <= 2
    assert sparkline([2.0], 20) == "▁" and sparkline([], 20) == "" and sparkline([math.nan, 1.0, 2.0], 9) == "▁█"


def test_a_long_curve_is_held_as_means() -> None:
    curve = Curve()
    for number in range(10 * MOST_POINTS):
        curve.add(float(number))
    assert MOST_POINTS / 2 <= len(curve.points) < MOST_POINTS
    assert curve.points == sorted(curve.points) and curve.points[0] < 16
    assert sum(curve.points) / len(curve.points) == pytest.approx(5 * MOST_POINTS, rel=0.01)


def test_small_things() -> None:
    assert [clock_time(s) for s in (7, 750, 11_100, None, math.inf)] == ["0:07", "12:30", "3:05:00", "–:––", "–:––"]
    assert fitted(["aaaa", "bbbb", "cc"], 11) == ["aaaa · bbbb", "cc"]


def prepared(*, terminal: bool) -> str:
    """What is shown of a data stage that reads and then renders 100,000 rows at two paces."""
    watch = Watch()
    console = Console(width=110, force_terminal=terminal, file=io.StringIO(), color_system=None)
    display = RunDisplay(console, clock=watch)
    display({"event": "stage", "stage": "data", "status": "started"})
    for note, pace in (("read", 2000), ("render", 500)):
        for seconds in range(21):
            watch.now += 1
            display({"event": "progress", "done": seconds * pace, "total": 100_000, "note": note})
            if terminal and seconds == 20:
                console.print(display._picture())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rows_have_a_pace_and_a_time_left_step_by_step() -> None:
    shown = prepared(terminal=True)
    assert "40000/100000 2,000 rows/s" in shown and "10000/100000 500 rows/s" in shown
    said = [line.strip() for line in prepared(terminal=False).splitlines()]
    assert "data  read 18,000/100,000  2,000 rows/s  0:41 left" in said
    assert all("rows/s" in line for line in said[1:] if " 0/" not in line)


def test_rows_that_nobody_can_count_have_a_pace() -> None:
    watch = Watch()
    console = Console(width=110, file=io.StringIO(), color_system=None)
    display = RunDisplay(console, clock=watch)
    display({"event": "stage", "stage": "data", "status": "started"})
    for done in range(0, 60_000, 1000):
        watch.now += 1
        display({"event": "progress", "done": done, "total": None, "note": "read"})
    assert isinstance(console.file, io.StringIO)
    assert "1,000 rows/s" in console.file.getvalue() and "left" not in console.file.getvalue()
