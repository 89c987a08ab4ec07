"""Writes docs/reference/recipe.md and docs/reference/cli.md from the code; `--check` says whether they are current."""

from __future__ import annotations

import os
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTE = "<!-- Written by scripts/docs_reference.py from the code; do not edit. -->"
MAKERS = {"docs/reference/recipe.md": "recipe_page", "docs/reference/cli.md": "cli_page"}


def recipe_page() -> str:
    """All fields of a recipe, a table for each section and each choice."""
    from danlu.recipe.recipe import Recipe

    parts = [
        "# Recipe",
        NOTE,
        "A recipe is one YAML file. A key that is not on this page is an error, never ignored. `danlu recipe show`\n"
        "prints a recipe with its defaults written out; `danlu recipe schema` prints the JSON Schema.",
        "Where a field has a *choice*, its `type` picks one of the classes below and brings that class's fields.",
    ]
    for path, section in _walk(Recipe, ""):
        parts.append(f"## {_title(path, section)}")
        parts.append(_doc(section))
        rows = [_row(name, field, section) for name, field in section.model_fields.items()]
        parts.append("\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def cli_page() -> str:
    """The help text of every verb, in English."""
    import click

    from danlu.cli import cli

    parts = [
        "# Command line",
        NOTE,
        "Exit codes: 0 done; 1 a fault of danlu or of the machine; 2 something the user can mend (recipe, file, row,\n"
        "option); 130 interrupted. Texts follow the locale; `DANLU_LANG=en` or `DANLU_LANG=zh` picks the language.",
    ]

    def add(command: Any, name: str, parent: Any) -> None:
        settings = {**command.context_settings, "max_content_width": 100, "terminal_width": 100}
        context = click.Context(command, info_name=name, parent=parent, **settings)
        parts.append(f"## {context.command_path}")
        parts.append(f"```text\n{command.get_help(context)}\n```")
        for child in getattr(command, "commands", {}).values():
            add(child, child.name, context)

    add(cli, "danlu", None)
    return "\n\n".join(parts) + "\n"


def _walk(section: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every section class with its dotted path, each before those inside it."""
    yield path, section
    for name, field in section.model_fields.items():
        for inner in _sections(field.annotation):
            yield from _walk(inner, f"{path}.{name}" if path else name)


def _sections(annotation: Any) -> list[Any]:
    from danlu.recipe.section import Section

    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, Section) else []
    return [section for argument in typing.get_args(annotation) for section in _sections(argument)]


def _kind(section: Any) -> str | None:
    owner = section if isinstance(section, type) else type(section)
    field = getattr(owner, "model_fields", {}).get("type")
    return typing.get_args(field.annotation)[0] if field else None


def _title(path: str, section: Any) -> str:
    kind = _kind(section)
    return (f"`{path}`" + (f", type `{kind}`" if kind else "")) if path else "Top level"


def _doc(section: Any) -> str:
    return " ".join((section.__doc__ or "").split())


def _row(name: str, field: Any, section: Any) -> str:
    cells = (f"`{name}`", _type(field.annotation) + _bounds(field.metadata), _default(field), field.description or "")
    if name == "type" and _kind(section):
        cells = ("`type`", f"`{_kind(section)}`", "", "picks this choice")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _type(annotation: Any) -> str:
    sections = _sections(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if sections:
        kinds = [kind for kind in map(_kind, sections) if kind]
        shown = "choice: " + ", ".join(f"`{kind}`" for kind in kinds) if kinds else "section"
        return f"list of {shown}" if origin is tuple else shown
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        inner = [a for a in arguments if a is not Ellipsis]
        return f"list of {_type(inner[0])}" if Ellipsis in arguments else f"list of {len(inner)} {_type(inner[0])}s"
    if origin is dict:
        return f"map of {_type(arguments[1])}"
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_type(argument) for argument in arguments)
    return {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null", Any: "value"}[
        annotation
    ]


def _bounds(metadata: list[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [f"{sign} {getattr(m, name)}" for m in metadata for name, sign in signs.items() if hasattr(m, name)]
    return f", {', '.join(found)}" if found else ""


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if hasattr(type(value), "model_fields"):
        return f"`{_kind(value)}`" if _kind(value) else "its defaults"
    if isinstance(value, tuple):
        shown = ", ".join(str(_kind(v) or v) for v in value)
        return f"`[{shown}]`"
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def pages() -> dict[str, str]:
    """Path -> text of the pages, as the code wants them now."""
    return {path: globals()[maker]() for path, maker in MAKERS.items()}


def main() -> int:
    """Write the pages; with `--check` only compare, and return 1 when one is out of date."""
    if os.environ.get("DANLU_LANG") != "en":  # help texts are chosen when danlu.cli is imported
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "DANLU_LANG": "en"})
    stale = [path for path, text in pages().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is out of date; run: .venv/bin/python scripts/docs_reference.py")
        return 1 if stale else 0
    for path, text in pages().items():
        (ROOT / path).write_text(text, encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
