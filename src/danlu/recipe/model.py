"""Recipe section `model`: which base model, and whether its weights are used."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from danlu.recipe.section import Section


class ModelSection(Section):
    """The model a run starts from."""

    base: str = Field(
        default="seedling",
        description="'seedling' (shipped with danlu), a Hugging Face id, 'modelscope:ID', or a folder ('./...')",
    )
    revision: str | None = Field(default=None, description="branch, tag or commit on the hub; hub ids only")
    weights: Literal["pretrained", "random"] = Field(
        default="pretrained",
        description="'random' keeps configuration and tokenizer and starts training from scratch; needs method full",
    )
