"""Recipe section `train.gpu`: how danlu's own decoder computes on a GPU; each way behind one switch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from danlu.recipe.section import Section


class GpuSection(Section):
    """How danlu's own decoder computes on a GPU. A CPU computes as it always does."""

    attention: Literal["auto", "sdpa", "varlen"] = Field(
        default="auto",
        description="sdpa: a call for each sequence; varlen: one for all of a micro-batch; 'auto': varlen on CUDA of "
        "compute capability 8.0 or more in bf16 or fp16, else sdpa",
    )
    kernels: Literal["auto", "torch", "triton"] = Field(
        default="auto",
        description="of norms, rotary positions and activation; triton: danlu's own, fused "
        "(`pip install 'danlu[gpu]'`); 'auto': triton on CUDA where it is installed, else torch",
    )
    compile: bool = Field(
        default=False,
        description="torch.compile of each layer's parts before and behind attention; takes minutes at the start",
    )

    @model_validator(mode="after")
    def _one_maker_of_kernels(self) -> GpuSection:
        if self.compile and self.kernels == "triton":
            raise ValueError(
                "train.gpu.compile: true and train.gpu.kernels: triton fuse the same operations; "
                "leave one of them at its default"
            )
        return self


AS_IT_COMES = GpuSection()
"""Where a recipe says nothing."""
