"""Recipe section `train.method`: which parameters train, and in what form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from danlu.recipe.section import Section

Group = Literal["attention", "mlp", "experts", "router", "embeddings", "norms", "head", "other"]
"""Groups of a model's parameters; `training.method.group_of` says which parameter is in which."""


class LoraSettings(Section):
    """Low-rank adapters on linear layers (Hu et al., 2021, arXiv:2106.09685)."""

    rank: int = Field(default=16, ge=1, description="r, the width of the update")
    alpha: float | None = Field(default=None, gt=0, description="scale is alpha / rank; default: 2 * rank")
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: tuple[str, ...] | Literal["all-linear"] = Field(
        default="all-linear",
        description="names or shell patterns of linear layers, such as q_proj or '*.layers.1?.mlp.*'; default: all but "
        "the head and the router",
    )
    ranks: dict[str, int] = Field(
        default_factory=dict, description="name or pattern -> a rank of its own; the scale stays the same"
    )
    rank_stabilized: bool = Field(
        default=False, description="scale is alpha / sqrt(rank) (rsLoRA: Kalajdzievski, 2023, arXiv:2312.03732)"
    )
    dora: bool = Field(
        default=False, description="length and direction of a weight learn apart (Liu et al., 2024, arXiv:2402.09353)"
    )
    init: Literal["zero", "pissa"] = Field(
        default="zero",
        description="pissa: start from the largest singular values of a weight (Meng et al., 2024, arXiv:2404.02948)",
    )
    b_rate: float = Field(
        default=1.0, gt=0, description="rate of B relative to A's; LoRA+ uses 16 (Hayou et al., 2024, arXiv:2402.12354)"
    )
    experts: bool = Field(default=False, description="adapters on the experts of a mixture-of-experts model too")

    @field_validator("ranks")
    @classmethod
    def _ranks_are_positive(cls, value: dict[str, int]) -> dict[str, int]:
        for name, rank in value.items():
            if rank < 1:
                raise ValueError(f"the rank of '{name}' must be at least 1")
        return value

    @model_validator(mode="after")
    def _goes_together(self) -> LoraSettings:
        if self.dora and self.init == "pissa":
            raise ValueError("dora and init: pissa cannot be combined; take one")
        if not self.targets and not self.experts:
            raise ValueError("targets must name a layer; leave it out for all linear layers, or set experts: true")
        if self.experts and (self.dora or self.init == "pissa" or self.dropout):
            raise ValueError("adapters on experts know neither dora, nor init: pissa, nor dropout")
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # a dict has no hash of its own


class LoraMethod(LoraSettings):
    """Low-rank adapters on linear layers of a frozen model."""

    type: Literal["lora"] = "lora"


class QloraMethod(LoraSettings):
    """LoRA over a base held in 4 bits (Dettmers et al., 2023, arXiv:2305.14314), by bitsandbytes."""

    type: Literal["qlora"] = "qlora"
    format: Literal["nf4", "fp4"] = Field(default="nf4", description="of the 4 bits")
    double_quantization: bool = Field(default=True, description="the scales in 8 bits too")

    @model_validator(mode="after")
    def _plain_start(self) -> QloraMethod:
        if self.init == "pissa" or self.experts:
            raise ValueError("a base in 4 bits knows neither init: pissa nor experts")
        return self


class FullMethod(Section):
    """Every parameter trains."""

    type: Literal["full"] = "full"


class FreezeMethod(Section):
    """Some groups or layers train, as they are; all else is frozen."""

    type: Literal["freeze"] = "freeze"
    train: tuple[Group, ...] = Field(
        default=("attention", "mlp", "experts", "router", "norms"),
        min_length=1,
        description="groups that train; without embeddings and head the model's vocabulary stays as it is",
    )
    layers: int | tuple[int, ...] | Literal["all"] = Field(
        default="all",
        description="the last so many layers, or a list counted from 0; embeddings, head and last norm are in none",
    )

    @field_validator("layers")
    @classmethod
    def _at_least_one(cls, value: int | tuple[int, ...] | str) -> int | tuple[int, ...] | str:
        if value == () or (isinstance(value, int) and value < 1) or (isinstance(value, tuple) and min(value) < 0):
            raise ValueError("must be at least one layer, counted from 0")
        return value


