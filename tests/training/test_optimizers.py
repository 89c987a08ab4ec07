"""Groups of parameters and their rates; each optimizer's step against the paper's formula in float64."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from transformers import AutoModelForCausalLM, Qwen3Config, Qwen3MoeConfig

from danlu.recipe.errors import UserError
from danlu.recipe.optimizer import (
    AdamWOptimizer,
    Optimizer,
    OptimizerSection,
    RateOverride,
    default_learning_rate,
    rate_warning,
)
from danlu.training.optimizer import kind_of, load_state, make_optimizer, parameter_groups, set_rate
from danlu.training.optimizers.muon import orthogonal

PACKAGES = {"adamw_8bit": "bitsandbytes", "schedule_free": "schedulefree"}
GRADIENTS = 4
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "vocab_size": 40,
}
HEADS: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
FROM_CONFIG: Any = AutoModelForCausalLM.from_config


def config(**fields: Any) -> Any:
    """The section of a type (adamw by default) as a recipe would give it."""
    return TypeAdapter(Optimizer).validate_python({"type": "adamw", "learning_rate": 1e-3, **fields})


def qwen(moe: bool = False) -> dict[str, torch.nn.Parameter]:
    """The parameters of a tiny Qwen3, dense with its own head, or with experts and a tied one."""
    if moe:
        made = Qwen3MoeConfig(
            **SIZES, **HEADS, moe_intermediate_size=24, num_experts=4, num_experts_per_tok=2, tie_word_embeddings=True
        )
        return dict(FROM_CONFIG(made).named_parameters())
    return dict(FROM_CONFIG(Qwen3Config(**SIZES, **HEADS)).named_parameters())


def names(groups: Sequence[dict[str, Any]], parameters: dict[str, torch.nn.Parameter], **having: Any) -> set[str]:
    """The names of all parameters in groups with these values."""
    ids = {id(p) for g in groups if all(g[k] == v for k, v in having.items()) for p in g["params"]}
    return {name for name, p in parameters.items() if id(p) in ids}


# -- groups ----------------------------------------------------------------------------------------------------------


def test_only_matrices_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4))
    section = config(weight_decay=0.1, betas=(0.8, 0.95), epsilon=1e-6)
    optimizer = make_optimizer(dict(model.named_parameters()), section)
    decayed, others = optimizer.param_groups
    assert decayed["weight_decay"] == 0.1 and [p.ndim for p in decayed["params"]] == [2]
    assert others["weight_decay"] == 0.0 and [p.ndim for p in others["params"]] == [1, 1, 1]
    assert (decayed["lr"], decayed["betas"], decayed["eps"]) == (1e-3, (0.8, 0.95), 1e-6)


@pytest.mark.parametrize("moe", [False, True])
def test_every_parameter_of_qwen3_is_in_one_group_and_of_the_right_kind(moe: bool) -> None:
    parameters = qwen(moe)
    groups = parameter_groups(parameters, config(weight_decay=0.1))
    members = [id(p) for group in groups for p in group["params"]]
    assert sorted(members) == sorted(id(p) for p in parameters.values())
    assert names(groups, parameters, kind="embedding") == {"model.embed_tokens.weight"}
    assert names(groups, parameters, kind="head") == (set() if moe else {"lm_head.weight"})
    assert names(groups, parameters, kind="vector") == {n for n, p in parameters.items() if p.ndim == 1}
    assert names(groups, parameters, weight_decay=0.1) == {
        n for n, p in parameters.items() if p.ndim >= 2 and "embed" not in n
    }
    assert moe == any(parameters[n].ndim == 3 for n in names(groups, parameters, kind="matrix"))


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight", (4, 16), "matrix"),
        ("base_model.model.model.layers.0.mlp.down_proj.ia3_l.default", (1, 24), "vector"),
        ("base_model.model.model.layers.0.self_attn.k_proj.ia3_l.default", (24, 1), "vector"),
        ("prompt_encoder.default.embedding.weight", (20, 16), "embedding"),
        ("base_model.model.score.modules_to_save.default.weight", (3, 16), "head"),
        ("model.layers.0.mlp.up_proj.lora_magnitude_vector.default.weight", (24,), "vector"),
    ],
)
def test_kinds_of_what_methods_add(name: str, shape: tuple[int, ...], kind: str) -> None:
    assert kind_of(name, torch.nn.Parameter(torch.zeros(shape))) == kind


def test_parameters_of_one_kind_and_rate_make_one_group() -> None:
    made = {f"w{i}": torch.nn.Parameter(torch.ones(2, 2)) for i in range(3)}
    assert len(parameter_groups(made, config())) == 1


def test_layer_decay_shrinks_the_rate_from_the_top() -> None:
    parameters = qwen()
    groups = parameter_groups(parameters, config(layer_decay=0.5))
    wanted = {"lm_head.weight": 1.0, "model.norm.weight": 1.0, "model.embed_tokens.weight": 0.5**4}
    for layer in range(3):
        wanted |= {n: 0.5 ** (3 - layer) for n in parameters if f".{layer}." in n}
    found = {n: g["rate_factor"] for g in groups for n in names([g], parameters)}
    assert found == wanted
    assert {n: g["lr"] for g in groups for n in names([g], parameters)} == {n: 1e-3 * f for n, f in wanted.items()}


def test_overrides_go_by_name_the_first_counts_and_the_recipes_come_before_the_methods() -> None:
    parameters = qwen()
    section = config(
        layer_decay=0.5,
        rates=[{"pattern": "*.q_proj.*", "factor": 4}, {"pattern": "model.norm.*", "learning_rate": 3e-2}],
    )
    groups = parameter_groups(parameters, section, [RateOverride(pattern="*_proj.weight", factor=10)])
    factors = {n: g["rate_factor"] for g in groups for n in names([g], parameters)}
    assert factors["model.layers.2.self_attn.q_proj.weight"] == 0.5 * 4
    assert factors["model.layers.2.self_attn.k_proj.weight"] == 0.5 * 10
    assert factors["model.norm.weight"] == pytest.approx(30)
    assert factors["lm_head.weight"] == 1
    optimizer = make_optimizer(parameters, section)
    set_rate(optimizer, 5e-4)  # half the peak
    rates = {n: g["lr"] for g in optimizer.param_groups for n in names([g], parameters)}
    assert rates["model.norm.weight"] == pytest.approx(1.5e-2)
    assert rates["model.layers.2.self_attn.q_proj.weight"] == pytest.approx(1e-3)


def test_an_override_that_matches_nothing_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"'\*.lora_B.\*'") as error:
        parameter_groups(qwen(), config(rates=[{"pattern": "*.lora_B.*", "factor": 16}]))
    assert error.value.where == "train.optimizer.rates" and "model.embed_tokens.weight" in error.value.fix


@pytest.mark.parametrize("fields", [{}, {"factor": 2, "learning_rate": 1e-3}, {"factor": 0}])
def test_an_override_has_a_factor_or_a_rate(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RateOverride.model_validate({"pattern": "*", **fields})


# -- steps against float64 -------------------------------------------------------------------------------------------

Step = Callable[[torch.Tensor, Sequence[torch.Tensor], float, float], torch.Tensor]


def adamw(weights: torch.Tensor, gradients: Sequence[torch.Tensor], rate: float, decay: float) -> torch.Tensor:
    first, second = torch.zeros_like(weights), torch.zeros_like(weights)
    for t, g in enumerate(gradients, 1):
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        step = (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)) ** 0.5 + 1e-8)
        weights = weights - rate * decay * weights - rate * step
    return weights


def adafactor(weights: torch.Tensor, gradients: Sequence[torch.Tensor], rate: float, decay: float) -> torch.Tensor:
    """Shazeer and Stern, algorithms 4 and 5, with a given rate; sums as they write them."""
    rows, columns = weights.shape
    r, c = torch.zeros(rows, 1, dtype=weights.dtype), torch.zeros(1, columns, dtype=weights.dtype)
    for t, g in enumerate(gradients, 1):
        beta = 1 - t**-0.8
        squared = g**2 + 1e-30
        r = beta * r + (1 - beta) * squared.sum(1, keepdim=True)
        c = beta * c + (1 - beta) * squared.sum(0, keepdim=True)
        update = g / (r @ c / r.sum()) ** 0.5
        update = update / max(1.0, float((update**2).mean() ** 0.5))
        weights = weights - rate * decay * weights - rate * update
    return weights


def muon(weights: torch.Tensor, gradients: Sequence[torch.Tensor], rate: float, decay: float) -> torch.Tensor:
    """The singular values of the update go through the quintic polynomial five times; the vectors stay."""
    kept = torch.zeros_like(weights)
    for g in gradients:
        kept = 0.95 * kept + 0.05 * g
        u, s, vh = torch.linalg.svd(0.95 * kept + 0.05 * g, full_matrices=False)
        s = s / (s**2).sum() ** 0.5
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        update = 0.2 * max(weights.shape) ** 0.5 * (u @ torch.diag(s) @ vh)
        weights = weights - rate * decay * weights - rate * update
    return weights


def schedule_free(weights: torch.Tensor, gradients: Sequence[torch.Tensor], rate: float, decay: float) -> torch.Tensor:
    """Defazio et al., algorithm 1, at a constant rate: returns y, where the gradients are taken."""
    x, z, second = weights, weights, torch.zeros_like(weights)
    for t, g in enumerate(gradients, 1):
        y = 0.1 * z + 0.9 * x
        second = 0.999 * second + 0.001 * g**2
        step = g / ((second / (1 - 0.999**t)) ** 0.5 + 1e-8)
        z = z - rate * (step + decay * y)
        x = (1 - 1 / t) * x + z / t
    return 0.1 * z + 0.9 * x


REFERENCES: dict[str, Step] = {
    "adamw": adamw,
    "adafactor": adafactor,
    "muon": muon,
    "schedule_free": schedule_free,
    "adamw_8bit": adamw,
}


def taken(kind: str, start: torch.Tensor, gradients: Sequence[torch.Tensor], **fields: Any) -> torch.Tensor:
    """Where the optimizer of the table gets from `start`."""
    if kind in PACKAGES:
        pytest.importorskip(PACKAGES[kind])
    parameter = torch.nn.Parameter(start.clone())
    optimizer = make_optimizer({"model.layers.0.w": parameter}, config(type=kind, **fields))
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(8, 12), (80, 64)])
@pytest.mark.parametrize("kind", sorted(REFERENCES))
def test_steps_follow_the_formula(kind: str, shape: tuple[int, int], decay: float) -> None:
    chance = torch.Generator().manual_seed(4)
    start = torch.randn(shape, generator=chance)
    gradients = [torch.randn(shape, generator=chance) * 10.0 ** -(i % 3) for i in range(GRADIENTS)]
    # moments of 4,096 numbers and more are rounded to 8 bits
    tolerance = 3e-2 if kind == "adamw_8bit" and start.numel() >= 4096 else 5e-6
    expected = REFERENCES[kind](start.double(), [g.double() for g in gradients], 0.05, decay) - start.double()
    found = taken(kind, start, gradients, learning_rate=0.05, weight_decay=decay).double() - start.double()
    assert (found - expected).norm() <= tolerance * expected.norm()


def test_a_step_of_adamw_is_as_the_paper_writes_it() -> None:
    start, gradient = torch.tensor([[1.0, -2.0], [3.0, 4.0]]), torch.tensor([[0.5, 0.25], [-0.1, 1.0]])
    expected = start * (1 - 0.1 * 0.01) - 0.1 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(taken("adamw", start, [gradient], learning_rate=0.1, weight_decay=0.01), expected)


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (5, 5)])
def test_muon_equals_torchs_within_its_bf16(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    start, gradients = torch.randn(shape), [torch.randn(shape) for _ in range(GRADIENTS)]
    parameter = torch.nn.Parameter(start.clone())
    theirs: Any = torch.optim.Muon([parameter], lr=0.01, weight_decay=0.2, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        parameter.grad = gradient.clone()
        theirs.step()
    found = taken("muon", start, gradients, learning_rate=0.01, weight_decay=0.2)
    assert (found - parameter).norm() < 2e-2 * (parameter - start).norm()


def test_muon_takes_a_stack_of_experts_one_by_one() -> None:
    torch.manual_seed(2)
    start, gradients = torch.randn(3, 6, 10), [torch.randn(3, 6, 10) for _ in range(GRADIENTS)]
    alone = torch.stack([taken("muon", start[i], [g[i] for g in gradients], learning_rate=0.1) for i in range(3)])
    torch.testing.assert_close(taken("muon", start, gradients, learning_rate=0.1), alone)


def test_muon_leaves_embeddings_head_and_vectors_to_adamw() -> None:
    parameters, plain = qwen(), {}
    torch.manual_seed(7)
    gradients = {name: torch.randn_like(p) for name, p in parameters.items()}
    for name, p in parameters.items():
        plain[name] = torch.nn.Parameter(p.detach().clone())
        p.grad, plain[name].grad = gradients[name].clone(), gradients[name].clone()
    make_optimizer(parameters, config(type="muon", weight_decay=0.1)).step()
    make_optimizer(plain, config(weight_decay=0.1)).step()
    same = {name for name, p in parameters.items() if torch.equal(p, plain[name])}
    assert same == {name for name, p in parameters.items() if kind_of(name, p) != "matrix"} and len(same) > 3


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (2, 6, 10)])
def test_orthogonal_brings_singular_values_near_one_and_zero_stays_zero(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape), 5).float())
    assert values.min() > 0.6 and values.max() < 1.3
    assert torch.equal(orthogonal(torch.zeros(shape), 5).float(), torch.zeros(shape))


def test_eight_bits_hold_a_quarter_and_embeddings_keep_32() -> None:
    pytest.importorskip("bitsandbytes")
    parameters = {name: torch.nn.Parameter(torch.zeros(64, 64)) for name in ("layers.0.w", "model.embed_tokens.weight")}
    optimizer = make_optimizer(parameters, config(type="adamw_8bit"))
    for p in parameters.values():
        p.grad = torch.ones_like(p)
    optimizer.step()
    formats = {name: optimizer.state[p]["state1"].dtype for name, p in parameters.items()}
    assert formats == {"layers.0.w": torch.uint8, "model.embed_tokens.weight": torch.float32}


def test_adafactor_keeps_one_row_and_one_column() -> None:
    parameter = torch.nn.Parameter(torch.zeros(30, 50))
    optimizer = make_optimizer({"layers.0.w": parameter}, config(type="adafactor"))
    parameter.grad = torch.ones(30, 50)
    optimizer.step()
    assert sum(v.numel() for v in optimizer.state[parameter].values() if torch.is_tensor(v)) <= 30 + 50 + 1


def test_fp32_state_of_bf16_weights_is_loaded_as_it_was() -> None:
    def trainee() -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
        parameter = torch.nn.Parameter(torch.ones(6, 6, dtype=torch.bfloat16))
        return parameter, make_optimizer({"layers.0.w": parameter}, config(type="adafactor"))

    (one, saved), (_, other) = trainee(), trainee()
    one.grad = torch.rand(6, 6).bfloat16()
    saved.step()
    load_state(other, saved.state_dict())
    (state,), (wanted,) = other.state.values(), saved.state.values()
    assert state["exp_avg_sq_row"].dtype == torch.float32
    assert torch.equal(state["exp_avg_sq_row"], wanted["exp_avg_sq_row"])


@pytest.mark.parametrize(("kind", "extra"), [("adamw_8bit", "quant"), ("schedule_free", "schedulefree")])
def test_an_absent_package_gives_its_install_line(kind: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[kind], None)
    with pytest.raises(UserError, match=PACKAGES[kind]) as error:
        make_optimizer({"w": torch.nn.Parameter(torch.ones(2, 2))}, config(type=kind))
    assert error.value.fix == f"pip install 'danlu[{extra}]'"


# -- rates -----------------------------------------------------------------------------------------------------------


def test_default_rates_are_a_tenth_for_full_fine_tuning() -> None:
    assert default_learning_rate("lora") == 1e-4 and default_learning_rate("full") == 1e-5
    assert default_learning_rate("no such method") is None
    assert default_learning_rate("lora", "no such optimizer") is None


@pytest.mark.parametrize(
    ("method", "rate", "words"),
    [
        ("full", 1e-5, None),
        ("full", 1e-3, "above"),
        ("full", 1e-9, "below"),
        ("lora", 5e-3, None),
        ("lora", 2e-2, "above"),
        ("prompt", 0.3, None),
        ("prompt", 1e-5, "below"),
        ("made up", 1e9, None),
    ],
)
def test_a_rate_outside_its_bounds_is_told(method: str, rate: float, words: str | None) -> None:
    told = rate_warning(method, AdamWOptimizer(learning_rate=rate))
    assert (told is None) == (words is None)
    if words:
        assert told is not None and words in told and f"{rate:g}" in told and f"'{method}' with adamw" in told


def test_training_from_scratch_has_bounds_of_its_own() -> None:
    section = AdamWOptimizer(learning_rate=8e-4)
    assert rate_warning("full", section) is not None
    assert rate_warning("full", section, from_scratch=True) is None
    assert rate_warning("full", AdamWOptimizer(learning_rate=1e-6), from_scratch=True) is not None


def test_without_a_rate_nothing_is_told() -> None:
    assert rate_warning("lora", OptimizerSection()) is None
