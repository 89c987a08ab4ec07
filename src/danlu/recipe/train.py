"""Recipe section `train`: method, objective, optimizer, batches, checkpoints."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from danlu.recipe.methods import LoraMethod, Method
from danlu.recipe.objectives import Objective, SftObjective
from danlu.recipe.optimizer import AdamWOptimizer, Optimizer, OptimizerSection, default_learning_rate
from danlu.recipe.section import Section

DEFAULT_LEARNING_RATES = {
    kind: rate
    for kind in (method.model_fields["type"].default for method in get_args(get_args(Method)[0]))
    if (rate := default_learning_rate(kind)) is not None
}
"""Method -> its peak rate with AdamW; with another optimizer: `default_learning_rate(method, optimizer)`."""


class BatchSection(Section):
    """How rows are grouped, counted in tokens. The optimizer step does not depend on what fits in memory."""

    step_tokens: int = Field(default=8192, ge=1, description="tokens of one optimizer step (all its micro-batches)")
    step_rows: int | None = Field(
        default=None,
        ge=1,
        description="rows of one optimizer step, however long, in place of step_tokens: to repeat what was done elsewhere",
    )
    micro_tokens: int = Field(
        default=2048,
        ge=1,
        description="tokens, padding included, of one forward pass; only memory and speed depend on it",
    )


class CheckpointSection(Section):
    """What is saved while training."""

    every: int = Field(default=50, ge=1, description="steps between checkpoints")
    keep: int = Field(default=2, ge=1, description="newest checkpoints kept")


class TrainSection(Section):
    """How the model is made better."""

    method: Method = LoraMethod()
    objective: Objective = SftObjective()
    optimizer: Optimizer = AdamWOptimizer()
    batch: BatchSection = BatchSection()
    epochs: int = Field(default=3, ge=1)
    max_steps: int | None = Field(default=None, ge=1, description="stop after so many optimizer steps")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="'auto': bf16 where the device computes it natively, else fp32"
    )
    validate_every: int | None = Field(
        default=None, ge=1, description="steps between validation losses; default: once an epoch"
    )
    decoder: Literal["auto", "transformers"] = Field(
        default="auto",
        description="'auto': danlu's own, without padding, where it knows every part of the model; 'transformers': theirs",
    )
    checkpoints: CheckpointSection = CheckpointSection()

    @model_validator(mode="before")
    @classmethod
    def _optimizer_of_method(cls, value: Any) -> Any:
        """Write optimizer and learning rate of the method into the recipe, so that the resolved recipe shows them."""
        if not isinstance(value, dict):
            return value
        method = value.get("method") or {}
        optimizer = value.get("optimizer") or {}
        if isinstance(optimizer, OptimizerSection):
            optimizer = optimizer.model_dump()
        if not isinstance(optimizer, dict):
            return value
        kind = (method.get("type") if isinstance(method, dict) else getattr(method, "type", None)) or "lora"
        optimizer = {"type": "adamw", **optimizer}
        if optimizer.get("learning_rate") is None:
            optimizer["learning_rate"] = default_learning_rate(str(kind), str(optimizer["type"]))
        return {**value, "optimizer": optimizer}
