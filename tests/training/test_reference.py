"""The pass with the model before training: stopped, killed or damaged, it gives the same numbers, and none twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.models.loading import load_model
from danlu.recipe.errors import Interrupted
from danlu.recipe.objectives import DpoObjective, KtoObjective
from danlu.training import reference
from danlu.training.cross_entropy import sequence_log_probabilities
from danlu.training.history import History
from danlu.training.objective import Example
from danlu.training.objectives.dpo import Dpo
from danlu.training.objectives.kto import Kto
from danlu.training.reference_file import ReferenceFile
from tests.training.making import made_pairs, referred

SPLITS = {"train": (150, 0), "validation": (60, 1), "test": (0, 2)}
FILE = "reference-train.jsonl"
Events = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def usual_handlers() -> Iterator[None]:
    """Those of a process in the foreground, whatever started the tests."""
    usual: dict[signal.Signals, Any] = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, found in before.items():
        signal.signal(number, found)


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> Any:
    return load_model(tiny_folder, dtype=torch.float32)


@pytest.fixture(autouse=True)
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequences of each batch that is computed."""
    counts: list[int] = []
    inner = sequence_log_probabilities

    def counting(model: Any, batch: Any) -> torch.Tensor:
        found = inner(model, batch)
        counts.append(len(found))
        return found

    monkeypatch.setattr(reference, "sequence_log_probabilities", counting)
    return counts


def numbers(
    model: Any, folder: Path, on_event: Callable[[dict[str, Any]], None], objective: Any = None
) -> dict[str, list[tuple[float, ...]]]:
    """Of each example of each split."""
    made = objective or Dpo(DpoObjective())
    splits: dict[str, list[Example]] = {name: made.examples(made_pairs(*given)) for name, given in SPLITS.items()}
    found = referred(model, splits, folder, on_event=on_event)
    return {name: [example.reference for example in examples] for name, examples in found.items()}


def quiet(event: dict[str, Any]) -> None:
    """Only progress is to be told."""
    assert event["event"] == "progress"


def at(count: int, do: Callable[[], None]) -> Callable[[dict[str, Any]], None]:
    """Does something as so many batches are told."""
    seen = Events()

    def on_event(event: dict[str, Any]) -> None:
        quiet(event)
        seen.append(event)
        if len(seen) == count:
            do()

    return on_event


@pytest.mark.parametrize("objective", [Dpo(DpoObjective()), Kto(KtoObjective())], ids=["dpo", "kto"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_what_is_done_and_the_next_call_does_the_rest(
    model: Any, tmp_path: Path, computed: list[int], number: signal.Signals, objective: Any
) -> None:
    whole = numbers(model, tmp_path / "whole", quiet, objective)
    batches = list(computed)
    assert len(batches) >= 4 and numbers(model, tmp_path / "whole", quiet, objective) == whole
    assert computed == batches, "what is there is not computed again"
    for count in (1, 2, len(batches)):  # in the first split, and as the last row is done
        computed.clear()
        folder = tmp_path / f"cut-{count}"
        with pytest.raises(Interrupted, match=f"stopped by {number.name} after .* rows with the model before training"):
            numbers(model, folder, at(count, lambda: os.kill(os.getpid(), number)), objective)
        assert computed == batches[:count] and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert numbers(model, folder, quiet, objective) == whole and computed == batches


def test_a_signal_behind_the_last_batch_is_not_lost(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = ReferenceFile.__exit__

    def late(self: ReferenceFile, *rest: Any) -> None:
        leave(self, *rest)
        if "validation" in self._path.name:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ReferenceFile, "__exit__", late)
    with pytest.raises(Interrupted, match="after the last row"):
        numbers(model, tmp_path, quiet)


def test_a_kill_costs_the_batch_in_work(
    model: Any, tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = numbers(model, tmp_path / "whole", quiet)
    batches = list(computed)

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(History, "sync", lambda self: None)  # nothing is tidied up in a kill
        numbers(model, tmp_path / "cut", at(2, kill))
    with (tmp_path / "cut" / "reference-train.part").open("ab") as file:
        file.write(b'{"rows": [1, 2], "float')  # in the middle of a line
    computed.clear()
    assert numbers(model, tmp_path / "cut", quiet) == whole and computed == batches[2:]
    assert (tmp_path / "cut" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


def flip(content: bytes) -> bytes:
    return content[:-300] + bytes([content[-300] ^ 1]) + content[-299:]


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (flip, 1),
        (lambda content: content[:-1], 1),
        (lambda content: content[:-200], 1),
        (lambda content: b"".join(content.splitlines(keepends=True)[1:]), 1),
        (lambda content: content.replace(b"0", b"1"), 99),
        (lambda content: b"", 99),
        (lambda content: b"null\n[]\n\xff\n", 99),
        (lambda content: content.replace(b'{"rows": [', b'{"rows": [NaN, ', 1), 1),
    ],
)
def test_damage_is_told_and_what_is_lost_is_computed_again(
    model: Any, tmp_path: Path, computed: list[int], damage: Callable[[bytes], bytes], lost: int
) -> None:
    whole = numbers(model, tmp_path, quiet)
    file = tmp_path / FILE
    content = file.read_bytes()
    batches = len(content.splitlines())
    lost = min(lost, batches)
    assert batches >= 2 and damage(content) != content
    file.write_bytes(damage(content))
    computed.clear()
    events = Events()
    assert numbers(model, tmp_path, events.append) == whole and len(computed) == lost
    (fault,) = [event for event in events if event["event"] == "fault"]
    assert fault["reason"].startswith(f"{FILE} is damaged") and f"{lost} of {batches}" in fault["reason"]
    assert sorted(file.read_bytes().splitlines()) == sorted(content.splitlines())
    computed.clear()
    assert numbers(model, tmp_path, quiet) == whole and not computed, "told once"


def test_numbers_that_are_none_are_kept_as_they_are(tmp_path: Path) -> None:
    given = (float("nan"), float("-inf"), -1.2345678806304932)
    with ReferenceFile(tmp_path / FILE, {(0, 1): 3}, pytest.fail) as file:
        file.add((0, 1), given)
    again = ReferenceFile(tmp_path / FILE, {(0, 1): 3}, pytest.fail)
    assert str(again.known[0, 1]) == str(given)
    told: list[str] = []
    assert not ReferenceFile(tmp_path / FILE, {(0, 1): 2}, told.append).known and told, "of other rows"
