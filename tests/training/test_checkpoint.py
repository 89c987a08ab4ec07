"""Checkpoints: whole or not there, checked when read, the one before when the newest is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from danlu.training import checkpoint
from danlu.training.checkpoint import Progress, checkpoints
from tests.training.making import restored, saved

FILES = ["optimizer.pt", "random.pt", "state.json", "trainable.safetensors"]


class Trainee:
    """Two parameters with an optimizer that has a state."""

    def __init__(self) -> None:
        self.parameters = {name: torch.nn.Parameter(torch.ones(2, 3)) for name in ("a", "b")}
        self.optimizer = torch.optim.AdamW(self.parameters.values(), lr=0.1)

    def step(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = torch.rand(2, 3)
        self.optimizer.step()

    def save(self, folder: Path, step: int, keep: int = 2) -> Path:
        return saved(folder, Progress(step, 10 * step), self.parameters, self.optimizer, keep)

    def restore(self, folder: Path, faults: list[str]) -> Progress:
        return restored(folder, self.parameters, self.optimizer, faults.append)

    def values(self) -> list[torch.Tensor]:
        return [parameter.detach().clone() for parameter in self.parameters.values()]


def test_everything_comes_back(tmp_path: Path) -> None:
    one, other, faults = Trainee(), Trainee(), list[str]()
    one.step()
    one.save(tmp_path, 3)
    one.step()
    after, draw = one.values(), torch.rand(4)
    assert other.restore(tmp_path, faults) == Progress(3, 30) and not faults
    other.step()  # random gradients and moments alike
    assert all(torch.equal(a, b) for a, b in zip(other.values(), after, strict=True))
    assert torch.equal(torch.rand(4), draw)


def test_nothing_there_is_the_beginning(tmp_path: Path) -> None:
    assert Trainee().restore(tmp_path, []) == Progress()
    assert Trainee().restore(tmp_path / "gone", []) == Progress()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    trainee = Trainee()
    trainee.step()
    for step in (5, 10, 15, 20):
        trainee.save(tmp_path, step, keep=2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000015", "step-00000020"]
    assert sorted(path.name for path in (tmp_path / "step-00000020").iterdir()) == FILES
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_a_damaged_newest_is_told_and_the_one_before_used(tmp_path: Path, name: str, damage: str) -> None:
    trainee, faults = Trainee(), list[str]()
    trainee.step()
    expected = trainee.values()
    trainee.save(tmp_path, 1)
    trainee.step()
    newest = trainee.save(tmp_path, 2)
    file = newest / name
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"?" + content[1:])
    assert trainee.restore(tmp_path, faults) == Progress(1, 10)
    assert all(torch.equal(a, b) for a, b in zip(trainee.values(), expected, strict=True))
    assert len(faults) == 1 and faults[0].startswith("step-00000002 ") and "the one before" in faults[0]
    trainee.save(tmp_path, 2)  # made again over the damaged one
    assert trainee.restore(tmp_path, faults) == Progress(2, 20) and len(faults) == 1


def test_a_digit_that_changed_in_the_state_is_damage(tmp_path: Path) -> None:
    trainee, faults = Trainee(), list[str]()
    trainee.step()
    for step in (1, 2):
        trainee.save(tmp_path, step)
    state = tmp_path / "step-00000002" / "state.json"
    state.write_text(state.read_text(encoding="utf-8").replace('"tokens": 20', '"tokens": 21'), encoding="utf-8")
    assert trainee.restore(tmp_path, faults) == Progress(1, 10)
    assert len(faults) == 1 and faults[0].startswith("step-00000002 is damaged (state.json ")


@pytest.mark.parametrize("content", ["null", "[]", "3", '"x"', '{"own_sha256": null}'])
def test_a_state_that_is_json_and_no_state_is_damage(tmp_path: Path, content: str) -> None:
    trainee, faults = Trainee(), list[str]()
    trainee.step()
    for step in (1, 2):
        trainee.save(tmp_path, step)
    (tmp_path / "step-00000002" / "state.json").write_text(content, encoding="utf-8")
    assert trainee.restore(tmp_path, faults) == Progress(1, 10)
    (fault,) = faults
    assert fault.startswith("step-00000002 ") and fault.endswith("the one before is used")
    (tmp_path / "step-00000001" / "state.json").write_text(content, encoding="utf-8")
    assert trainee.restore(tmp_path, faults) == Progress()
    assert faults[-1].startswith("step-00000001 ") and faults[-1].endswith("there is none before it")


def test_when_all_are_damaged_training_starts_again(tmp_path: Path) -> None:
    trainee, faults = Trainee(), list[str]()
    trainee.step()
    for step in (1, 2):
        (trainee.save(tmp_path, step) / "state.json").write_text("{}", encoding="utf-8")
    assert trainee.restore(tmp_path, faults) == Progress() and len(faults) == 2


def test_a_checkpoint_of_other_parameters_is_not_used(tmp_path: Path) -> None:
    trainee, faults = Trainee(), list[str]()
    trainee.step()
    trainee.save(tmp_path, 1)
    trainee.parameters.pop("b")
    assert trainee.restore(tmp_path, faults) == Progress()
    assert "other parameters" in faults[0]


@pytest.mark.parametrize("at", ["save_file", "hash_file", "write_json", "publish"])
def test_a_save_that_breaks_off_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    class Killed(BaseException):
        pass

    def kill(*args: object, **kwargs: object) -> None:
        raise Killed

    trainee, faults = Trainee(), list[str]()
    trainee.step()
    trainee.save(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, at, kill)
        with pytest.raises(Killed):
            trainee.save(tmp_path, 2)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000001"]
    assert trainee.restore(tmp_path, faults) == Progress(1, 10) and not faults
    trainee.save(tmp_path, 2)
    assert trainee.restore(tmp_path, faults) == Progress(2, 20) and not faults
    assert not list(tmp_path.glob(".*.tmp"))


def test_its_state_says_step_and_sums(tmp_path: Path) -> None:
    trainee = Trainee()
    trainee.step()
    state = json.loads((trainee.save(tmp_path, 7) / "state.json").read_text(encoding="utf-8"))
    assert state["progress"] == {"step": 7, "tokens": 70}
    assert sorted(state["sha256"]) == ["optimizer.pt", "random.pt", "trainable.safetensors"]
