"""Recipe section `data`: sources, cleaning, split and length limits."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from danlu.recipe.section import Section

Format = Literal["auto", "messages", "alpaca", "sharegpt", "prompt_completion", "text"]

SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


class FileSource(Section):
    """What every file source has: a path and the shape of its rows."""

    path: str = Field(description="a file; relative paths start at the recipe's folder")
    format: Format = Field(default="auto", description="shape of the rows; 'auto' tells it from each row's keys")


class JsonlSource(FileSource):
    """One JSON object per line."""

    type: Literal["jsonl"] = "jsonl"


class JsonSource(FileSource):
    """One JSON array of objects."""

    type: Literal["json"] = "json"


class CsvSource(FileSource):
    """Comma- or tab-separated text with a header line (RFC 4180 quoting)."""

    type: Literal["csv"] = "csv"
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="default: tab for .tsv, comma otherwise"
    )


class ParquetSource(FileSource):
    """An Apache Parquet file."""

    type: Literal["parquet"] = "parquet"


def source_type(value: Any) -> str | None:
    """The source's type: as named, or by the file's ending."""
    if isinstance(value, dict):
        named = value.get("type")
        return named if named else SUFFIXES.get(PurePath(str(value.get("path", ""))).suffix.lower())
    return getattr(value, "type", None)


Source = Annotated[
    Annotated[JsonlSource, Tag("jsonl")]
    | Annotated[JsonSource, Tag("json")]
    | Annotated[CsvSource, Tag("csv")]
    | Annotated[ParquetSource, Tag("parquet")],
    Discriminator(source_type),
]


class NormalizeCleaner(Section):
    """Unicode NFC, invisible characters, line ends and outer whitespace; never punctuation, code or mathematics."""

    type: Literal["normalize"] = "normalize"


class ExactDuplicatesCleaner(Section):
    """Drops a row whose normalised conversation was seen before; the first one stays."""

    type: Literal["exact_duplicates"] = "exact_duplicates"
    ignore_case: bool = Field(default=False, description="treat rows that differ only in letter case as equal")


Cleaner = Annotated[NormalizeCleaner | ExactDuplicatesCleaner, Field(discriminator="type")]


class SplitSection(Section):
    """Shares of rows held out, by a hash of each row's prompt, so that added rows never move old ones."""

    validation: float = Field(default=0.05, ge=0, lt=1, description="share used to watch training")
    test: float = Field(default=0.1, ge=0, lt=1, description="share the final evaluation uses")

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> SplitSection:
        if self.validation + self.test >= 1:
            raise ValueError(f"validation + test is {self.validation + self.test:g}: nothing is left to train on")
        return self


class DataSection(Section):
    """From raw rows to the dataset artifact."""

    sources: tuple[Source, ...] = Field(min_length=1)
    on_bad_row: Literal["fail", "drop"] = Field(default="fail", description="'drop' books bad rows in the ledger")
    clean: tuple[Cleaner, ...] = Field(default=(NormalizeCleaner(), ExactDuplicatesCleaner()))
    split: SplitSection = SplitSection()
    max_tokens: int = Field(default=2048, ge=8, description="longest training sequence, in tokens")
    on_too_long: Literal["fail", "drop", "truncate"] = Field(
        default="fail", description="what becomes of a row longer than max_tokens"
    )
