"""Classification: the loss of head and words, the figures of a validation, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch.nn import functional

from danlu.models.heads import attach_head
from danlu.models.loading import load_model
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import ClassificationObjective
from danlu.training.loop import train, validate
from danlu.training.objective import collate
from danlu.training.objectives.classification import Classification
from tests.training.making import PAD, made_classes, make_job, section


@pytest.fixture
def model(tiny_folder: Path) -> Any:
    return load_model(tiny_folder, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]


def objective(**fields: Any) -> Classification:
    return Classification(ClassificationObjective(**fields))


def question_scores(model: Any, head: Any, samples: Any) -> torch.Tensor:
    """[E, C], each row alone, only the question read."""
    rows = []
    for sample in samples:
        ids = torch.tensor([sample.input_ids[: sample.spans[-1][0]]])
        with torch.no_grad():
            rows.append(head(model.get_decoder()(input_ids=ids).last_hidden_state[0, -1]))
    return torch.stack(rows)


@pytest.mark.parametrize("several", [False, True])
def test_the_head_sees_the_question_only(model: Any, several: bool) -> None:
    kind = objective(multi_label=several)
    samples = [replace(s, weight=1.0 + i) for i, s in enumerate(made_classes(6, several=several))]
    batch = collate(kind.examples(samples), PAD)
    head = attach_head(model, 2, seed=1)
    scores = question_scores(model, head, samples)
    truth = torch.tensor([[float(label in s.labels) for label in ("bad", "good")] for s in samples])
    if several:
        losses = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none").mean(1)
    else:
        losses = functional.cross_entropy(scores, truth.argmax(1), reduction="none")
    expected = sum((1.0 + i) * loss for i, loss in enumerate(losses))
    assert kind.loss(model, batch).item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("several", [False, True])
def test_figures_are_those_of_scikit_learn(model: Any, several: bool) -> None:
    kind = objective(multi_label=several)
    samples = made_classes(12, seed=2, several=several)
    batch = collate(kind.examples(samples), PAD)
    head = attach_head(model, 2, seed=1)
    scores = question_scores(model, head, samples).numpy()
    truth = np.array([[label in s.labels for label in ("bad", "good")] for s in samples])
    guess = scores > 0 if several else np.eye(2, dtype=bool)[scores.argmax(1)]
    with torch.no_grad():
        found = kind.summary(kind.measure(model, batch), 12.0)
    assert found["validation_accuracy"] == pytest.approx(accuracy_score(truth, guess))
    assert found["validation_macro_f1"] == pytest.approx(f1_score(truth, guess, average="macro", zero_division=0))


def test_words_are_learned_as_an_answer_and_judged_by_their_first_token(model: Any) -> None:
    kind = objective(head="words")
    samples = made_classes(6)
    batch = collate(kind.examples(samples), PAD)
    right, expected = 0, 0.0
    for sample in samples:
        start = sample.spans[-1][0]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([sample.input_ids])).logits[0]
        expected += float(
            functional.cross_entropy(logits[start - 1 : -1], torch.tensor(sample.input_ids[start:]), reduction="sum")
        )
        right += (logits[start - 1, 200] > logits[start - 1, 210]).item() == ("good" in sample.labels)
    found = kind.measure(model, batch)
    assert found["loss"].item() == pytest.approx(expected, rel=1e-5) == kind.loss(model, batch).item()
    assert found["right"].item() == right and kind.head() is None


@pytest.mark.parametrize("fields", [{}, {"head": "words"}, {"multi_label": True}], ids=["linear", "words", "several"])
def test_it_learns_to_tell_the_classes(fields: dict[str, Any], tiny_folder: Path, tmp_path: Path) -> None:
    several = "multi_label" in fields
    config = section(
        objective={"type": "classification", **fields}, optimizer={"learning_rate": 1e-2}, max_steps=30, epochs=40
    )
    held_out = made_classes(12, seed=8, several=several)
    job = make_job(tiny_folder, tmp_path, config, made_classes(24, several=several), validation=held_out)
    train(job)
    found = validate(job)
    assert found["validation_accuracy"] > 0.9 and found["validation_macro_f1"] > 0.9


def test_classes_are_those_of_the_training_rows_unless_they_are_named() -> None:
    found = objective()
    found.examples(made_classes(4))
    assert found.labels == ("bad", "good")
    named = objective(labels=("good", "bad"))
    assert named.examples(made_classes(1))[0].targets == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("fields", "change", "reason"),
    [
        ({}, {"labels": ()}, "has no label"),
        ({}, {"labels": ("bad", "good")}, "has 2 labels"),
        ({"labels": ("good", "fine")}, {}, "the label 'bad' is none of the classes"),
        ({"head": "words"}, {"labels": ("good",)}, "begin with the same token"),
    ],
)
def test_what_it_cannot_learn_is_refused_by_row(fields: Any, change: Any, reason: str) -> None:
    rows = [replace(sample, **change) if index == 0 else sample for index, sample in enumerate(made_classes(4))]
    if "labels" in change and change["labels"] == ("good",):  # the words say 'bad'
        rows = [rows[0], rows[1], replace(rows[2], input_ids=rows[0].input_ids, spans=rows[0].spans)]
    with pytest.raises(UserError, match=reason) as error:
        objective(**fields).examples(rows)
    assert error.value.fix


def test_one_class_is_refused() -> None:
    with pytest.raises(UserError, match="the rows have 1 class"):
        objective().examples(made_classes(1))


def test_a_row_of_no_class_is_one_of_zeros(model: Any) -> None:
    kind = objective(multi_label=True)
    none = replace(made_classes(1)[0], labels=(), no_label=True)
    samples = [*made_classes(3, several=True), none]
    examples = kind.examples(samples)
    assert examples[-1].targets[1:] == (0.0, 0.0)
    head = attach_head(model, 2, seed=1)
    scores = question_scores(model, head, [none])
    expected = -functional.logsigmoid(-scores).mean()
    with torch.no_grad():
        found, sums = kind.loss(model, collate(examples[-1:], PAD)), kind.measure(model, collate(examples[-1:], PAD))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    figures = kind.summary(sums, 1.0)
    assert figures["validation_accuracy"] == float((scores <= 0).all())


@pytest.mark.parametrize("fields", [{}, {"head": "words"}])
def test_a_row_of_no_class_needs_several_labels(fields: dict[str, Any]) -> None:
    samples = [*made_classes(2), replace(made_classes(1)[0], row_id="made:9", labels=(), no_label=True)]
    with pytest.raises(UserError, match="is of no class") as caught:
        objective(**fields).examples(samples)
    assert caught.value.where == "made:9" and "multi_label: true" in caught.value.fix


def test_a_row_that_says_nothing_of_labels_is_refused() -> None:
    samples = [*made_classes(2), replace(made_classes(1)[0], labels=())]
    with pytest.raises(UserError, match="has no label"):
        objective(multi_label=True).examples(samples)
