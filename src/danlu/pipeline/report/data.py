"""What a report is made from; plain data, so that it can be rendered again from what lies on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from danlu.evaluation.evaluate import CleanRows
from danlu.evaluation.intervals import Comparison, Score


@dataclass(frozen=True)
class ReportData:
    """Everything shown; each part may be empty, and its section then says so or is left out.

    Attributes:
        title: name of the run's recipe.
        created: when, ISO 8601.
        recipe_yaml: the recipe as it was run.
        stages: (name, 'made' or 'reused', seconds, key) in order.
        ledger: the sums of the data room's ledger: read, fates, steps, splits, tokens.
        history: one dict per step: step, loss, learning_rate, grad_norm, tokens_per_second, sometimes validation_loss.
        training: facts of the training: tokens, parameters, trained_parameters, memory (bytes).
        comparisons: base against tuned, per metric.
        scores: of the tuned model alone; those of `comparisons` need not be repeated.
        samples: dicts with question, reference, base (or None), tuned, language; text of strangers.
        export: mean_kl, top1, positions, size_bytes, path, or None if the run does not export.
        environment: name -> version or value.
        next_commands: what to type next.
        clean: scores and comparisons without the rows that training repeats; None where it repeats none.
        confidence: of the intervals in `comparisons` and `scores`.
        figures: of the objective on the test split, such as the accuracy of a classifier.
    """

    title: str
    created: str
    recipe_yaml: str = ""
    stages: Sequence[tuple[str, str, float, str]] = ()
    ledger: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    scores: Sequence[Score] = ()
    samples: Sequence[Mapping[str, Any]] = ()
    export: Mapping[str, Any] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    next_commands: Sequence[str] = ()
    clean: CleanRows | None = None
    confidence: float = 0.95
    figures: Mapping[str, float] = field(default_factory=dict)
