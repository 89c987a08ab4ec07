"""Objectives: from a batch to a loss."""

from danlu.recipe.choices import Choices

OBJECTIVES = Choices(
    "objective",
    {
        "sft": "danlu.training.objectives.sft:Sft",
        "language_modeling": "danlu.training.objectives.language_modeling:LanguageModeling",
        "classification": "danlu.training.objectives.classification:Classification",
        "dpo": "danlu.training.objectives.dpo:Dpo",
        "kto": "danlu.training.objectives.kto:Kto",
        "reward": "danlu.training.objectives.reward:Reward",
    },
)
