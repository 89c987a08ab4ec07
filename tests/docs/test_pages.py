"""Every page names only what exists: verbs, options, files, recipes; the generated references are current."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from danlu.cli import cli
from danlu.recipe import parse_recipe
from danlu.recipe.recipe import Recipe
from tests.docs.pages import PAGES, ROOT, block_commands, blocks, inline_commands, links

IDS = [str(page.relative_to(ROOT)) for page in PAGES]
READMES = [ROOT / "README.md", ROOT / "README.zh.md"]


def check_command(words: list[str], *, complete: bool) -> None:
    """Parse a command line with the real commands, without running it; click.UsageError if it does not exist."""
    command: click.Command = cli
    context = click.Context(command, info_name="danlu")
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(args=list(words))
        if not words:
            return
        found = command.get_command(context, words[0])
        if found is None and command.name == "data":  # `danlu data RECIPE` is short for `danlu data make RECIPE`
            found = command.get_command(context, "make")
            words = ["make", *words]
        if found is None:
            raise click.UsageError(f"no such verb: {words[0]}")
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    if complete:
        command.make_context(command.name, list(words), parent=context.parent)
    else:
        command.make_parser(context).parse_args(args=list(words))


def test_generated_references_are_current() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "docs_reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "DANLU_LANG": "en"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for words in block_commands(text):
        check_command(words, complete=True)
    for words in inline_commands(text):
        check_command(words, complete=False)


@pytest.mark.parametrize("words", [["fly"], ["run", "recipe.yaml", "--fast"], ["run"], ["recipe", "burn"]])
def test_a_command_that_does_not_exist_is_noticed(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        check_command(words, complete=True)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_files(page: Path) -> None:
    broken = [
        target
        for target in links(page.read_text(encoding="utf-8"))
        if not (page.parent / target.partition("#")[0]).exists()
    ]
    assert not broken


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    missing = [str(page.relative_to(docs)) for page in docs.rglob("*.md")]
    assert not [name for name in missing if f": {name}\n" not in navigation]


@pytest.mark.parametrize("page", READMES, ids=["en", "zh"])
def test_readme_recipe_is_valid_and_resolves_to_the_same(page: Path) -> None:
    [shown] = [block.body for block in blocks(page.read_text(encoding="utf-8")) if block.language == "yaml"]
    recipe = parse_recipe(shown)
    [english] = [block.body for block in blocks(READMES[0].read_text(encoding="utf-8")) if block.language == "yaml"]
    assert isinstance(recipe, Recipe)
    assert recipe == parse_recipe(english)


def test_readmes_show_the_same_commands_and_links() -> None:
    english, chinese = (page.read_text(encoding="utf-8") for page in READMES)
    assert block_commands(english) == block_commands(chinese)
    assert {tuple(words) for words in inline_commands(english)} == {tuple(words) for words in inline_commands(chinese)}
    names = {"README.md", "README.zh.md"}
    assert set(links(english)) - names == set(links(chinese)) - names


def test_readme_lists_every_verb() -> None:
    named = {words[0] for words in inline_commands(READMES[0].read_text(encoding="utf-8"))}
    assert named == set(cli.commands)
