"""Which model is meant by a word on the command line: a registered version, a folder, or a base model. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from danlu.models.card import HEAD_CONFIG, read_card
from danlu.models.identity import resolve_model
from danlu.recipe.errors import UserError
from danlu.recipe.loading import looks_like_path
from danlu.runs.workspace import Workspace


@dataclass(frozen=True)
class ServedModel:
    """A model that can answer: its public name, its folder, and whether it learned to think first."""

    name: str
    path: Path
    thinking: bool


def find_model(spec: str | None, workspace: Workspace) -> ServedModel:
    """The model behind `spec`.

    Args:
        spec: 'name' or 'name@number' of the registry; a folder; 'seedling'; a hub id; None: the newest version.

    Raises:
        UserError: nothing is registered, there is no such model, or it answers with the numbers of a head.
    """
    if spec is None:
        versions = sorted(workspace.registry.models(), key=lambda row: row.created)
        if not versions:
            raise UserError(
                "no model is registered in this workspace",
                where=str(workspace.root),
                fix="danlu run RECIPE makes one; or name a folder, or 'seedling'",
            )
        spec = f"{versions[-1].name}@{versions[-1].version}"
    if spec == "seedling" or looks_like_path(spec) or (Path(spec) / "config.json").is_file():
        base = spec if spec == "seedling" or looks_like_path(spec) else f"./{spec}"
        return _of_folder(Path(spec).name, resolve_model(base).path)
    if "/" in spec or spec.startswith("modelscope:"):
        return _of_folder(spec, resolve_model(spec).path)
    row = workspace.registry.model(spec)
    artifact = workspace.artifacts.find("export", row.export_key)
    if artifact is None:
        raise UserError(
            f"the files of '{row.name}@{row.version}' are gone or damaged",
            where=row.path,
            fix="run its recipe again: what is missing is made again",
        )
    return _of_folder(f"{row.name}@{row.version}", artifact.path)


def _of_folder(name: str, path: Path) -> ServedModel:
    if (path / HEAD_CONFIG).is_file():
        raise UserError(
            f"'{name}' answers with the numbers of a head, not in words",
            where=str(path),
            fix="load it from Python (docs/training/classification.md), or train with head: words",
        )
    card = read_card(path)
    return ServedModel(name, path, card.thinking if card else False)
