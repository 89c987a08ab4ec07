"""What every tracker of the table promises, on stand-ins for its package."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from danlu.pipeline import tracking
from danlu.pipeline.tracker import TrackedRun
from danlu.pipeline.trackers import TRACKERS, build_trackers
from danlu.pipeline.tracking import Tracking
from danlu.recipe import Recipe, UserError
from tests.pipeline.trackers.fakes import FakeRun, Store, install

STARTED: dict[str, Any] = {"event": "stage", "stage": "train", "status": "started"}
RESULT: dict[str, Any] = {
    "event": "result",
    "scores": {"bleu": {"value": 31.0, "low": 29.0, "high": 33.0}},
    "comparisons": [{"metric": "bleu", "base": {"value": 12.0}, "difference": 19.0, "verdict": "better"}],
    "artifacts": {"train": "/w/artifacts/trained/1"},
    "report": "/w/runs/1/report.html",
    "model": "tiny@1",
}


def step(number: int) -> dict[str, Any]:
    """The event of a step; the third is validated."""
    checked = {"validation_loss": 0.5} if number == 3 else {}
    return {"event": "step", "total": 5, "step": number, "loss": 1 / number, "tokens": 10, "memory": 5, **checked}


class Bench:
    """A tracker over a stand-in, and the processes that use it one after the other."""

    def __init__(self, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kind, self.folder, self.store, self.faults = kind, folder, Store(), list[str]()
        install(kind, self.store, monkeypatch)
        self.made = folder / "made.jsonl"

    def start(self, run_id: str = "tiny-1") -> Tracking:
        """A process begins, or goes on."""
        recipe = Recipe.model_validate({"name": "tiny", "data": {"sources": [{"path": "x.jsonl"}]}})
        run = TrackedRun(
            run_id, "tiny", recipe.model_dump(mode="json"), "sources: [{path: x.jsonl}]\n", self.folder / "tracking"
        )
        trackers = build_trackers(Recipe.model_validate({**dict(recipe), "track": [{"type": self.kind}]}).track)
        files = (self.folder / "work.jsonl", self.made)
        return Tracking(trackers, run, self.folder / "state", files, self.faults.append)

    def history(self, path: Path, numbers: range) -> None:
        """Write the history of those steps."""
        path.write_text("".join(json.dumps(step(number)) + "\n" for number in numbers), encoding="utf-8")

    @property
    def run(self) -> FakeRun:
        """The only run."""
        (run,) = self.store.runs.values()
        return run

    def losses(self) -> list[int]:
        """The steps of the loss curve."""
        return [number for number, _ in self.run.curves["train/loss"]]

    def noted(self) -> int:
        """The last step that a next process would be told of."""
        file = self.folder / "state" / f"{self.kind}.json"
        return int(json.loads(file.read_text(encoding="utf-8"))["step"]) if file.is_file() else 0

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for a tracker's thread."""
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end, "the tracker does not get there"
            time.sleep(0.005)


@pytest.fixture(params=sorted(TRACKERS))
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(tracking, "FIRST_WAIT", 0.01)
    return Bench(str(request.param), tmp_path, monkeypatch)


def test_it_takes_recipe_steps_validation_and_outcome(bench: Bench) -> None:
    told = bench.start()
    for event in (STARTED, {"event": "training", "resumed_at": 0}, *map(step, range(1, 6)), RESULT):
        told(event)
    told.close("done")
    assert not bench.faults and bench.run.statuses == ["done"]
    curves = bench.run.curves
    assert curves["train/loss"] == [(n, 1 / n) for n in range(1, 6)]
    assert curves["validation/loss"] == [(3, 0.5)] and [y for _, y in curves["train/memory"]] == [5.0] * 5
    assert curves["train/tokens_seen"][-1] == (5, 50.0)
    assert [y for _, y in curves["evaluation/bleu"]] == [31.0]
    assert [y for _, y in curves["evaluation/bleu_difference"]] == [19.0]
    everything = json.dumps([bench.run.texts, bench.run.config])
    assert all(word in everything for word in ("tiny@1", "/w/artifacts/trained/1", "/w/runs/1/report.html", "x.jsonl"))
    assert not (bench.folder / "state").exists(), "nothing is left to go on with"


