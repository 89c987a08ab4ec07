"""Optimizers: from groups of parameters and a recipe section to a torch optimizer."""

from danlu.recipe.choices import Choices

OPTIMIZERS = Choices(
    "optimizer",
    {
        "adamw": "danlu.training.optimizers.adamw:make_adamw",
        "adamw_8bit": "danlu.training.optimizers.adamw_8bit:make_adamw_8bit",
        "adafactor": "danlu.training.optimizers.adafactor:make_adafactor",
        "muon": "danlu.training.optimizers.muon:Muon",
        "schedule_free": "danlu.training.optimizers.schedule_free:make_schedule_free",
    },
)
