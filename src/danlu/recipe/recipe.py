"""The recipe: one frozen object that says what a run is."""

from __future__ import annotations

from pydantic import Field

from danlu.recipe.data import DataSection
from danlu.recipe.evaluate import EvaluateSection
from danlu.recipe.export import ExportSection, MergedExport
from danlu.recipe.model import ModelSection
from danlu.recipe.section import Section
from danlu.recipe.serve import ServeSection
from danlu.recipe.train import TrainSection


class Recipe(Section):
    """Everything that decides the outcome of a run, and nothing else."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="names the run and the model version")
    seed: int = Field(default=17, ge=0, lt=2**63)
    model: ModelSection = ModelSection()
    data: DataSection
    train: TrainSection = Field(default_factory=lambda: TrainSection.model_validate({}))
    evaluate: EvaluateSection = EvaluateSection()
    export: ExportSection = MergedExport()
    serve: ServeSection = ServeSection()
