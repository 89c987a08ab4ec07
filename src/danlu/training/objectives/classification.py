"""Classification: the labels of a text, by a linear head on the question's last state or by the words of the answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from danlu.data.dataset import TrainingSample
from danlu.models.heads import HeadConfig, head_of
from danlu.models.loading import decoder_and_head
from danlu.recipe.errors import UserError, nearest
from danlu.recipe.objectives import ClassificationObjective
from danlu.training.cross_entropy import completion_loss, states_at
from danlu.training.objective import Batch, Example, Piece, PlainObjective

# E examples, C classes, D hidden, V vocabulary


class Classification(PlainObjective):
    """The objective of `{type: classification}`.

    head: linear: cross-entropy over the classes, or binary cross-entropy for each (multi_label); the answer's tokens
    are never read. head: words: cross-entropy of the answer's tokens, so that the model goes on answering in words; the
    class is the one whose first token is likeliest.
    """

    figures = ("validation_loss", "validation_accuracy", "validation_macro_f1")

    def __init__(self, config: ClassificationObjective) -> None:
        self.config = config
        self.labels = tuple(config.labels)
        self.learns_ends = config.head == "words"
        self._first_tokens: list[int] = []

    def examples(self, samples: Sequence[TrainingSample]) -> list[Example]:
        """One example for each row. The first call fixes the classes and their order, where the recipe does not.

        Raises:
            UserError: a row that says nothing of labels, or has none or several where one is wanted, a label that is
                no class, one class only, or two classes whose words begin with the same token.
        """
        rows = [sample for sample in samples if not sample.rejected]
        for sample in rows:
            self._check(sample)
        if not self.labels:
            self.labels = tuple(sorted({label for sample in rows for label in sample.labels}))
        if len(self.labels) < 2:
            raise UserError(
                f"the rows have {len(self.labels)} class",
                where="train.objective",
                fix="give rows of at least two classes, or name the classes in train.objective.labels",
            )
        if self.config.head == "words" and not self._first_tokens:
            self._first_tokens = self._words(rows)
        return [self._example(sample) for sample in rows]

    def head(self) -> HeadConfig | None:
        """A number for each class, with head: linear."""
        return HeadConfig(self.labels, self.config.multi_label) if self.config.head == "linear" else None

    def loss(self, model: torch.nn.Module, batch: Batch) -> torch.Tensor:
        """Summed over rows, or over the tokens of their answers."""
        if self.config.head == "words":
            return completion_loss(model, batch)
        return self._losses(head_of(model)(states_at(model, batch)).float(), batch).sum()

    def measure(self, model: torch.nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The loss, how many rows are right in all their labels, and for each class [C] hits, guesses and rows."""
        assert batch.targets is not None
        truth = batch.targets[:, 1:] > 0  # [E, C]
        scores, loss = self._scores(model, batch)
        guess = scores > 0 if self.config.multi_label else functional.one_hot(scores.argmax(1), truth.shape[1]) > 0
        return {
            "loss": loss,
            "rows": torch.tensor(len(truth), device=truth.device),
            "right": (guess == truth).all(1).sum(),
            "hits": (guess & truth).sum(0),
            "guesses": guess.sum(0),
            "truths": truth.sum(0),
        }

    def summary(self, sums: dict[str, torch.Tensor], weight: float) -> dict[str, float]:
        """Accuracy (all labels of a row right), and the mean over classes of F1 = 2 hits / (guesses + rows)."""
        f1 = 2 * sums["hits"] / (sums["guesses"] + sums["truths"]).clamp(min=1)
        return {
            "validation_loss": float(sums["loss"]) / weight,
            "validation_accuracy": float(sums["right"]) / float(sums["rows"]),
            "validation_macro_f1": float(f1.mean()),
        }

    def _scores(self, model: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """([E, C] scores of the classes, the batch's loss)."""
        if self.config.head == "linear":
            scores = head_of(model)(states_at(model, batch)).float()
            return scores, self._losses(scores, batch).sum()
        _, head = decoder_and_head(model)
        states = states_at(model, batch)  # [N, D]
        losses = functional.cross_entropy(head(states).float(), batch.labels, reduction="none")
        loss = losses.sum() if batch.weights is None else (losses * batch.weights).sum()
        first = torch.ones_like(batch.owners, dtype=torch.bool)
        first[1:] = batch.owners[1:] != batch.owners[:-1]
        return head(states[first]).float()[:, self._first_tokens], loss

    def _losses(self, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        """[E], each by the weight of its row."""
        assert batch.targets is not None
        weights, truth = batch.targets[:, 0], batch.targets[:, 1:]
        if self.config.multi_label:
            losses = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none").mean(1)
        else:
            losses = functional.cross_entropy(scores, truth.argmax(1), reduction="none")
        return weights * losses

    def _check(self, sample: TrainingSample) -> None:
        if sample.no_label and not self.config.multi_label:
            raise UserError(
                "is of no class ('labels' is empty)",
                where=sample.row_id,
                fix="set train.objective.multi_label: true (with head: linear), or give it a label such as 'none'",
            )
        if not (sample.labels or sample.no_label) or sample.text:
            raise UserError(
                "has no label",
                where=sample.row_id,
                fix="give rows with 'text' and 'label' (or 'labels'), or another train.objective",
            )
        if len(sample.labels) > 1 and not self.config.multi_label:
            raise UserError(
                f"has {len(sample.labels)} labels",
                where=sample.row_id,
                fix="set train.objective.multi_label: true, or keep one label in each row",
            )
        for label in sample.labels:
            if self.labels and label not in self.labels:
                raise UserError(
                    f"the label '{label}' is none of the classes", where=sample.row_id, fix=nearest(label, self.labels)
                )

    def _example(self, sample: TrainingSample) -> Example:
        truth = tuple(float(label in sample.labels) for label in self.labels)
        start, end = sample.spans[-1]
        if self.config.head == "words":
            piece = Piece(sample.input_ids, [(start, end)], [sample.weight])
            return Example(sample.row_id, (piece,), piece.weight, (sample.weight, *truth))
        # The state behind the question's last token; the token it would predict is not read
        piece = Piece(sample.input_ids[: start + 1], [(start, start + 1)])
        return Example(sample.row_id, (piece,), sample.weight, (sample.weight, *truth))

    def _words(self, samples: Sequence[TrainingSample]) -> list[int]:
        """The first token of each class's words."""
        found: dict[int, str] = {}
        for sample in samples:
            token, label = sample.input_ids[sample.spans[-1][0]], sample.labels[0]
            if found.setdefault(token, label) != label:
                raise UserError(
                    f"the labels '{found[token]}' and '{label}' begin with the same token",
                    where="train.objective",
                    fix="use head: linear, or rename a label",
                )
        by_label = {label: token for token, label in found.items()}
        missing = [label for label in self.labels if label not in by_label]
        if missing:
            raise UserError(
                f"no training row has the label '{missing[0]}'", where="train.objective.labels", fix="leave it out"
            )
        return [by_label[label] for label in self.labels]
