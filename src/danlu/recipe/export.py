"""Recipe section `export`: the artifact others load, and the proof that it is what was trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from danlu.recipe.section import Section


class MergedExport(Section):
    """A safetensors folder with adapters merged in, which plain transformers loads."""

    type: Literal["merged"] = "merged"
    dtype: Literal["same", "fp32", "bf16"] = Field(default="same", description="'same': as the base model's weights")
    max_mean_kl: float = Field(
        default=5e-3, gt=0, description="largest mean KL(trained || exported), in nats per position, that passes"
    )
    min_top1: float = Field(default=0.98, gt=0, le=1, description="smallest top-1 agreement that passes")
    prompts: int = Field(default=32, ge=1, description="held-out rows on which equality is measured")


class TrainedExport(Section):
    """What training wrote (adapters, parts, a head) beside the base that it needs; for what cannot be merged."""

    type: Literal["trained"] = "trained"
    prompts: int = Field(default=32, ge=1, description="held-out rows on which equality is measured")


ExportSection = Annotated[
    MergedExport | TrainedExport,
    Field(discriminator="type", description="how the trained model leaves the house"),
]
