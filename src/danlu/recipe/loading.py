"""YAML to Recipe: line numbers, overrides, relative paths, and errors that name the key and the fix."""

from __future__ import annotations

import copy
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from danlu.recipe.errors import UserError, nearest
from danlu.recipe.explain import explain_validation_error
from danlu.recipe.recipe import Recipe

Path_ = tuple[str | int, ...]
_BOOL = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """YAML whose only truth values are true and false, as of its version 1.2: `off` and `labels: [yes, no]` are words.

    A field that is true or false takes on, off, yes and no all the same.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != _BOOL]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and validate a recipe file.

    Args:
        path: a YAML file. Relative paths inside it start at its folder.
        overrides: `dotted.field=value` strings; values are YAML; they win over the file.

    Raises:
        UserError: unreadable file, broken YAML, unknown key or bad value, with file and line.
    """
    file = Path(path)
    if file.is_dir() and (file / "recipe.yaml").is_file():
        file = file / "recipe.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError("there is no such recipe file", where=str(file), fix="danlu init FOLDER writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read as UTF-8 text: {error}", where=str(file)) from error
    return parse_recipe(text, overrides, name=str(path), folder=file.resolve().parent)


def parse_recipe(
    text: str, overrides: Sequence[str] = (), *, name: str = "recipe", folder: Path | None = None
) -> Recipe:
    """Like `load_recipe`, from text. `name` stands in errors; relative paths start at `folder` (default: here)."""
    raw, lines = _read_yaml(text, name)
    for override in overrides:
        _apply_override(raw, lines, override)
    resolved = _absolute_paths(raw, folder or Path.cwd())
    try:
        return Recipe.model_validate(resolved)
    except ValidationError as error:
        raise explain_validation_error(error, Recipe, raw, lines, name) from None


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML: every default written out."""
    data = recipe.model_dump(mode="json")
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
    return text


def read_dumped(path: Path) -> dict[str, Any]:
    """The resolved recipe in a run's folder as plain data, {} where it cannot be read.

    A field that it is too old to have counts as its default.
    """
    try:
        raw = dict(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError, ValueError):
        return {}
    try:
        return Recipe.model_validate(raw).model_dump(mode="json")
    except ValidationError:  # of another version
        return raw


def _read_yaml(text: str, name: str) -> tuple[dict[str, Any], dict[Path_, str]]:
    try:
        node = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(
            f"is not valid YAML: {problem}", where=where, fix="check indentation, colons and quotes"
        ) from None
    if node is None:
        raise UserError("is empty", where=name, fix="danlu init FOLDER writes a starter recipe")
    if not isinstance(node, yaml.MappingNode):
        raise UserError("must be a mapping of sections", where=name, fix="start with 'name: my-run'")
    lines: dict[Path_, str] = {}
    try:
        _collect_lines(node, (), lines, name)
    except RecursionError:
        raise UserError("an anchor holds itself", where=name, fix="write the value out") from None
    return cast(dict[str, Any], data), lines


def _collect_lines(node: yaml.Node, path: Path_, lines: dict[Path_, str], name: str) -> None:
    """Remember `file:line` of every key and list item; refuse a key given twice (YAML would drop the first)."""
    lines.setdefault(path, f"{name}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in lines:
                raise UserError(
                    f"key '{key.value}' stands twice (first at {lines[here]})",
                    where=f"{name}:{key.start_mark.line + 1}",
                    fix="keep one of them",
                )
            lines[here] = f"{name}:{key.start_mark.line + 1}"
            _collect_lines(value, here, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect_lines(item, (*path, index), lines, name)


def _apply_override(raw: dict[str, Any], lines: dict[Path_, str], override: str) -> None:
    dotted, equals, text = override.partition("=")
    where = f"--set {override}"
    if not equals or not dotted:
        raise UserError("an override is written field.name=value", where=where, fix="--set train.epochs=2")
    try:
        value = yaml.load(text, Loader=_Loader) if text else None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"the value is not valid YAML: {error}", where=where, fix="quote it") from None
    keys: list[str | int] = [int(k) if k.isdigit() else k for k in dotted.split(".")]
    node: Any = raw
    for position, key in enumerate(keys[:-1]):
        node = _descend(node, key, keys[position + 1], where)
    _place(node, keys[-1], value, where)
    lines[tuple(keys)] = where


def _descend(node: Any, key: str | int, following: str | int, where: str) -> Any:
    if isinstance(node, list):
        if not isinstance(key, int) or key >= len(node):
            raise UserError(f"'{key}' is not an index of a list of {len(node)}", where=where, fix="count from 0")
        return node[key]
    if not isinstance(node, dict):
        raise UserError(
            f"'{key}' is looked up in a plain value", where=where, fix="danlu recipe show prints all fields"
        )
    if node.get(key) is None:
        node[key] = [] if isinstance(following, int) else {}
    return node[key]


def _place(node: Any, key: str | int, value: Any, where: str) -> None:
    if isinstance(node, list) and isinstance(key, int) and key <= len(node):
        node[key : key + 1] = [value]
    elif isinstance(node, dict):
        node[key] = value
    else:
        raise UserError(f"'{key}' cannot be set there", where=where, fix="danlu recipe show prints all fields")


def looks_like_path(text: str) -> bool:
    """True for './x', '../x', '/x' and '~/x': how a recipe tells a folder from a hub id."""
    return text.startswith(("./", "../", "/", "~")) or text in {".", ".."}


def _absolute_paths(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A copy in which file paths and a base folder are absolute, so that a run does not depend on where it starts."""
    resolved = copy.deepcopy(raw)
    data = resolved.get("data")
    for source in _sources(data):
        path, hub = source.get("path"), source.get("type") == "huggingface"
        if isinstance(path, str) and path and (not hub or looks_like_path(path)):
            source["path"] = _absolute_glob(path, folder)
    redact = data.get("redact") if isinstance(data, dict) else None
    if isinstance(redact, dict) and isinstance(redact.get("key_file"), str):
        redact["key_file"] = _absolute(redact["key_file"], folder)
    for tracker in _listed(resolved.get("track")):
        if isinstance(tracker, dict) and isinstance(tracker.get("folder"), str):
            tracker["folder"] = _absolute(tracker["folder"], folder)
    model = resolved.get("model")
    if isinstance(model, dict) and isinstance(model.get("base"), str) and looks_like_path(model["base"]):
        model["base"] = _absolute(model["base"], folder)
    return resolved


