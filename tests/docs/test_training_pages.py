"""The pages on training: one for each method and objective, whose recipes load and whose rows can be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from danlu.data.formats import to_row
from danlu.data.row import Record
from danlu.recipe import Recipe, parse_recipe
from danlu.recipe.methods import Method
from danlu.recipe.objectives import Objective
from danlu.recipe.sources import JsonlSource
from tests.docs.pages import ROOT, blocks

FOLDER = ROOT / "docs" / "training"
PAGES = sorted(FOLDER.glob("*.md"))
METHODS, OBJECTIVES = (
    sorted(kind.model_fields["type"].default for kind in get_args(get_args(union)[0])) for union in (Method, Objective)
)
START = "name: page\ndata: {sources: [{path: rows.jsonl}]}\n"


def page_of(kind: str) -> Path:
    return FOLDER / f"{kind.replace('_', '-')}.md"


def recipes(page: Path) -> list[Recipe]:
    """The recipes that a page's fragments make."""
    found = [block.body for block in blocks(page.read_text(encoding="utf-8")) if block.language == "yaml"]
    return [parse_recipe(START + body) for body in found]


@pytest.mark.parametrize("kind", METHODS)
def test_every_method_has_a_page_with_a_recipe(kind: str) -> None:
    assert kind in {recipe.train.method.type for recipe in recipes(page_of(kind))}


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_every_objective_has_a_page_with_a_recipe(kind: str) -> None:
    assert kind in {recipe.train.objective.type for recipe in recipes(page_of(kind))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_rows_on_the_page_can_be_read(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language != "json":
            continue
        text, decoder = block.body.strip(), json.JSONDecoder()
        while text:
            value, end = decoder.raw_decode(text)
            assert to_row(Record("page", 1, value), "page:1", JsonlSource(path="page.jsonl")).messages
            text = text[end:].strip()


@pytest.mark.parametrize("kind", [*METHODS, *OBJECTIVES])
def test_the_overview_leads_to_every_page(kind: str) -> None:
    assert f"({page_of(kind).name})" in (FOLDER / "which.md").read_text(encoding="utf-8")
