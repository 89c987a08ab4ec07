"""Tables of choices, optional packages, languages; and that tables and unions list the same types."""

from __future__ import annotations

import typing
from typing import Any

import pytest
from pydantic import BaseModel

from danlu.data.augmenters import AUGMENTERS
from danlu.data.cleaners import CLEANERS
from danlu.data.runners import RUNNERS
from danlu.data.sources import SOURCES
from danlu.evaluation.metrics import METRICS
from danlu.export import EXPORTERS
from danlu.inference.engines import ENGINES
from danlu.pipeline.trackers import TRACKERS
from danlu.recipe import augmentation, cleaners, data, evaluate, export, methods, objectives, serve, sources, track
from danlu.recipe.choices import Choices, optional
from danlu.recipe.errors import InternalFault, UserError, nearest
from danlu.recipe.language import chosen_language, tr
from danlu.recipe.loading import parse_recipe
from danlu.recipe.methods import FullMethod
from danlu.recipe.optimizer import AdamWOptimizer
from danlu.recipe.train import DEFAULT_LEARNING_RATES, TrainSection
from danlu.training.methods import METHODS
from danlu.training.objectives import OBJECTIVES


def members(union: Any) -> list[type[BaseModel]]:
    """The section classes of an annotated union."""
    if isinstance(union, type) and issubclass(union, BaseModel):
        return [union]
    return [member for argument in typing.get_args(union) for member in members(argument)]


def types_of(union: Any) -> list[str]:
    """The `type` names of a union's members."""
    return [str(name) for member in members(union) for name in typing.get_args(member.model_fields["type"].annotation)]


TABLES = [
    (sources.Source, SOURCES),
    (cleaners.Cleaner, CLEANERS),
    (data.Runner, RUNNERS),
    (augmentation.AnyAugmenter, AUGMENTERS),
    (methods.Method, METHODS),
    (objectives.Objective, OBJECTIVES),
    (evaluate.Metric, METRICS),
    (serve.Engine, ENGINES),
    (export.ExportSection, EXPORTERS),
    (track.Tracker, TRACKERS),
]


@pytest.mark.parametrize(("union", "table"), TABLES, ids=[table.kind for _, table in TABLES])
def test_a_union_and_its_table_list_the_same_types(union: Any, table: Choices) -> None:
    names = types_of(union)
    assert sorted(names) == sorted(table) and len(names) == len(set(names))
    for name in table:
        assert callable(table.load(name))


@pytest.mark.parametrize(("union", "table"), TABLES, ids=[table.kind for _, table in TABLES])
def test_the_default_type_of_a_member_is_its_own(union: Any, table: Choices) -> None:
    for member in members(union):
        field = member.model_fields["type"]
        assert (field.default,) == typing.get_args(field.annotation) and field.default in table


def test_every_file_ending_leads_to_a_source() -> None:
    assert set(sources.SUFFIXES.values()) <= set(SOURCES)


def test_every_method_has_a_learning_rate() -> None:
    assert set(DEFAULT_LEARNING_RATES) == set(METHODS)


def test_a_choice_is_imported_when_it_is_picked_and_a_typo_lists_all() -> None:
    table = Choices("shape", {"square": "json:dumps", "broken": "no.such.module:thing"})
    import json

    assert table.load("square") is json.dumps
    assert dict(table) == {"square": "json:dumps", "broken": "no.such.module:thing"} and len(table) == 2
    with pytest.raises(UserError, match="unknown shape 'sqare'") as caught:
        table.load("sqare")
    assert caught.value.fix == "did you mean 'square'? Known: broken, square"
    with pytest.raises(ModuleNotFoundError):
        table.load("broken")


def test_nearest_without_a_near_one_lists_all() -> None:
    assert nearest("zzz", ["b", "a"]) == "known: a, b"


def test_an_absent_package_gives_its_install_line() -> None:
    with pytest.raises(UserError) as caught:
        optional("danlu_no_such_package", "extra")
    assert caught.value.fix == "pip install 'danlu[extra]'"
    assert "needs the package 'danlu_no_such_package'" in caught.value.reason
    assert optional("json", "").__name__ == "json"


def test_an_error_prints_place_reason_and_fix() -> None:
    assert str(UserError("is bad", where="a:1", fix="mend it")) == "a:1: is bad\n  fix: mend it"
    assert str(InternalFault("is bad")) == "is bad"
    assert (UserError("").exit_code, InternalFault("").exit_code) == (2, 1)


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"DANLU_LANG": "zh"}, "zh"),
        ({"DANLU_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"DANLU_LANG": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"DANLU_LANG": "ZH-tw"}, "zh"),
        ({"DANLU_LANG": "fr"}, "en"),
        ({}, "en"),
    ],
)
def test_texts_come_in_the_chosen_language(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DANLU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert chosen_language() == language
    assert tr("stove", "炉") == {"en": "stove", "zh": "炉"}[language]


def test_a_missing_type_lists_the_choices() -> None:
    with pytest.raises(UserError) as error:
        parse_recipe("name: a\ndata: {sources: [{path: x.jsonl}]}\ntrain: {method: {width: 4}}\n")
    assert "'type' is missing" in error.value.reason
    assert error.value.fix == "one of: adapter, freeze, full, hybrid, ia3, lora, prefix, prompt, qlora"


def test_a_rate_is_filled_in_for_sections_built_in_python() -> None:
    section = TrainSection(method=FullMethod(), optimizer=AdamWOptimizer(schedule="cosine"))
    assert (section.optimizer.learning_rate, section.optimizer.schedule) == (1e-5, "cosine")
