"""Recipe section `train.optimizer`: which optimizer, how its rate goes, and which rates are sane for which method."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from danlu.recipe.section import Section

Beta = Annotated[float, Field(ge=0, lt=1)]


class RateOverride(Section):
    """A rate of its own for the parameters whose name matches; the first override that matches counts."""

    pattern: str = Field(min_length=1, description="shell pattern over the whole parameter name: '*.lora_B.*'")
    factor: float | None = Field(default=None, gt=0, description="times the rate the parameter would have")
    learning_rate: float | None = Field(default=None, gt=0, description="a peak rate in place of all others")

    @model_validator(mode="after")
    def _one_of_both(self) -> RateOverride:
        if (self.factor is None) == (self.learning_rate is None):
            raise ValueError("give either 'factor' or 'learning_rate'")
        return self


class OptimizerSection(Section):
    """What all optimizers share: the rate, its schedule, decay, clipping, and an average of the weights."""

    learning_rate: float | None = Field(
        default=None, gt=0, description="the peak; default: by method and optimizer (lora 1e-4, full 1e-5 ...)"
    )
    schedule: Literal["linear", "cosine", "constant", "wsd"] = Field(
        default="linear", description="how the rate goes after the warm-up; wsd: constant, then down at the end"
    )
    warmup: float = Field(
        default=0.03, ge=0, description="the rate rises over this share of all steps; from 1 on: this many steps"
    )
    min_rate: float = Field(default=0.0, ge=0, le=1, description="the rate at the end, as a share of the peak")
    wsd_decay: float = Field(default=0.1, gt=0, le=1, description="share of all steps over which wsd goes down")
    weight_decay: float = Field(
        default=0.0, ge=0, description="only on matrices: not on embeddings, norms, biases and vectors"
    )
    max_grad_norm: float | None = Field(default=1.0, gt=0, description="clip the global gradient norm; null: never")
    layer_decay: float | None = Field(
        default=None, gt=0, le=1, description="the rate shrinks by this factor with every layer below the head"
    )
    rates: tuple[RateOverride, ...] = Field(default=(), description="rates of their own, by name of the parameter")
    ema: float | None = Field(
        default=None, gt=0, lt=1, description="validate and save a moving average of the weights with this decay"
    )

    offload: bool = Field(
        default=False,
        description="on a GPU: hold the optimizer's state in the computer's memory and step there; slower, and with "
        "AdamW 8 bytes less for each parameter that trains",
    )

    @field_validator("warmup")
    @classmethod
    def _share_or_steps(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError("below 1 it is a share of all steps, from 1 on a whole number of steps")
        return value


class AdamWOptimizer(OptimizerSection):
    """AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101)."""

    type: Literal["adamw"] = "adamw"
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    epsilon: float = Field(default=1e-8, gt=0)


class AdamW8bitOptimizer(OptimizerSection):
    """AdamW with both moments in 8 bits (Dettmers et al., 2022, arXiv:2110.02861); a quarter of AdamW's state."""

    type: Literal["adamw_8bit"] = "adamw_8bit"
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    epsilon: float = Field(default=1e-8, gt=0)


class AdafactorOptimizer(OptimizerSection):
    """Adafactor (Shazeer and Stern, 2018, arXiv:1804.04235) with a given rate; its state is near nothing."""

    type: Literal["adafactor"] = "adafactor"
    beta2_decay: float = Field(default=0.8, gt=0, le=1, description="beta2 of step t is 1 - t ** -beta2_decay")
    clip: float = Field(default=1.0, gt=0, description="the root mean square of an update is at most this")


class MuonOptimizer(OptimizerSection):
    """Muon (Jordan et al., 2024; scaled as Liu et al., 2025, arXiv:2502.16982) on hidden matrices, AdamW elsewhere."""

    type: Literal["muon"] = "muon"
    momentum: Beta = Field(default=0.95, description="of Muon, Nesterov's")
    iterations: int = Field(default=5, ge=1, le=20, description="of Newton and Schulz, for each matrix and step")
    betas: tuple[Beta, Beta] = Field(default=(0.9, 0.999), description="of AdamW: embeddings, head, norms, vectors")
    epsilon: float = Field(default=1e-8, gt=0, description="of AdamW")


class ScheduleFreeOptimizer(OptimizerSection):
    """Schedule-free AdamW (Defazio et al., 2024, arXiv:2405.15682): an average of the weights replaces the schedule."""

    type: Literal["schedule_free"] = "schedule_free"
    schedule: Literal["constant"] = Field(default="constant", description="it needs none beside the warm-up")
    ema: None = Field(default=None, description="it averages the weights by itself")
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    epsilon: float = Field(default=1e-8, gt=0)

    @field_validator("betas")
    @classmethod
    def _no_zero(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] == 0:
            raise ValueError("the first beta must be above 0: the average is found by dividing by it")
        return value


Optimizer = Annotated[
    AdamWOptimizer | AdamW8bitOptimizer | AdafactorOptimizer | MuonOptimizer | ScheduleFreeOptimizer,
    Field(discriminator="type"),
]

# method -> (default, lowest and highest sane peak rate), all for AdamW. docs/explain/optimizers.md has the sources.
_RATES: dict[str, tuple[float, float, float]] = {
    "full": (1e-5, 1e-7, 3e-4),
    "freeze": (1e-5, 1e-7, 3e-4),
    "hybrid": (1e-5, 1e-7, 1e-3),
    "lora": (1e-4, 1e-6, 5e-3),
    "qlora": (1e-4, 1e-6, 5e-3),
    "adapter": (1e-4, 1e-6, 5e-3),
    "ia3": (3e-3, 1e-5, 1e-1),
    "prefix": (1e-2, 1e-5, 1e-1),
    "prompt": (3e-2, 1e-4, 1.0),
}

_FROM_SCRATCH = (1e-5, 1e-2)
"""Lowest and highest sane peak rate where every weight starts at random."""

_FACTORS: dict[str, float] = {
    "adamw": 1.0,
    "adamw_8bit": 1.0,
    "adafactor": 1.0,
    "muon": 1.0,
    "schedule_free": 1.0,
}
"""optimizer -> its rates relative to AdamW's; all take steps of AdamW's size, so one recipe serves all."""


def default_learning_rate(method_type: str, optimizer_type: str = "adamw") -> float | None:
    """The peak rate used where the recipe names none; None for a method or optimizer without a default."""
    if method_type not in _RATES or optimizer_type not in _FACTORS:
        return None
    return _RATES[method_type][0] * _FACTORS[optimizer_type]


def rate_warning(method_type: str, optimizer: OptimizerSection, *, from_scratch: bool = False) -> str | None:
    """A sentence if the peak rate is outside sane bounds for the method and the optimizer, else None.

    Args:
        method_type: the method's `type`; of a method without known bounds nothing is said.
        optimizer: the section, with its rate filled in; without one nothing is said.
        from_scratch: the weights start at random (`model.weights: random`), where rates are a hundred times higher.
    """
    rate = optimizer.learning_rate
    if rate is None or method_type not in _RATES:
        return None
    kind = str(getattr(optimizer, "type", "adamw"))
    usual, low, high = (value * _FACTORS.get(kind, 1.0) for value in _RATES[method_type])
    if from_scratch and method_type == "full":
        low, high = _FROM_SCRATCH
    if low <= rate <= high:
        return None
    side, danger = ("above", "training may diverge") if rate > high else ("below", "training may not move the model")
    return (
        f"train.optimizer.learning_rate {rate:g} is {side} the sane range {low:g} to {high:g} "
        f"of method '{method_type}' with {kind}: {danger} (default: {usual:g})"
    )
