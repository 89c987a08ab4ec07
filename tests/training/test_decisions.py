"""Decisions: on the disk when they are taken, met again at the same steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.recipe.errors import InternalFault
from danlu.training.decisions import Decisions, Halving, Skip


def test_they_are_on_the_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "decisions.json"
    one = Decisions(path)
    assert not path.exists() and not one.skips
    one.skip(Skip(9, "the loss is nan", ("a:1", "b:2")))
    assert Decisions(path).skips == {9: Skip(9, "the loss is nan", ("a:1", "b:2"))}
    one.halve(Halving(4, False, 512))
    again = Decisions(path)
    assert again.skips == one.skips and again.halvings == [Halving(4, False, 512)]


def test_micro_batches_are_smaller_from_where_they_did_not_fit(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path / "decisions.json")
    decisions.halve(Halving(10, True, 1000))  # the validation after step 10
    decisions.halve(Halving(20, False, 500))
    sizes = [
        (step, decisions.micro_tokens(step, 2000), decisions.micro_tokens(step, 2000, validation=True))
        for step in (9, 10, 11, 19, 20, 21)
    ]
    assert sizes == [
        (9, 2000, 2000),
        (10, 2000, 1000),
        (11, 1000, 1000),
        (19, 1000, 1000),
        (20, 500, 500),
        (21, 500, 500),
    ]
    assert decisions.micro_tokens(30, 100) == 100  # the recipe was changed to less since


@pytest.mark.parametrize("text", ["", "{}", '{"skips": [{}], "halvings": []}', "[1]"])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "decisions.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InternalFault, match="cannot be read") as error:
        Decisions(path)
    assert "--fresh" in error.value.fix
