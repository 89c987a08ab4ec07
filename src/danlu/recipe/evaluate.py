"""Recipe section `evaluate`: metrics on the held-out split, and what to compare with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from danlu.recipe.section import Section


class PerplexityMetric(Section):
    """exp of the mean negative log-likelihood per completion token, weighted by tokens; lower is better."""

    type: Literal["perplexity"] = "perplexity"


class BleuMetric(Section):
    """Corpus BLEU by sacrebleu (0 to 100); Chinese answers with its `zh` tokenizer, others with `13a`."""

    type: Literal["bleu"] = "bleu"


class RougeMetric(Section):
    """ROUGE-L F-measure by rouge-score (0 to 1); Chinese answers as jieba words."""

    type: Literal["rouge"] = "rouge"


class ExactMatchMetric(Section):
    """Share of answers equal to the reference after Unicode and whitespace normalisation (0 to 1)."""

    type: Literal["exact_match"] = "exact_match"


Metric = Annotated[
    PerplexityMetric | BleuMetric | RougeMetric | ExactMatchMetric,
    Field(discriminator="type"),
]


class EvaluateSection(Section):
    """How good the tuned model is, on rows it never saw."""

    metrics: tuple[Metric, ...] = Field(
        default=(PerplexityMetric(), BleuMetric(), RougeMetric()), min_length=1, description="names, or {type: ...}"
    )
    compare_to: Literal["base", "none"] = "base"
    split: Literal["test", "validation"] = "test"
    max_rows: int | None = Field(default=None, ge=1, description="use at most so many rows (first by row id)")
    max_new_tokens: int = Field(default=256, ge=1)
    batch_rows: int = Field(default=16, ge=1, description="answers generated at once")
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=100, description="bootstrap resamples behind each interval")

    @field_validator("metrics", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Allow `[perplexity, bleu]` beside `[{type: perplexity}]`; refuse a metric given twice."""
        if not isinstance(value, (list, tuple)):
            return value
        entries = [{"type": item} if isinstance(item, str) else item for item in value]
        kinds = [e.get("type") if isinstance(e, dict) else getattr(e, "type", None) for e in entries]
        twice = sorted({str(kind) for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return entries
