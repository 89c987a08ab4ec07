"""From a model and held-out rows to scores on disk, and from two of those to a comparison. Imports torch late."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from danlu.evaluation.intervals import Comparison, Resampling, Score, compare_rows, in_order, score
from danlu.evaluation.metric import Metric
from danlu.evaluation.metrics import build_metrics
from danlu.evaluation.rows import AnsweredRow, EvaluationRow, detect_language
from danlu.recipe.errors import UserError
from danlu.recipe.evaluate import EvaluateSection
from danlu.runs.durable import write_json

if TYPE_CHECKING:
    import torch

    from danlu.evaluation.answering import Progress
    from danlu.models.chat import ChatRenderer

ROWS, SCORES = "rows.parquet", "scores.json"
METRIC_COLUMN = "metric."
REPEATED = "repeated"

_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("reference", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("nll", pa.float64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("reasoning", pa.string()),
    ]
)


@dataclass(frozen=True)
class Evaluation:
    """A model's evaluation as it lies on disk.

    Attributes:
        rows: answered rows by id.
        row_values: metric name -> its value on each of `rows` by itself.
        scores: one per metric.
        confidence: of their intervals.
        repeated: ids of the rows that stand in the training rows: scores on them are too good.
        clean_scores: scores on the other rows alone; [] where no row is repeated, or every one is.
    """

    rows: list[AnsweredRow]
    row_values: dict[str, list[float]]
    scores: list[Score]
    confidence: float
    repeated: frozenset[str] = frozenset()
    clean_scores: list[Score] = field(default_factory=list)

    @property
    def clean_rows(self) -> list[AnsweredRow]:
        """The rows that training does not repeat."""
        return [row for row in self.rows if row.row_id not in self.repeated]


def evaluate_model(
    model: torch.nn.Module,
    renderer: ChatRenderer,
    rows: Sequence[EvaluationRow],
    config: EvaluateSection,
    progress: Progress | None = None,
) -> list[AnsweredRow]:
    """Score and answer held-out rows (at most `config.max_rows`, first by row id).

    Args:
        progress: called with (done, total); each row counts twice, once for its likelihood and once for its answer.

    Raises:
        UserError: no rows, or a row that cannot be rendered.
    """
    from danlu.evaluation import answering
    from danlu.inference.engines.transformers_engine import TransformersEngine
    from danlu.models.completion import parse_answer
    from danlu.models.device import evaluating

    chosen = sorted(rows, key=lambda row: row.row_id)[: config.max_rows]
    if not chosen:
        raise UserError("there are no rows to evaluate", where="evaluate.split", fix="give the split a larger share")
    total = 2 * len(chosen)

    def scored(done: int, of: int) -> None:
        if progress:
            progress(done * len(chosen) // of, total)

    def answered(done: int, of: int) -> None:
        if progress:
            progress(of + done, total)

    with evaluating(model):  # the engine leaves a model in evaluation mode, a trainer wants it back as it was
        engine = TransformersEngine(model, renderer, max_batch=config.batch_rows)
        device = next(model.parameters()).device
        losses = answering.score_rows(model, renderer, chosen, device, progress=scored)
        completions = answering.answer_rows(engine, chosen, config.max_new_tokens, progress=answered)
    result = []
    for row, loss, completion in zip(chosen, losses, completions, strict=True):
        messages, turn = answering.last_turn(row)
        asked = [message["content"] for message in messages[:turn] if message["role"] == "user"]
        question = asked[-1] if asked else ""
        reference = answering.spoken(messages[turn]["content"], messages[turn].get("tool_calls", []))
        said = parse_answer(completion.text)
        result.append(
            AnsweredRow(
                row_id=row.row_id,
                question=question,
                reference=reference,
                answer=answering.spoken(said.content, said.tool_calls),
                language=detect_language(reference, question),
                nll=loss.nll,
                tokens=loss.tokens,
                finish_reason=str(completion.finish_reason),
                reasoning=said.reasoning,
            )
        )
    return result


def write_evaluation(
    folder: Path,
    answered: Sequence[AnsweredRow],
    metrics: Sequence[Metric],
    config: EvaluateSection,
    seed: int,
    repeated: Collection[str] = (),
) -> Evaluation:
    """Score answered rows and write rows.parquet (with each metric's value per row) and scores.json.

    Args:
        folder: where to.
        answered: what the model made of the rows.
        metrics: of the recipe.
        config: of the intervals.
        seed: of the bootstrap.
        repeated: ids of rows that training rows repeat; what is left is scored by itself as well.

    Raises:
        UserError: no rows, an id twice, or a row that a metric cannot measure.
    """
    rows = in_order(answered)
    resampling = resampling_of(config, seed)
    scores = [score(metric, rows, resampling) for metric in metrics]
    values = {metric.name: metric.per_row(metric.statistics(rows)).tolist() for metric in metrics}
    known = frozenset(row.row_id for row in rows) & frozenset(repeated)
    clean = [row for row in rows if row.row_id not in known]
    clean_scores = [score(metric, clean, resampling) for metric in metrics] if known and clean else []
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in _SCHEMA.names}
    schema = _SCHEMA
    for name, column in values.items():
        columns[METRIC_COLUMN + name] = column
        schema = schema.append(pa.field(METRIC_COLUMN + name, pa.float64()))
    columns[REPEATED] = [row.row_id in known for row in rows]
    schema = schema.append(pa.field(REPEATED, pa.bool_(), nullable=False))
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=schema), folder / ROWS, compression="zstd")
    body = {
        "rows": len(rows),
        "confidence": resampling.confidence,
        "resamples": resampling.resamples,
        "seed": seed,
        "scores": [asdict(entry) for entry in scores],
        "repeated_rows": len(known),
        "clean_scores": [asdict(entry) for entry in clean_scores],
    }
    write_json(folder / SCORES, body)
    return Evaluation(rows, values, scores, resampling.confidence, known, clean_scores)


def read_evaluation(folder: Path) -> Evaluation:
    """What `write_evaluation` wrote.

    Raises:
        UserError: a file is missing, or not one of danlu.
    """
    try:
        body = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        table = pq.read_table(folder / ROWS)
        columns = table.to_pydict()
        rows = [AnsweredRow(*fields) for fields in zip(*(columns[name] for name in _SCHEMA.names), strict=True)]
        values = {name.removeprefix(METRIC_COLUMN): columns[name] for name in columns if name.startswith(METRIC_COLUMN)}
        scores = [Score(**entry) for entry in body["scores"]]
        ids = zip(columns["row_id"], columns[REPEATED], strict=True)
        known = frozenset(row_id for row_id, repeated in ids if repeated)
        clean_scores = [Score(**entry) for entry in body["clean_scores"]]
        return Evaluation(rows, values, scores, float(body["confidence"]), known, clean_scores)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise UserError(
            f"is not an evaluation of danlu: {error}", where=str(folder), fix="evaluate the model again: danlu evaluate"
        ) from error


def compare(folder_base: Path, folder_tuned: Path, config: EvaluateSection, seed: int) -> list[Comparison]:
    """Two evaluations on disk, metric by metric of the recipe, paired by row.

    Raises:
        UserError: an evaluation cannot be read, or the two are not of the same rows.
    """
    base, tuned = read_evaluation(folder_base).rows, read_evaluation(folder_tuned).rows
    resampling = resampling_of(config, seed)
    return [compare_rows(metric, base, tuned, resampling) for metric in build_metrics(config.metrics)]


@dataclass(frozen=True)
class CleanRows:
    """What an evaluation says without the rows that training rows repeat.

    Attributes:
        repeated: how many of the evaluated rows are repeated.
        rows: how many were evaluated in all.
        scores: of the tuned model on the others; [] where every row is repeated.
        comparisons: base against tuned on the others; [] where nothing is compared.
    """

    repeated: int
    rows: int
    scores: Sequence[Score]
    comparisons: Sequence[Comparison] = ()


def compare_clean(folder_base: Path | None, folder_tuned: Path, config: EvaluateSection, seed: int) -> CleanRows | None:
    """The tuned model (and its base) on the rows that training does not repeat; None where it repeats none.

    Raises:
        UserError: an evaluation cannot be read, or the two are not of the same rows.
    """
    tuned = read_evaluation(folder_tuned)
    if not tuned.repeated:
        return None
    found: list[Comparison] = []
    if folder_base is not None and tuned.clean_rows:
        base = [row for row in read_evaluation(folder_base).rows if row.row_id not in tuned.repeated]
        resampling = resampling_of(config, seed)
        metrics = build_metrics(config.metrics)
        found = [compare_rows(metric, base, tuned.clean_rows, resampling) for metric in metrics]
    return CleanRows(len(tuned.repeated), len(tuned.rows), tuned.clean_scores, found)


def resampling_of(config: EvaluateSection, seed: int) -> Resampling:
    """The bootstrap settings of a recipe section."""
    return Resampling(confidence=config.confidence, resamples=config.resamples, seed=seed)


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain data for JSON."""
    return asdict(comparison)


def comparison_from_json(data: Mapping[str, Any]) -> Comparison:
    """A comparison from `comparison_to_json`.

    Raises:
        UserError: fields are missing or unknown.
    """
    try:
        scores = {role: Score(**data[role]) for role in ("base", "tuned")}
        return Comparison(**{**data, **scores})
    except (KeyError, TypeError) as error:
        raise UserError(f"is not a comparison of danlu: {error}", fix="compare the models again") from error
