"""The loss: the head at labelled positions only, in one piece or in chunks, equals the full computation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.models.loading import load_model
from danlu.recipe.errors import UserError
from danlu.recipe.objectives import LanguageModelingObjective, SftObjective
from danlu.training import cross_entropy
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import Example, Piece, collate
from danlu.training.objectives.language_modeling import LanguageModeling
from danlu.training.objectives.sft import Sft
from tests.training.making import PAD, assert_close, gradients, made_samples, plain_loss

SFT = Sft(SftObjective())


@pytest.fixture
def model(tiny_folder: Path) -> Any:
    return load_model(tiny_folder, dtype=torch.float32)


def test_collate_points_at_the_states_that_predict_learned_tokens() -> None:
    examples = [
        Example("a", (Piece([11, 12, 13, 14], [(0, 2), (3, 4)]),), 2),
        Example("b", (Piece([21, 22], [(1, 2)]),), 1),
    ]
    batch = collate(examples, pad_id=9)
    assert batch.input_ids.tolist() == [[11, 12, 13, 14], [21, 22, 9, 9]]
    assert batch.positions.tolist() == [0, 2, 4]
    assert batch.labels.tolist() == [12, 14, 22]
    assert batch.owners.tolist() == [0, 0, 1] and batch.weights is None
    assert batch.tokens == 6
    assert [example.learned for example in examples] == [2, 1]


@pytest.mark.parametrize("positions", [None, 1, 7], ids=["whole", "chunks of 1", "chunks of 7"])
def test_it_equals_the_full_computation(model: Any, monkeypatch: pytest.MonkeyPatch, positions: int | None) -> None:
    if positions is not None:
        monkeypatch.setattr(cross_entropy, "MAX_LOGITS", positions * model.config.vocab_size)
    samples = made_samples(5)
    learned = sum(sample.learned for sample in samples)
    expected = plain_loss(model, samples)
    expected.backward()  # type: ignore[no-untyped-call]
    wanted = gradients(model)
    found = completion_loss(model, collate(SFT.examples(samples), PAD)) / learned
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    assert_close(gradients(model), wanted)


def test_chunks_bound_the_logits_that_exist_at_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    hook = model.get_output_embeddings().register_forward_hook(lambda _m, _i, out: rows.append(out.shape[0]))
    monkeypatch.setattr(cross_entropy, "MAX_LOGITS", 10 * model.config.vocab_size)
    samples = made_samples(4)
    completion_loss(model, collate(SFT.examples(samples), PAD))
    hook.remove()
    assert max(rows) == 10 and sum(rows) == sum(sample.learned for sample in samples)


def test_the_head_runs_at_labelled_positions_only(model: Any) -> None:
    shapes: list[torch.Size] = []
    hook = model.get_output_embeddings().register_forward_hook(lambda _m, _i, out: shapes.append(out.shape))
    samples = made_samples(4)
    completion_loss(model, collate(SFT.examples(samples), PAD))
    hook.remove()
    assert shapes == [(sum(sample.learned for sample in samples), model.config.vocab_size)]


def test_padding_on_the_right_without_a_mask_changes_nothing(model: Any) -> None:
    samples = made_samples(4, seed=3)
    alone = torch.stack([completion_loss(model, collate(SFT.examples([sample]), PAD)) for sample in samples]).sum()
    for pad_id in (PAD, 77):
        together = completion_loss(model, collate(SFT.examples(samples), pad_id))
        torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-5)


def test_language_modelling_learns_every_token_but_the_first(model: Any) -> None:
    objective = LanguageModeling(LanguageModelingObjective())
    sample = TrainingSample("a", list(range(20, 32)), [(1, 12)], text=True)
    loss = objective.loss(model, collate(objective.examples([sample]), PAD))
    logits = model(input_ids=torch.tensor([sample.input_ids])).logits[0]
    expected = functional.cross_entropy(logits[:-1], torch.tensor(sample.input_ids[1:]), reduction="sum")
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert objective.examples([sample])[0].weight == 11


def test_sft_refuses_plain_text() -> None:
    with pytest.raises(UserError, match="no assistant turn") as error:
        SFT.examples([TrainingSample("a.txt:1", [1, 2], [(1, 2)], text=True)])
    assert error.value.where == "a.txt:1" and "language_modeling" in error.value.fix


def test_weights_of_rows_and_turns_count_in_loss_and_mean(model: Any) -> None:
    one = TrainingSample("a", [11, 12, 13, 14, 15], [(1, 2), (3, 5)], False, [1, 3], [0.5, 2.0], weight=3.0)
    other = TrainingSample("b", [21, 22, 23], [(1, 3)], False, [1], [1.0])
    examples = SFT.examples([one, other])
    assert [example.weight for example in examples] == [3 * (0.5 + 2 * 2), 2]
    losses = []
    for sample in (one, other):
        logits = model(input_ids=torch.tensor([sample.input_ids])).logits[0]
        losses.append(functional.cross_entropy(logits[:-1], torch.tensor(sample.input_ids[1:]), reduction="none"))
    expected = 3 * (0.5 * losses[0][0] + 2 * (losses[0][2] + losses[0][3])) + losses[1].sum()
    found = completion_loss(model, collate(examples, PAD))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_only_the_last_turn_is_learned_if_the_recipe_says_so() -> None:
    last = Sft(SftObjective(turns="last"))
    talk = TrainingSample("a", [11, 12, 13, 14, 15], [(1, 2), (3, 5)], False, [1, 3], [1.0, 1.0])
    apart = [
        TrainingSample("b", [1, 2], [(1, 2)], False, [1], [1.0]),
        TrainingSample("b", [1, 2, 3], [(2, 3)], False, [3], [1.0]),
    ]
    assert [(e.row_id, e.pieces[0].spans) for e in last.examples([talk, *apart])] == [("a", [(3, 5)]), ("b", [(2, 3)])]


def test_an_answer_of_weight_zero_and_a_worse_answer_are_not_learned() -> None:
    none = TrainingSample("a", [11, 12, 13], [(1, 2)], False, [1], [0.0])
    worse = TrainingSample("b", [11, 12, 13], [(1, 2)], False, [1], [1.0], rejected=True)
    assert SFT.examples([none, worse]) == []
