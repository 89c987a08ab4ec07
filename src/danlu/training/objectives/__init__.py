"""Objectives: from a batch to a loss."""

from danlu.recipe.choices import Choices

OBJECTIVES = Choices(
    "objective",
    {
        "sft": "danlu.training.objectives.sft:Sft",
        "language_modeling": "danlu.training.objectives.language_modeling:LanguageModeling",
    },
)
