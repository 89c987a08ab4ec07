"""What is said before training: ends of turns that are never learned, and figures that validation does not give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from danlu.data.dataset import TrainingSample
from danlu.recipe.errors import UserError
from danlu.training.loop import validate
from danlu.training.objective import Objective
from danlu.training.objectives import OBJECTIVES
from danlu.training.preflight import ends_warning
from tests.training.making import made_classes, make_job, samples_for, section

END = 9


def objective_of(kind: str, **fields: Any) -> Objective:
    made: Objective = OBJECTIVES.load(kind)(section(objective={"type": kind, **fields}).objective)
    return made


def row(number: int, ends: tuple[bool, ...], *, rejected: bool = False) -> TrainingSample:
    """A conversation of as many turns, each of which has its end of turn or not."""
    ids: list[int] = [20 + number]
    spans = []
    for whole in ends:
        spans.append((len(ids) + 1, len(ids) + 4))
        ids += [30, 31, 32, END if whole else 33]
    turns = list(range(1, 2 * len(ends), 2))
    return TrainingSample(
        f"rows.jsonl:{number}", ids, spans, False, turns, [1.0] * len(spans), rejected=rejected, desirable=True
    )


def pair(number: int, better: bool, worse: bool) -> list[TrainingSample]:
    return [row(number, (better,)), row(number, (worse,), rejected=True)]


def said(kind: str, samples: list[TrainingSample], **fields: Any) -> str | None:
    examples = objective_of(kind, **fields).examples(samples)
    return ends_warning({"train": examples, "validation": [], "test": []}, END)


@pytest.mark.parametrize("kind", ["sft", "kto"])
def test_no_answer_with_an_end_is_refused(kind: str) -> None:
    with pytest.raises(UserError, match=r"end-of-turn never learned: the answers of all 2 training examples") as caught:
        said(kind, [row(3, (False,)), row(4, (False,))])
    assert caught.value.where == "rows.jsonl:3" and "data.max_tokens" in caught.value.fix


@pytest.mark.parametrize("kind", ["dpo", "reward"])
def test_pairs_without_ends_are_refused_and_those_with_some_counted(kind: str) -> None:
    with pytest.raises(UserError, match="end-of-turn never learned"):
        said(kind, [*pair(1, False, False), *pair(2, False, False)])
    found = said(kind, [*pair(1, True, True), *pair(2, True, False), *pair(3, False, True)])
    assert found is not None and found.startswith("2 of 3 training examples") and "rows.jsonl:2" in found
    assert said(kind, pair(1, True, True)) is None


def test_some_answers_without_an_end_are_counted() -> None:
    found = said("sft", [row(1, (True,)), row(2, (True, False)), row(3, (False,))])
    assert found is not None and found.startswith("2 of 3 training examples") and "(first: rows.jsonl:2)" in found
    assert said("sft", [row(1, (True,)), row(2, (True, True))]) is None


def test_an_end_that_is_not_learned_does_not_count() -> None:
    """The last turn is cut, and the turns before it are not learned."""
    samples = [row(1, (True, False)), row(2, (True, False))]
    assert said("sft", samples) is not None
    with pytest.raises(UserError, match="end-of-turn never learned"):
        said("sft", samples, turns="last")


def test_it_is_asked_of_objectives_that_learn_answers() -> None:
    asked = {kind for kind in OBJECTIVES if objective_of(kind).learns_ends}
    assert asked == {"sft", "dpo", "kto", "reward"}
    assert objective_of("classification", head="words").learns_ends


@pytest.mark.parametrize("kind", sorted(OBJECTIVES))
def test_figures_are_those_of_a_validation(kind: str, tiny_folder: Path, tmp_path: Path) -> None:
    fields: dict[str, Any] = {"objective": {"type": kind}}
    job = make_job(tiny_folder, tmp_path, section(**fields), samples_for(kind), validation=samples_for(kind))
    assert validate(job).keys() == set(job.objective.figures)


def test_figures_of_answers_in_words(tiny_folder: Path, tmp_path: Path) -> None:
    config = section(objective={"type": "classification", "head": "words"})
    job = make_job(tiny_folder, tmp_path, config, made_classes(6), validation=made_classes(4))
    assert validate(job).keys() == set(job.objective.figures)
