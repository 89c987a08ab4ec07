"""Recipe to plan: which stages a run has, their keys, and which are done. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from danlu.models.chat import RENDERING_VERSION
from danlu.models.identity import ModelFolder, resolve_model, tokenizer_fingerprint
from danlu.recipe.errors import UserError
from danlu.recipe.loading import field_at
from danlu.recipe.recipe import Recipe
from danlu.runs.hashing import hash_data, hash_file
from danlu.runs.workspace import Workspace

ORDER = ("data", "train", "evaluate_base", "evaluate", "export")

KINDS = {
    "data": "dataset",
    "train": "trained",
    "evaluate_base": "evaluation",
    "evaluate": "evaluation",
    "export": "export",
}

VERSIONS = {"data": 1, "train": 1, "evaluate_base": 1, "evaluate": 1, "export": 1}
"""Counted up by hand when a stage's code changes what it makes: then its artifacts are made again."""

_EVALUATE = ("seed", "evaluate.metrics", "evaluate.split", "evaluate.max_rows", "evaluate.max_new_tokens")
_INTERVALS = ("evaluate.confidence", "evaluate.resamples", "evaluate.batch_rows")

READS: dict[str, tuple[str, ...]] = {
    "data": ("data.on_bad_row", "data.clean", "data.split", "data.max_tokens", "data.on_too_long"),
    "train": (
        "seed",
        "model.weights",
        "train.method",
        "train.objective",
        "train.optimizer",
        "train.batch",
        "train.epochs",
        "train.max_steps",
        "train.precision",
        "train.validate_every",
    ),
    "evaluate_base": (*_EVALUATE, *_INTERVALS),
    "evaluate": (*_EVALUATE, *_INTERVALS),
    "export": ("export",),
}
"""The recipe fields each stage reads; its key depends on these and no others."""


@dataclass(frozen=True)
class Stage:
    """One stage of a run.

    Attributes:
        name: 'data', 'train', 'evaluate_base', 'evaluate' or 'export'.
        kind: of the artifact it makes.
        key: hash of recipe fields, inputs, source files and code version.
        inputs: role -> key or fingerprint of what it is made from.
        fields: the recipe fields it reads, with their values.
    """

    name: str
    kind: str
    key: str
    inputs: Mapping[str, str]
    fields: Mapping[str, Any] = field(repr=False)

    def is_made(self, workspace: Workspace) -> bool:
        """Whether its artifact is there (sums are checked when it is used)."""
        return workspace.artifacts.path(self.kind, self.key).is_dir()


@dataclass(frozen=True)
class Plan:
    """A run's stages in order, and the base model they start from."""

    recipe: Recipe
    base: ModelFolder
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage | None:
        """A stage by name, or None if this run does not have it."""
        return next((stage for stage in self.stages if stage.name == name), None)


def make_plan(recipe: Recipe, until: str = "export") -> Plan:
    """The stages of a recipe up to and including `until`.

    Raises:
        UserError: a source file or the base model is missing.
    """
    base = resolve_model(recipe.model.base, recipe.model.revision)
    names = list(ORDER[: ORDER.index(until) + 1])
    if recipe.evaluate.compare_to == "none" and "evaluate_base" in names:
        names.remove("evaluate_base")
    if until == "export" and recipe.train.objective.type == "language_modeling":
        # Plain text has no questions: there is nothing to answer, so the evaluation stages do not apply
        names = [name for name in names if not name.startswith("evaluate")]
    stages: dict[str, Stage] = {}
    for name in names:
        stages[name] = _stage(name, recipe, base, stages)
    return Plan(recipe, base, tuple(stages.values()))


def _stage(name: str, recipe: Recipe, base: ModelFolder, before: Mapping[str, Stage]) -> Stage:
    fields = {dotted: field_at(recipe, dotted) for dotted in READS[name]}
    inputs = _inputs(name, recipe, base, before)
    key = hash_data({"stage": KINDS[name], "version": VERSIONS[name], "fields": fields, "inputs": inputs})
    return Stage(name, KINDS[name], key, inputs, fields)


def _inputs(name: str, recipe: Recipe, base: ModelFolder, before: Mapping[str, Stage]) -> dict[str, str]:
    if name == "data":
        inputs = {"tokenizer": tokenizer_fingerprint(base.path), "rendering": str(RENDERING_VERSION)}
        for index, source in enumerate(recipe.data.sources):
            path = Path(source.path)
            if not path.is_file():
                where = f"data.sources[{index}].path"
                raise UserError(f"there is no file '{source.path}'", where=where, fix="check the path")
            settings = hash_data(source.model_dump(mode="json", exclude={"path"}))
            inputs[f"source {index}: {path.name}"] = f"{hash_file(path)}:{settings[:12]}"
        return inputs
    inputs = {"base": base.fingerprint, "dataset": before["data"].key}
    if name in {"evaluate", "export"}:
        inputs["trained"] = before["train"].key
    return inputs
