"""The way out: a model that others load, with the proof that it is the one that was trained."""

from danlu.recipe.choices import Choices

EXPORTERS = Choices(
    "export",
    {"merged": "danlu.export.merged:export_merged", "trained": "danlu.export.trained:export_trained"},
)
