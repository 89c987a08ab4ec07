"""Recipe section `data`: from raw rows to the dataset artifact."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from danlu.recipe.augmentation import AugmentSection
from danlu.recipe.cleaners import Cleaner, ExactDuplicatesCleaner, NormalizeCleaner
from danlu.recipe.errors import ValueRefused
from danlu.recipe.redaction import RedactSection
from danlu.recipe.section import Section
from danlu.recipe.sources import Source


class SplitSection(Section):
    """Rows held out, by a hash of what each asks: copies stay together, and added rows hardly ever move old ones."""

    validation: float = Field(default=0.05, ge=0, lt=1, description="share used to watch training")
    test: float = Field(default=0.1, ge=0, lt=1, description="share the final evaluation uses")
    near_duplicates: float | None = Field(
        default=0.8, ge=0.5, le=1, description="rows this similar (Jaccard of 5-grams) share a split; null: off"
    )
    group_by: str | None = Field(
        default=None, description="metadata key, such as user or conversation: rows with one value share a split"
    )
    stratify_by: str | None = Field(
        default=None,
        description="'label', 'language' or a metadata key whose values each split has in about equal shares",
    )

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> SplitSection:
        if self.validation + self.test >= 1:
            both = f"validation {self.validation:g} + test {self.test:g} is {self.validation + self.test:g}"
            raise ValueRefused(
                f"{both}: nothing is left to train on", "lower one of them, so that both together are less than 1"
            )
        return self


class ContaminationSection(Section):
    """Evaluation sets that training rows must not contain: 13-character (Chinese) and 8-word n-grams."""

    evaluation_sets: tuple[Source, ...] = Field(
        default=(), description="besides the run's own validation and test splits"
    )
    on_found: Literal["drop", "report"] = "drop"


class ReferenceSection(Section):
    """A sample of production: how the training rows differ from it, and whether they are resampled to match."""

    source: Source
    match: Literal["none", "label", "language", "slice"] = "none"
    slice: str | None = Field(default=None, description="metadata key that names user slices")
    permutations: int = Field(default=200, ge=20, le=10_000, description="of each null distribution")


class LocalRunner(Section):
    """Processes of this machine."""

    type: Literal["local"] = "local"
    workers: int | None = Field(default=None, ge=1, description="default: one per core; small data runs in one")


class RayRunner(Section):
    """Ray Data, on this machine or a cluster that shares the workspace's disk (`pip install 'danlu[ray]'`)."""

    type: Literal["ray"] = "ray"
    address: str | None = Field(default=None, description="of a cluster; default: start one here")


Runner = Annotated[LocalRunner | RayRunner, Field(discriminator="type")]


class DataSection(Section):
    """From raw rows to the dataset artifact."""

    sources: tuple[Source, ...] = Field(min_length=1)
    on_bad_row: Literal["fail", "drop"] = Field(default="fail", description="'drop' books bad rows in the ledger")
    clean: tuple[Cleaner, ...] = Field(default=(NormalizeCleaner(), ExactDuplicatesCleaner()))
    redact: RedactSection | None = None
    split: SplitSection = SplitSection()
    augment: AugmentSection = AugmentSection()
    contamination: ContaminationSection = ContaminationSection()
    reference: ReferenceSection | None = None
    max_tokens: int = Field(default=2048, ge=8, description="longest training sequence, in tokens")
    on_too_long: Literal["fail", "drop", "truncate"] = Field(
        default="fail", description="what becomes of a row longer than max_tokens"
    )
    runner: Runner = LocalRunner()
