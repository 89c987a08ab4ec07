"""Recipe section `train.objective`: what is learned of a row."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from danlu.recipe.section import Section


class SftObjective(Section):
    """Supervised fine-tuning: cross-entropy on the tokens of the assistant's turns only."""

    type: Literal["sft"] = "sft"
    turns: Literal["all", "last"] = Field(
        default="all", description="which answers of a conversation are learned; a message's own weight 0 takes it out"
    )


class LanguageModelingObjective(Section):
    """Plain language modelling: cross-entropy on every token of `text` rows and of whole conversations."""

    type: Literal["language_modeling"] = "language_modeling"


class ClassificationObjective(Section):
    """Classes of a text, told from its labels by a head of their own or by the words that name them."""

    type: Literal["classification"] = "classification"
    head: Literal["linear", "words"] = Field(
        default="linear",
        description="linear: a new layer on the question's last state; words: the model's own head, on label words",
    )
    multi_label: bool = Field(default=False, description="a row may have several labels, or none; needs head: linear")
    labels: tuple[str, ...] = Field(default=(), description="the classes in their order; default: those of the rows")

    @model_validator(mode="after")
    def _one_word_at_a_time(self) -> ClassificationObjective:
        if self.multi_label and self.head == "words":
            raise ValueError("multi_label needs head: linear; an answer in words names one class")
        if len(set(self.labels)) != len(self.labels) or len(self.labels) == 1:
            raise ValueError("labels must be at least two different ones")
        return self


class DpoObjective(Section):
    """Direct preference optimisation (Rafailov et al., 2023, arXiv:2305.18290) on pairs of answers."""

    type: Literal["dpo"] = "dpo"
    beta: float = Field(default=0.1, gt=0, description="how strongly the model is held to the one before training")
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=0.5, description="share of pairs taken to be the wrong way round (Mitchell, 2023)"
    )
    sft_weight: float = Field(
        default=0.0, ge=0, description="times the mean loss of the better answer, added (RPO: Pang et al., 2024)"
    )


class KtoObjective(Section):
    """Kahneman-Tversky optimisation (Ethayarajh et al., 2024, arXiv:2402.01306) on answers liked or not, unpaired."""

    type: Literal["kto"] = "kto"
    beta: float = Field(default=0.1, gt=0, description="how strongly the model is held to the one before training")
    desirable_weight: float = Field(default=1.0, gt=0, description="of answers that were liked")
    undesirable_weight: float = Field(default=1.0, gt=0, description="of answers that were not")


class RewardObjective(Section):
    """A reward model on pairs of answers (Bradley and Terry, 1952; Ouyang et al., 2022, arXiv:2203.02155)."""

    type: Literal["reward"] = "reward"
    centering: float = Field(
        default=0.0, ge=0, description="weight of the squared sum of a pair's rewards (Eisenstein et al., 2023)"
    )


Objective = Annotated[
    SftObjective | LanguageModelingObjective | ClassificationObjective | DpoObjective | KtoObjective | RewardObjective,
    Field(discriminator="type"),
]

TRAINS_A_HEAD = frozenset({"reward"})
"""Objectives whose model always has a head of its own; `classification` has one with `head: linear`."""


def has_head(objective: Section) -> bool:
    """Whether the trained model answers with the numbers of a new head, and no more in words."""
    return getattr(objective, "type", "") in TRAINS_A_HEAD or getattr(objective, "head", "") == "linear"
