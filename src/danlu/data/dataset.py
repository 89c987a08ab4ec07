"""The dataset artifact: rows, token sequences, ledger and rendering hash in one folder; written and read here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from danlu.data.row import Row
from danlu.data.tables import TableWriter
from danlu.models.chat import Sample
from danlu.models.messages import Message
from danlu.recipe.errors import UserError

ROWS, SAMPLES, LEDGER, SUMMARY, RENDERING, REPEATED = (
    "rows.parquet",
    "samples.parquet",
    "ledger.parquet",
    "ledger.json",
    "rendering.json",
    "repeated.json",
)

ROW_SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("split", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("messages", pa.string()),
        ("text", pa.string()),
        ("tools", pa.string()),
        ("thinking", pa.bool_()),
        ("labels", pa.list_(pa.string())),
        ("rejected", pa.string()),
        ("preferred_from", pa.int32()),
        ("desirable", pa.bool_()),
        ("weight", pa.float64()),
        ("metadata", pa.string()),
        ("parent", pa.string()),
    ]
)

SAMPLE_SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("split", pa.string()),
        ("input_ids", pa.list_(pa.int32())),
        ("starts", pa.list_(pa.int32())),
        ("ends", pa.list_(pa.int32())),
        ("turns", pa.list_(pa.int32())),
        ("span_weights", pa.list_(pa.float64())),
        ("weight", pa.float64()),
        ("rejected", pa.bool_()),
        ("labels", pa.list_(pa.string())),
        ("desirable", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class TrainingSample:
    """A token sequence and the row it came from.

    Attributes:
        row_id: `file:line` of the row.
        input_ids: token ids [T].
        spans: half-open ranges of the assistant's answers, each with its end of turn.
        text: True for a plain-text row.
        turns: index in the conversation of the message behind each span.
        span_weights: of each span in the loss, as the messages say; one each where they do not.
        weight: of the whole row in the loss.
        rejected: True for the answer that a preference row likes less.
        labels: classes of a classification row.
        no_label: whether it is a classification row of no class.
        desirable: whether the row's answer was liked, where the source says so.
    """

    row_id: str
    input_ids: list[int]
    spans: list[tuple[int, int]]
    text: bool
    turns: list[int] = field(default_factory=list)
    span_weights: list[float] = field(default_factory=list)
    weight: float = 1.0
    rejected: bool = False
    labels: tuple[str, ...] = ()
    no_label: bool = False
    desirable: bool | None = None

    @property
    def learned(self) -> int:
        """Number of tokens that carry a loss."""
        return sum(end - start for start, end in self.spans)


class DatasetWriter:
    """Writes rows and samples of the dataset artifact."""

    def __init__(self, folder: Path) -> None:
        self._rows = TableWriter(folder / ROWS, ROW_SCHEMA)
        self._samples = TableWriter(folder / SAMPLES, SAMPLE_SCHEMA)

    def write(self, row: Row, split: str, samples: Sequence[Sample], rejected: Sequence[Sample] = ()) -> None:
        """Add a row of a split with its token sequences, and those of the answer that it likes less."""
        self._rows.write(
            {
                "row_id": row.id,
                "split": split,
                "file": row.file,
                "line": row.line,
                "messages": json.dumps(row.messages, ensure_ascii=False) if row.messages else None,
                "text": row.text or None,
                "tools": json.dumps(row.tools, ensure_ascii=False) if row.tools else None,
                "thinking": row.thinking,
                "labels": list(row.labels) if row.classified else None,
                "rejected": json.dumps(row.rejected, ensure_ascii=False) if row.rejected else None,
                "preferred_from": row.preferred_from,
                "desirable": row.desirable,
                "weight": row.weight,
                "metadata": json.dumps(row.metadata, ensure_ascii=False) if row.metadata else None,
                "parent": row.parent or None,
            }
        )
        for sample in samples:
            self._samples.write(_sample_values(row, split, sample, row.messages, rejected=False))
        for sample in rejected:
            turns = (*row.messages[: row.preferred_from], *row.rejected)
            self._samples.write(_sample_values(row, split, sample, turns, rejected=True))

    def close(self) -> None:
        """Finish both files."""
        self._rows.close()
        self._samples.close()


def _sample_values(
    row: Row, split: str, sample: Sample, messages: Sequence[Message], *, rejected: bool
) -> dict[str, Any]:
    return {
        "row_id": row.id,
        "split": split,
        "input_ids": sample.input_ids,
        "starts": [start for start, _ in sample.spans],
        "ends": [end for _, end in sample.spans],
        "turns": sample.turns,
        "span_weights": [float(messages[turn].get("weight", 1.0)) for turn in sample.turns],
        "weight": row.weight,
        "rejected": rejected,
        "labels": list(row.labels) if row.classified else None,
        "desirable": row.desirable,
    }


def load_rows(folder: Path, split: str) -> list[Row]:
    """The conversations and texts of one split, in the order of the sources."""
    table = pq.read_table(folder / ROWS, filters=[("split", "=", split)])
    return [_row(values) for values in table.to_pylist()]


def _row(values: dict[str, Any]) -> Row:
    return Row(
        id=values["row_id"],
        file=values["file"],
        line=values["line"],
        messages=tuple(json.loads(values["messages"])) if values["messages"] else (),
        text=values["text"] or "",
        tools=tuple(json.loads(values["tools"])) if values["tools"] else (),
        thinking=values["thinking"],
        labels=tuple(values["labels"] or ()),
        no_label=values["labels"] == [],
        rejected=tuple(json.loads(values["rejected"])) if values["rejected"] else (),
        preferred_from=values["preferred_from"],
        desirable=values["desirable"],
        weight=values["weight"],
        metadata=json.loads(values["metadata"]) if values["metadata"] else {},
        parent=values["parent"] or "",
    )


def load_samples(folder: Path, split: str, row_id: str | None = None) -> list[TrainingSample]:
    """The token sequences of one split, or of one of its rows, in the order of the sources."""
    only = [("row_id", "=", row_id)] if row_id is not None else []
    table = pq.read_table(folder / SAMPLES, filters=[("split", "=", split), *only])
    result = []
    for values in table.to_pylist():
        spans = list(zip(values["starts"], values["ends"], strict=True))
        result.append(
            TrainingSample(
                values["row_id"],
                values["input_ids"],
                spans,
                text=not values["turns"],
                turns=values["turns"],
                span_weights=values["span_weights"],
                weight=values["weight"],
                rejected=values["rejected"],
                labels=tuple(values["labels"] or ()),
                no_label=values["labels"] == [],
                desirable=values["desirable"],
            )
        )
    del table
    pa.default_memory_pool().release_unused()  # what reading took is training's now
    return result


def read_summary(folder: Path) -> dict[str, Any]:
    """The ledger's sums."""
    summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return summary


def read_repeated(folder: Path, split: str) -> frozenset[str]:
    """Ids of the rows of a held-out split that training rows repeat."""
    try:
        found = json.loads((folder / REPEATED).read_text(encoding="utf-8"))
    except FileNotFoundError:  # a dataset of before this was written down
        return frozenset()
    return frozenset(found.get(split, ()))


def check_dataset_rendering(folder: Path, rendering_hash: str) -> None:
    """Refuse a dataset that was rendered in another way than the model at hand renders.

    Raises:
        UserError: the hashes differ.
    """
    stored = json.loads((folder / RENDERING).read_text(encoding="utf-8"))["hash"]
    if stored != rendering_hash:
        raise UserError(
            f"was rendered with hash {stored[:12]}, but this model renders with {rendering_hash[:12]}",
            where=str(folder),
            fix="the model's files or the libraries have changed since: remove that folder and run 'danlu data' again",
        )