def _sources(data: Any) -> list[dict[str, Any]]:
    """Every source of a raw data section that is a mapping; what is none is validation's to refuse."""
    if not isinstance(data, dict):
        return []
    found = _listed(data.get("sources"))
    if isinstance(data.get("contamination"), dict):
        found = found + _listed(data["contamination"].get("evaluation_sets"))
    if isinstance(data.get("reference"), dict):
        found = [*found, data["reference"].get("source")]
    return [source for source in found if isinstance(source, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _absolute(path: str, folder: Path) -> str:
    return str((folder / os.path.expanduser(path)).resolve())


def _absolute_glob(path: str, folder: Path) -> str:
    """Absolute without following links, whose names have the endings that tell the type.

    In a glob, brackets of the recipe's own folder are no wildcards.
    """
    path = os.path.expanduser(path)
    if os.path.isabs(path) or not glob.has_magic(path) or (folder / path).exists():
        return os.path.abspath(folder / path)
    return os.path.abspath(os.path.join(glob.escape(str(folder)), path))


def field_at(recipe: Recipe, dotted: str) -> Any:
    """The value of one field by its dotted name, as plain data (for keys of stages).

    Raises:
        UserError: no such field.
    """
    node: Any = recipe
    for key in dotted.split("."):
        if not hasattr(node, key):
            known = type(node).model_fields if hasattr(type(node), "model_fields") else ()
            raise UserError(f"the recipe has no field '{dotted}'", fix=nearest(key, known))
        node = getattr(node, key)
    return _plain(node)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
