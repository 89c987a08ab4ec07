"""Recipe entries `data.sources`: where rows come from and what shape they have."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from danlu.recipe.errors import nearest
from danlu.recipe.section import Section

Format = Literal["auto", "messages", "alpaca", "sharegpt", "prompt_completion", "classification", "preference", "text"]

SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".md": "text",
}
COMPRESSED = {".gz", ".zst"}

ROW_KEYS = frozenset({
    "messages", "conversations", "instruction", "input", "output", "query", "response", "history", "prompt",
    "completion", "system", "text", "label", "labels", "chosen", "rejected", "desirable", "weight", "tools", "thinking",
    "id", "metadata",
})  # fmt: skip
"""Keys that some format knows; what `columns` can give names to."""


class RowSource(Section):
    """What every source has: the shape of its rows."""

    format: Format = Field(default="auto", description="shape of the rows; 'auto' tells it from each row's keys")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="our key -> the file's key, such as {text: review, label: stars}; other keys go to metadata",
    )
    prompt: str | None = Field(
        default=None, description="for classification rows: the question asked, with {text} where the text goes"
    )

    @field_validator("columns")
    @classmethod
    def _names_known_keys(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if key not in ROW_KEYS:
                raise ValueError(f"gives a name to '{key}', which no format has; {nearest(key, ROW_KEYS)}")
        return value

    @model_validator(mode="after")
    def _prompt_has_its_place(self) -> RowSource:
        if self.prompt is None:
            return self
        if "{text}" not in self.prompt:
            raise ValueError("prompt must hold {text}, the place where the row's text goes")
        if self.format not in {"auto", "classification"}:
            raise ValueError(f"prompt is for format classification, not {self.format}")
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # a dict has no hash of its own


class FileSource(RowSource):
    """Files: one, a glob, or all fitting ones of a folder; `.gz` and `.zst` are unpacked as they are read."""

    path: str = Field(description="a file, glob or folder; relative paths start at the recipe's folder")
    encoding: Literal["auto", "utf-8", "gb18030"] = Field(
        default="auto",
        description="'auto': UTF-8, or GB18030 where most lines are that and read like Chinese; Parquet has its own",
    )


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
    """Apache Parquet files."""

    type: Literal["parquet"] = "parquet"


class TextSource(FileSource):
    """Plain text files; each unit is a row."""

    type: Literal["text"] = "text"
    unit: Literal["file", "paragraph", "line"] = Field(
        default="paragraph", description="what one row is; paragraphs end at an empty line"
    )


class HuggingFaceSource(RowSource):
    """A dataset of the Hugging Face hub, through the `datasets` library (`pip install 'danlu[datasets]'`)."""

    type: Literal["huggingface"] = "huggingface"
    path: str = Field(description="dataset id, such as tatsu-lab/alpaca")
    name: str | None = Field(default=None, description="configuration of the dataset")
    split: str = "train"
    revision: str | None = Field(default=None, description="commit or tag; default: the newest, whose commit is booked")


def source_type(value: Any) -> str | None:
    """The source's type: as named, or by the file's ending (what a compressed file's inner ending says)."""
    if not isinstance(value, dict):
        return getattr(value, "type", None)
    if named := value.get("type"):
        return str(named)
    path = PurePath(str(value.get("path", "")))
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return SUFFIXES.get(path.suffix.lower())


Source = Annotated[
    Annotated[JsonlSource, Tag("jsonl")]
    | Annotated[JsonSource, Tag("json")]
    | Annotated[CsvSource, Tag("csv")]
    | Annotated[ParquetSource, Tag("parquet")]
    | Annotated[TextSource, Tag("text")]
    | Annotated[HuggingFaceSource, Tag("huggingface")],
    Discriminator(source_type),
]
