"""Recipe sections `train.checkpoints`, `train.early_stopping` and `train.faults`: what is kept, and when to stop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from danlu.recipe.section import Section


class CheckpointSection(Section):
    """What is saved while training."""

    every: int = Field(default=50, ge=1, description="steps between checkpoints")
    keep: int = Field(default=2, ge=1, description="newest checkpoints kept; one is removed after a newer one is whole")
    keep_every: int | None = Field(
        default=None, ge=1, description="steps between models that stay for good, in the folder `kept` of the artifact"
    )
    keep_best: bool = Field(default=False, description="the model of the best validation stays for good, too")
    background: bool = Field(
        default=True,
        description="write while training goes on; takes room in memory for a second copy of what is saved",
    )


class EarlyStoppingSection(Section):
    """The end of training where validation no longer gets better."""

    metric: str = Field(default="validation_loss", description="a figure that validation reports")
    mode: Literal["auto", "min", "max"] = Field(
        default="auto", description="which way is better; auto: min for a loss, a perplexity or an error, else max"
    )
    patience: int = Field(default=3, ge=1, description="validations in a row without getting better that end training")
    min_delta: float = Field(default=0.0, ge=0, description="a smaller gain does not count as better")
    restore_best: bool = Field(
        default=True, description="the result is the model of the best validation, not that of the last step"
    )


class FaultSection(Section):
    """What cannot be a right step: then training goes back to the last good checkpoint and on without its rows."""

    limit: int = Field(default=5, ge=0, description="steps that may be skipped in a run; one more ends it")
    spike: float | None = Field(
        default=None,
        gt=0,
        description="a loss this many deviations (1.4826 x median deviation) above the median of the last `window` "
        "steps is a fault; 8 is a careful value; default: off",
    )
    window: int = Field(default=50, ge=5, description="steps that a spike is judged by; none is found before so many")
