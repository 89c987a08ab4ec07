"""Recipe section `train`: method, objective, optimizer, batches, checkpoints."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from danlu.recipe.faults import CheckpointSection, EarlyStoppingSection, FaultSection
from danlu.recipe.gpu import AS_IT_COMES, GpuSection
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
        description="rows of one optimizer step, however long, in place of step_tokens: as other tools count",
    )
    micro_tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens, padding included, of one forward pass; only memory and speed depend on it. By default "
        "2048 on a GPU, on a CPU 1024 (each core has a micro-batch of its own)",
    )


class TrainSection(Section):
    """How the model is made better."""

    method: Method = LoraMethod()
    objective: Objective = SftObjective()
    optimizer: Optimizer = AdamWOptimizer()
    batch: BatchSection = BatchSection()
    epochs: int = Field(default=3, ge=1)
    max_steps: int | None = Field(default=None, ge=1, description="stop after so many optimizer steps")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="'auto': bf16 where the device computes it natively, else fp32; fp16 scales the loss",
    )
    deterministic: bool = Field(
        default=False,
        description="only computations that give the same bits every time; on a GPU slower, a CPU always does",
    )
    checkpointing: Literal["off", "selective", "full"] = Field(
        default="off",
        description="compute inner states again for the backward pass: of whole layers (full: least memory, 1.4 "
        "times the time), or all but the products of matrices (selective, by transformers' layers)",
    )
    validate_every: int | None = Field(
        default=None, ge=1, description="steps between validations; default: once an epoch"
    )
    validate_every_epochs: float | None = Field(
        default=None, gt=0, description="the same in epochs: 0.25 is four times an epoch; only one of the two"
    )
    early_stopping: EarlyStoppingSection | None = None
    decoder: Literal["auto", "transformers"] = Field(
        default="auto",
        description="'auto': danlu's own, without padding, where it knows the model's parts; 'transformers': theirs",
    )
    gpu: GpuSection = AS_IT_COMES
    checkpoints: CheckpointSection = CheckpointSection()
    faults: FaultSection = FaultSection()

    @property
    def unpadded(self) -> bool:
        """Whether danlu's own decoder may be used: selective checkpointing is a matter of transformers' layers."""
        return self.decoder == "auto" and self.checkpointing != "selective"

    @model_validator(mode="after")
    def _one_rhythm(self) -> TrainSection:
        if self.validate_every is not None and self.validate_every_epochs is not None:
            raise ValueError("validate_every and validate_every_epochs say the same; give one of them")
        return self

    @model_validator(mode="after")
    def _gpu_needs_the_own_decoder(self) -> TrainSection:
        if not self.unpadded and self.gpu != AS_IT_COMES:
            raise ValueError(
                "train.gpu is about danlu's own decoder, which decoder: transformers and checkpointing: selective "
                "leave out; remove train.gpu, or set decoder: auto and checkpointing: off or full"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _types_as_without_the_section(cls, value: Any) -> Any:
        """Fields of the default method or objective do not need its name: `method: {rank: 32}` is LoRA."""
        if not isinstance(value, dict):
            return value
        defaults: dict[str, type[Section]] = {"method": LoraMethod, "objective": SftObjective}
        named = {
            key: {"type": default.model_fields["type"].default, **value[key]}
            for key, default in defaults.items()
            if isinstance(value.get(key), dict) and value[key].keys() <= default.model_fields.keys()
        }
        return {**value, **named}

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
