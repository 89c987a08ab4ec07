"""The recipe: one frozen object that says what a run is."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from danlu.recipe.data import DataSection
from danlu.recipe.evaluate import EvaluateSection
from danlu.recipe.export import ExportSection, MergedExport
from danlu.recipe.methods import MERGES
from danlu.recipe.model import ModelSection
from danlu.recipe.objectives import has_head
from danlu.recipe.section import Section
from danlu.recipe.serve import ServeSection
from danlu.recipe.track import Tracker
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
    track: tuple[Tracker, ...] = Field(
        default=(), description="told of the run besides its events file; decides nothing"
    )

    @field_validator("track")
    @classmethod
    def _each_tracker_once(cls, value: tuple[Tracker, ...]) -> tuple[Tracker, ...]:
        kinds = [tracker.type for tracker in value]
        twice = [kind for kind in kinds if kinds.count(kind) > 1]
        if twice:
            raise ValueError(f"'{twice[0]}' stands twice; each tracker is given once")
        return value

    @model_validator(mode="before")
    @classmethod
    def _export_of_method(cls, value: Any) -> Any:
        """Where no type is named, what cannot be merged is exported as it was trained."""
        export = value.get("export") or {} if isinstance(value, dict) else None
        if not isinstance(export, dict) or "type" in export:
            return value
        train = value.get("train") or {}
        found = train.model_dump() if isinstance(train, TrainSection) else train
        method, objective = (found.get(key) if isinstance(found, dict) else None for key in ("method", "objective"))
        kind = method.get("type", "lora") if isinstance(method, dict) else "lora"
        merges = kind in MERGES and not _answers_in_numbers(objective)
        return {**value, "export": {"type": "merged" if merges else "trained", **export}}

    @model_validator(mode="after")
    def _random_weights_train_in_full(self) -> Recipe:
        method = self.train.method.type
        if self.model.weights == "random" and method != "full":
            raise ValueError(
                f"model.weights: random weights are kept by train.method: {{type: full}} alone; what '{method}' learns "
                "over them would be put over the pretrained ones; set train.method: {type: full}, or "
                "model.weights: pretrained"
            )
        return self

    @model_validator(mode="after")
    def _merges_if_it_must(self) -> Recipe:
        if self.export.type != "merged":
            return self
        if self.train.method.type not in MERGES:
            raise ValueError(
                f"export: what method '{self.train.method.type}' trains cannot be merged; set export: {{type: trained}}"
            )
        if has_head(self.train.objective):
            raise ValueError("export: a head of its own cannot be merged; set export: {type: trained}")
        return self


def _answers_in_numbers(objective: Any) -> bool:
    """Whether a raw objective section is one whose model has a head of its own."""
    if not isinstance(objective, dict):
        return False
    return objective.get("type") == "reward" or (
        objective.get("type") == "classification" and objective.get("head", "linear") == "linear"
    )
