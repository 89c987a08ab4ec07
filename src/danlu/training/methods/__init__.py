"""Fine-tuning methods: which parameters train, and how they are saved."""

from danlu.recipe.choices import Choices

METHODS = Choices(
    "method",
    {"lora": "danlu.training.methods.lora:Lora", "full": "danlu.training.methods.full:Full"},
)