class HybridMethod(Section):
    """Each group of parameters is frozen, trains in full, or gets adapters."""

    type: Literal["hybrid"] = "hybrid"
    groups: dict[Group, Literal["frozen", "full", "lora"]] = Field(
        default={"attention": "full", "mlp": "lora", "experts": "lora", "norms": "full"},
        description="what becomes of each group; those not named are frozen, and a model may lack mlp or experts",
    )
    lora: LoraSettings = Field(default=LoraSettings(), description="the adapters of groups that get them")

    @model_validator(mode="after")
    def _both_kinds(self) -> HybridMethod:
        told = set(self.groups.values())
        if "full" not in told or "lora" not in told:
            raise ValueError(
                "hybrid needs a group that is 'full' and one that is 'lora'; otherwise take freeze or lora"
            )
        for group, wish in self.groups.items():
            if wish == "lora" and group not in {"attention", "mlp", "experts"}:
                raise ValueError(f"{group} can be 'full' or 'frozen'; adapters go on attention, mlp and experts")
        if self.lora.experts and self.groups.get("experts", "frozen") != "lora":
            raise ValueError(
                f"lora.experts: true puts adapters on the experts, which groups have as "
                f"'{self.groups.get('experts', 'frozen')}'; leave it out, or set groups.experts: lora"
            )
        if self.lora.init == "pissa":
            raise ValueError("lora.init: pissa changes the base, which hybrid trains itself; take lora")
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # a dict has no hash of its own


class PrefixMethod(Section):
    """Prefix tuning (Li and Liang, 2021, arXiv:2101.00190): learned keys and values in front of every layer."""

    type: Literal["prefix"] = "prefix"
    tokens: int = Field(default=16, ge=1, le=1024, description="length of the prefix")
    text: str | None = Field(
        default=None, description="start as if this text, repeated or cut, stood there; default: random tokens"
    )


class PromptMethod(Section):
    """Prompt tuning (Lester et al., 2021, arXiv:2104.08691): learned embeddings in front of the input."""

    type: Literal["prompt"] = "prompt"
    tokens: int = Field(default=16, ge=1, le=1024, description="length of the prompt")
    text: str | None = Field(
        default=None, description="start from the embeddings of this text, repeated or cut; default: of random tokens"
    )


class AdapterMethod(Section):
    """Bottleneck adapters (Houlsby et al., 2019, arXiv:1902.00751; Pfeiffer et al., 2021, arXiv:2005.00247)."""

    type: Literal["adapter"] = "adapter"
    placement: Literal["houlsby", "pfeiffer"] = Field(
        default="pfeiffer", description="houlsby: behind attention and MLP of every layer; pfeiffer: behind the MLP"
    )
    width: int = Field(default=64, ge=1, description="of the bottleneck")
    activation: Literal["relu", "gelu", "silu"] = "silu"
    dropout: float = Field(default=0.0, ge=0, lt=1)


class Ia3Method(Section):
    """(IA)3 (Liu et al., 2022, arXiv:2205.05638): learned factors on keys, values and the inner state of the MLP."""

    type: Literal["ia3"] = "ia3"


Method = Annotated[
    LoraMethod
    | QloraMethod
    | FullMethod
    | FreezeMethod
    | HybridMethod
    | PrefixMethod
    | PromptMethod
    | AdapterMethod
    | Ia3Method,
    Field(discriminator="type"),
]

MERGES = frozenset({"lora", "qlora", "full", "freeze", "hybrid", "ia3"})
"""Methods whose result can become plain weights of the base's shape; the others always travel beside it."""
