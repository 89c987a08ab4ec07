"""Recipe to plan: which stages a run has, their keys, and which are done. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from danlu.data.sources import SOURCES
from danlu.models.chat import RENDERING_VERSION
from danlu.models.identity import ModelFolder, resolve_model, tokenizer_fingerprint
from danlu.recipe.errors import UserError
from danlu.recipe.gpu import AS_IT_COMES
from danlu.recipe.loading import field_at
from danlu.recipe.objectives import has_head
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

VERSIONS = {"data": 5, "train": 2, "evaluate_base": 2, "evaluate": 2, "export": 1}
"""Counted up by hand when a stage's code changes what it makes: then its artifacts are made again."""

_EVALUATE = ("seed", "evaluate.metrics", "evaluate.split", "evaluate.max_rows", "evaluate.max_new_tokens")
_INTERVALS = ("evaluate.confidence", "evaluate.resamples", "evaluate.batch_rows")

READS: dict[str, tuple[str, ...]] = {
    "data": (
        "data.on_bad_row",
        "data.clean",
        "data.redact",
        "data.split",
        "data.augment",
        "data.contamination",
        "data.reference",
        "data.max_tokens",
        "data.on_too_long",
    ),
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
        "train.deterministic",
        "train.checkpointing",
        "train.decoder",
        "train.gpu",
        "train.validate_every",
        "train.validate_every_epochs",
        "train.early_stopping",
        "train.checkpoints.keep_every",
        "train.checkpoints.keep_best",
        "train.faults.spike",
        "train.faults.window",
    ),
    "evaluate_base": (*_EVALUATE, *_INTERVALS),
    "evaluate": (*_EVALUATE, *_INTERVALS),
    "export": ("export",),
}
"""The recipe fields each stage reads; its key depends on these and no others."""

ADDED: dict[str, Any] = {"train.gpu": AS_IT_COMES.model_dump(mode="json"), "train.optimizer.offload": False}
"""Fields that came after artifacts were made, with their defaults, which count for nothing: so old keys stay."""


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
    objective = recipe.train.objective
    if until == "export" and (objective.type == "language_modeling" or has_head(objective)):
        # Plain text has no questions, and a head of its own gives no answers in words
        names = [name for name in names if not name.startswith("evaluate")]
    stages: dict[str, Stage] = {}
    for name in names:
        stages[name] = _stage(name, recipe, base, stages)
    return Plan(recipe, base, tuple(stages.values()))


def _stage(name: str, recipe: Recipe, base: ModelFolder, before: Mapping[str, Stage]) -> Stage:
    fields = {dotted: field_at(recipe, dotted) for dotted in READS[name]}
    inputs = _inputs(name, recipe, base, before)
    identity = {"stage": KINDS[name], "version": VERSIONS[name], "fields": _counted(fields), "inputs": inputs}
    return Stage(name, KINDS[name], hash_data(identity), inputs, fields)


def _counted(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a key depends on: without what was added later and stands at its default."""
    counted = dict(fields)
    for dotted, default in ADDED.items():
        section, _, name = dotted.rpartition(".")
        if counted.get(dotted, ...) == default:
            del counted[dotted]
        elif isinstance(counted.get(section), Mapping) and counted[section].get(name, ...) == default:
            counted[section] = {key: value for key, value in counted[section].items() if key != name}
    return counted


def _inputs(name: str, recipe: Recipe, base: ModelFolder, before: Mapping[str, Stage]) -> dict[str, str]:
    if name == "data":
        inputs = {"tokenizer": tokenizer_fingerprint(base.path), "rendering": str(RENDERING_VERSION)}
        for where, source in _sources(recipe):
            inputs |= _source_inputs(where, source)
        redact = recipe.data.redact
        if redact is not None and redact.key_file is not None:
            inputs["pseudonym key"] = hash_file(existing(redact.key_file, "data.redact.key_file"))[:16]
        return inputs
    inputs = {"base": base.fingerprint, "dataset": before["data"].key}
    if name in {"evaluate", "export"}:
        inputs["trained"] = before["train"].key
    return inputs


def _sources(recipe: Recipe) -> list[tuple[str, Any]]:
    """Every source that the data stage reads, with its place in the recipe."""
    data = recipe.data
    found = [(f"data.sources[{index}]", source) for index, source in enumerate(data.sources)]
    sets = enumerate(data.contamination.evaluation_sets)
    found += [(f"data.contamination.evaluation_sets[{index}]", source) for index, source in sets]
    return found + ([("data.reference.source", data.reference.source)] if data.reference else [])


def _source_inputs(where: str, source: Any) -> dict[str, str]:
    """A fingerprint for each file of a source."""
    try:
        reader = SOURCES.load(source.type)(source)
        files = reader.files()
        commit = reader.commit() if hasattr(reader, "commit") else ""
    except UserError as error:
        raise UserError(error.reason, where=f"{where}.path", fix=error.fix) from error
    settings = hash_data(source.model_dump(mode="json", exclude=set() if not files else {"path"}))[:12]
    if not files:
        return {f"{where}: {source.path}": f"{commit}:{settings}"}
    return {f"{where}: {path.name} {number}": f"{hash_file(path)}:{settings}" for number, path in enumerate(files)}


def existing(path: str, where: str) -> Path:
    """The path of a file that must be there.

    Raises:
        UserError: it is not.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no file '{path}'", where=where, fix="check the path")
    return Path(path)