def test_a_killed_run_goes_on_in_the_same_run_without_double_steps(bench: Bench) -> None:
    first = bench.start()
    for event in (STARTED, {"event": "training", "resumed_at": 0}, *map(step, range(1, 5))):
        first(event)
    bench.until(lambda: bench.noted() == 4)
    first._lock.release()  # what the death of a process does
    bench.history(bench.folder / "work.jsonl", range(1, 5))
    again = bench.start("tiny-2")
    for event in (STARTED, {"event": "training", "resumed_at": 2}, *map(step, range(3, 6))):
        again(event)
    again.close("done")
    assert bench.losses() == [1, 2, 3, 4, 5] and bench.run.opened == 2 and not bench.faults
    assert bench.run.curves["train/tokens_seen"] == [(n, 10.0 * n) for n in range(1, 6)]


def test_steps_it_missed_are_made_up_for_from_the_history(bench: Bench) -> None:
    """A tracker added to a training that is under way, or done already, has the whole curve."""
    bench.history(bench.folder / "work.jsonl", range(1, 5))
    under_way = bench.start()
    for event in (STARTED, {"event": "training", "resumed_at": 3}, *map(step, range(4, 6))):
        under_way(event)
    under_way.close("done")
    assert bench.losses() == [1, 2, 3, 4, 5]
    bench.store.runs.clear()
    bench.history(bench.made, range(1, 6))
    done = bench.start()
    for event in (STARTED, {"event": "stage", "stage": "train", "status": "reused"}, RESULT):
        done(event)
    done.close("done")
    assert bench.losses() == [1, 2, 3, 4, 5]


def test_a_failure_is_told_once_and_what_was_missed_comes_later(bench: Bench) -> None:
    told = bench.start()
    bench.store.broken = True
    for event in (STARTED, {"event": "training", "resumed_at": 0}, *map(step, range(1, 4))):
        told(event)
    bench.until(lambda: bool(bench.faults))
    bench.store.broken = False
    for number in (4, 5):
        told(step(number))
    told.close("done")
    assert bench.losses() == [1, 2, 3, 4, 5]
    assert len(bench.faults) == 1 and bench.kind in bench.faults[0] and "no route to host" in bench.faults[0]


def test_a_tracker_that_stays_broken_ends_in_a_fault(bench: Bench) -> None:
    told = bench.start()
    bench.store.broken = True
    for event in (STARTED, *map(step, range(1, 4))):
        told(event)
    told.close("failed")
    assert bench.faults[-1].endswith("3 records were not taken") and not bench.store.runs


def test_a_failed_run_is_closed_as_failed_and_can_be_gone_on_with(bench: Bench) -> None:
    told = bench.start()
    for event in (STARTED, {"event": "training", "resumed_at": 0}, step(1)):
        told(event)
    told.close("failed")
    bench.history(bench.folder / "work.jsonl", range(1, 2))
    again = bench.start("tiny-2")
    for event in (STARTED, {"event": "training", "resumed_at": 1}, step(2)):
        again(event)
    again.close("done")
    assert bench.losses() == [1, 2] and bench.run.opened == 2
    assert bench.run.statuses[-1] == "done" and (bench.kind == "tensorboard" or bench.run.statuses[0] == "failed")


def test_a_training_that_goes_back_after_a_bad_step_is_told_once(bench: Bench) -> None:
    told = bench.start()
    for event in (STARTED, {"event": "training", "resumed_at": 0}, *map(step, (1, 2, 1, 2, 3))):
        told(event)
    told.close("interrupted")
    assert bench.losses() == [1, 2, 3]
    assert bench.run.curves["train/tokens_seen"][-1][1] == 3 * step(1)["tokens"]


def test_two_runs_of_one_training_at_once_have_a_run_each(bench: Bench) -> None:
    one = bench.start("tiny-1")
    for event in (STARTED, {"event": "training", "resumed_at": 0}, step(1)):
        one(event)
    bench.until(lambda: bench.noted() == 1)
    other = bench.start("tiny-2")
    other(STARTED)
    for told in (one, other):
        told.close("done")
    assert len(bench.store.runs) == 2 and not bench.faults


def test_a_damaged_line_of_the_history_costs_itself_and_no_more(bench: Bench) -> None:
    (bench.folder / "work.jsonl").write_text("{broken\n", encoding="utf-8")
    told = bench.start()
    for event in (STARTED, {"event": "training", "resumed_at": 1}, step(2)):
        told(event)
    told.close("done")
    assert bench.losses() == [2] and not bench.faults


def test_a_missing_package_is_told_with_the_install_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, bench.kind, None)
    with pytest.raises(UserError, match=f"needs the package '{bench.kind}'") as caught:
        bench.start()
    assert caught.value.fix == f"pip install 'danlu[{bench.kind}]'"
