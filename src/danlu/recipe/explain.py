"""Pydantic's validation errors as sentences: file, line, field, value, reason, nearest right name."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from danlu.recipe.errors import UserError, ValueRefused, nearest

Location = tuple[str | int, ...]


def explain_validation_error(
    error: ValidationError, model: type[BaseModel], raw: Any, lines: Mapping[Location, str], name: str
) -> UserError:
    """One UserError that lists every problem, each with its place.

    Args:
        error: what pydantic raised.
        model: the section class that was validated.
        raw: the plain data that was given, to tell keys from union tags in pydantic's locations.
        lines: `file:line` of each path in `raw`.
        name: the file's name, for paths without a line.
    """
    items = error.errors()
    places = [tuple(item["loc"]) for item in items]
    # pydantic leaves out items that failed, then finds their list too short: an echo, not a second problem
    echoes = {place for place in places if any(len(p) > len(place) and p[: len(place)] == place for p in places)}
    problems = [_problem(i, model, raw, lines, name) for i in items if tuple(i["loc"]) not in echoes]
    first = problems[0]
    if len(problems) == 1:
        return first
    rest = "".join(f"\n{problem}" for problem in problems[1:])
    return UserError(
        f"{first.reason}\n  fix: {first.fix}{rest}" if first.fix else f"{first.reason}{rest}", where=first.where
    )


def _problem(item: Any, model: type[BaseModel], raw: Any, lines: Mapping[Location, str], name: str) -> UserError:
    path = _without_tags(tuple(item["loc"]), raw)
    where = f"{_line(path, lines, name)}: {_dotted(path)}" if path else name
    kind = item["type"]
    if kind == "extra_forbidden":
        known = _fields(model, raw, path[:-1])
        return UserError(f"unknown key '{path[-1]}'", where=where, fix=nearest(str(path[-1]), known))
    if kind == "missing":
        return UserError("is required", where=where, fix=f"add '{path[-1]}' there")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _tag_problem(_types(model, raw, path), where, raw, path)
    value = item.get("input")
    shown = f" (is {value!r})" if isinstance(value, (str, int, float, bool)) or value is None else ""
    reason = str(item["msg"]).removeprefix("Value error, ")
    refused = item.get("ctx", {}).get("error")
    fix = refused.fix if isinstance(refused, ValueRefused) else "danlu recipe schema lists what each field takes"
    return UserError(f"{reason}{shown}", where=where, fix=fix)


def _tag_problem(expected: list[str], where: str, raw: Any, path: Location) -> UserError:
    node = _node(raw, path)
    given = node.get("type") if isinstance(node, dict) else node
    if given is None:
        if isinstance(node, dict) and "path" in node:
            return UserError(
                f"the type of '{node['path']}' cannot be told from its ending",
                where=where,
                fix="add 'type: jsonl', 'json', 'csv' or 'parquet'",
            )
        return UserError(
            "'type' is missing", where=where, fix=f"one of: {', '.join(expected)}" if expected else "add 'type'"
        )
    return UserError(f"unknown type '{given}'", where=where, fix=nearest(str(given), expected))


def _without_tags(location: Location, raw: Any) -> Location:
    """Drop the union tags that pydantic puts into a location: they are no keys of the file."""
    path: list[str | int] = []
    node = raw
    for position, element in enumerate(location):
        last = position == len(location) - 1
        if _holds(node, element):
            node = node[element]
        elif not last or isinstance(node, str) or (isinstance(node, dict) and node.get("type") == element):
            continue
        path.append(element)
    return tuple(path)


def _holds(node: Any, element: str | int) -> bool:
    if isinstance(node, dict):
        return element in node
    return isinstance(node, (list, tuple)) and isinstance(element, int) and element < len(node)


def _node(raw: Any, path: Location) -> Any:
    for element in path:
        try:
            raw = raw[element]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _line(path: Location, lines: Mapping[Location, str], name: str) -> str:
    for length in range(len(path), -1, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return name


def _dotted(path: Location) -> str:
    text = ""
    for element in path:
        text += f"[{element}]" if isinstance(element, int) else f".{element}" if text else str(element)
    return text


def _fields(model: type[BaseModel], raw: Any, path: Location) -> list[str]:
    """The known keys of the section at `path`, following unions by the `type` given in `raw`."""
    return sorted({name for section in _sections_at(model, raw, path) for name in section.model_fields})


def _types(model: type[BaseModel], raw: Any, path: Location) -> list[str]:
    """The `type`s that the union at `path` knows."""
    fields = [section.model_fields.get("type") for section in _sections_at(model, raw, path)]
    return sorted({kind for field in fields if field is not None for kind in typing.get_args(field.annotation)})


def _sections_at(model: type[BaseModel], raw: Any, path: Location) -> list[type[BaseModel]]:
    current: Any = model
    for depth, element in enumerate(path):
        if isinstance(element, int):
            annotation = current
        else:
            section = next((m for m in _sections(current) if element in m.model_fields), None)
            if section is None:
                return []
            annotation = section.model_fields[str(element)].annotation
        current = _pick(annotation, _node(raw, path[: depth + 1]))
    return _sections(current)


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """All section classes inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, list):
        return [section for item in annotation for section in _sections(item)]
    arguments = typing.get_args(annotation)
    return [section for argument in arguments for section in _sections(argument)]


def _pick(annotation: Any, node: Any) -> Any:
    """Narrow a union to the class whose `type` is the one given; leave everything else as it is."""
    kind = node.get("type") if isinstance(node, dict) else None
    sections = _sections(annotation)
    if kind is not None:
        for section in sections:
            field = section.model_fields.get("type")
            if field is not None and kind in typing.get_args(field.annotation):
                return section
    if isinstance(annotation, types.UnionType) or len(sections) > 1:
        return sections
    return annotation
