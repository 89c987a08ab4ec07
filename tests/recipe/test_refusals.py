"""What a recipe refuses before anything runs, and the types that it need not name."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from danlu.recipe import Recipe, UserError, parse_recipe
from danlu.recipe.methods import HybridMethod, LoraMethod
from danlu.recipe.objectives import SftObjective
from danlu.recipe.section import Section

SMALL = "name: a\ndata:\n  sources: [{path: rows.jsonl}]\n"


def refusal(*overrides: str) -> UserError:
    with pytest.raises(UserError) as caught:
        parse_recipe(SMALL, overrides, name="r.yaml")
    assert caught.value.exit_code == 2
    return caught.value


def sections(kind: type[Section] = Section) -> Iterator[type[Section]]:
    for heir in kind.__subclasses__():
        yield heir
        yield from sections(heir)


def numbers() -> list[tuple[type[Section], str]]:
    """Every field of every section that takes a number with a fraction."""
    assert Recipe in set(sections())
    return [
        (kind, name)
        for kind in dict.fromkeys(sections())
        for name, field in kind.model_fields.items()
        if field.annotation in (float, float | None)
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_no_number_of_a_recipe_is_infinite(value: float) -> None:
    assert len(numbers()) > 20
    for kind, name in numbers():
        with pytest.raises(ValidationError) as caught:
            kind.model_validate({name: value})
        kinds = {error["type"] for error in caught.value.errors() if error["loc"] == (name,)}
        assert kinds == {"finite_number"}, (kind, name)


@pytest.mark.parametrize("field", ["train.optimizer.learning_rate", "export.max_mean_kl", "data.split.test"])
def test_an_infinite_number_is_named(field: str) -> None:
    error = refusal(f"{field}=.inf")
    assert field in error.where and "finite number (is inf)" in error.reason


@pytest.mark.parametrize("kind", ["lora", "qlora", "freeze", "hybrid", "prefix", "prompt", "adapter", "ia3"])
def test_random_weights_are_for_the_method_that_saves_them_all(kind: str) -> None:
    error = refusal("model.weights=random", f"train.method.type={kind}")
    assert "model.weights: random weights are kept by train.method: {type: full}" in error.reason
    assert f"'{kind}'" in error.reason
    assert parse_recipe(SMALL, ("model.weights=random", "train.method.type=full")).model.weights == "random"


def test_fields_of_the_default_method_and_objective_need_no_type() -> None:
    train = parse_recipe(SMALL, ("train.method.rank=32", "train.objective.turns=last")).train
    assert train.method == LoraMethod(rank=32) and train.objective == SftObjective(turns="last")
    assert train.optimizer.learning_rate == 1e-4
    assert "'type' is missing" in refusal("train.method.tokens=8").reason


def test_no_targets_are_for_adapters_on_experts_alone() -> None:
    error = refusal("train.method={type: lora, targets: []}")
    assert "targets must name a layer" in error.reason and error.where.endswith("train.method")
    assert LoraMethod(targets=(), experts=True).experts


@pytest.mark.parametrize("told", [{}, {"experts": "frozen"}, {"experts": "full"}])
def test_hybrid_puts_no_adapters_on_experts_that_its_groups_have_otherwise(told: dict[str, str]) -> None:
    groups = {"attention": "lora", "norms": "full", **told}
    with pytest.raises(ValidationError, match=f"groups have as '{told.get('experts', 'frozen')}'"):
        HybridMethod.model_validate({"groups": groups, "lora": {"experts": True}})
    named = {"groups": {**groups, "experts": "lora"}, "lora": {"experts": True}}
    assert HybridMethod.model_validate(named).lora.experts
