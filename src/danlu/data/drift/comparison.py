"""Training rows against a sample of production, dimension by dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from danlu.data.drift.facts import Column, Facts, Progress, aligned, facts_of, sampled_texts
from danlu.data.drift.measures import chi_squared, jensen_shannon, kolmogorov_smirnov, pooled_bins, psi
from danlu.data.drift.nulls import ALPHA, generator, holm, needed_permutations, with_nulls
from danlu.data.drift.report import ALIKE, DIFFERS, FEW, SHOWN_ROWS, TOO_FEW, Dimension, DriftReport, Measure
from danlu.data.drift.wording import CHARACTERS, separable, space_of, topics_of
from danlu.data.drift.words import sentence
from danlu.data.operators import Corpus
from danlu.recipe.data import ReferenceSection
from danlu.recipe.language import tr

# Rows a side whose texts are read for topic and wording.
SAMPLE = 10_000
# length, answer length, language, label, slice, topic, wording
_DIMENSIONS = 7
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class _Chance:
    permutations: int
    seed: int


def compare(
    train: Corpus, reference: Corpus, config: ReferenceSection, seed: int, progress: Progress = lambda done, total: None
) -> DriftReport:
    """How the training rows differ from the reference, each difference beside what chance would give.

    Each dimension is decided by one test with a permutation null: Kolmogorov-Smirnov for lengths, chi-squared for
    language, label, slice and topic, a classifier for wording; Holm's correction over them keeps the chance that any
    dimension of two equal populations is said to differ at 5 %. PSI and Jensen-Shannon are given with their own nulls.
    What is asked is compared (system prompts and answers are not), answers only in length.

    Args:
        train: the training rows.
        reference: the sample of production.
        config: the recipe's section; `permutations` are raised to the fewest that can decide anything (140).
        seed: of sampling, nulls and clusters.
        progress: called with (rows read, rows to read).

    Raises:
        UserError: scikit-learn is not installed.
    """
    total = len(train) + len(reference)
    ours = facts_of(train, config.slice, seed, lambda done: progress(done, total))
    theirs = facts_of(reference, config.slice, seed, lambda done: progress(len(train) + done, total))
    chance = _Chance(max(config.permutations, needed_permutations(_DIMENSIONS)), seed)
    dimensions = [_numeric("length", ours.lengths, theirs.lengths, chance)]
    if (ours.answers >= 0).any() and (theirs.answers >= 0).any():
        answers = [facts.answers[facts.answers >= 0] for facts in (ours, theirs)]
        dimensions.append(_numeric("answer length", answers[0], answers[1], chance))
    for name, least in (("language", 1), ("label", 1), ("slice", SHOWN_ROWS)):
        columns = ours.columns[name], theirs.columns[name]
        if name == "language" or any(len(column.names) for column in columns):
            dimensions.append(_categorical(name, columns, least, chance))
    texts, sampled = _textual((train, reference), (ours, theirs), chance)
    decided = _decided([*dimensions, *texts])
    return DriftReport(
        len(train), len(reference), decided, chance.permutations, sampled, _in_words(decided, sampled, total)
    )


def _numeric(name: str, train: np.ndarray, reference: np.ndarray, chance: _Chance) -> Dimension:
    """A number of each row, by its distinct values."""
    if min(len(train), len(reference)) < FEW:
        return Dimension(name, len(train), len(reference))
    values, index = np.unique(np.concatenate([train, reference]), return_inverse=True)
    counts = tuple(np.bincount(part, minlength=len(values)) for part in (index[: len(train)], index[len(train) :]))
    edges = pooled_bins(values, counts[0] + counts[1])
    firsts = np.concatenate([[0], np.searchsorted(values, edges[:-1], side="right")])

    def binned(counted: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(counted, firsts, axis=-1))

    measures = with_nulls(
        {
            "kolmogorov_smirnov": kolmogorov_smirnov,
            "psi": lambda a, b: psi(binned(a), binned(b)),
            "jensen_shannon": lambda a, b: jensen_shannon(binned(a), binned(b)),
        },
        (counts[0], counts[1]),
        chance.permutations,
        generator(chance.seed, name),
    )
    bins = [
        {"to": int(edge), "train": float(a), "reference": float(b)}
        for edge, a, b in zip(edges, *(binned(count) / count.sum() for count in counts), strict=True)
    ]
    details = {"train": _spread(train), "reference": _spread(reference), "bins": bins}
    return _measured(Dimension(name, len(train), len(reference), details=details), measures, chance)


def _spread(values: np.ndarray) -> dict[str, float]:
    quantiles = np.quantile(values, _QUANTILES).tolist()
    names = [f"p{round(q * 100)}" for q in _QUANTILES]
    return {**dict(zip(names, quantiles, strict=True)), "median": quantiles[2], "mean": float(values.mean())}


def _categorical(name: str, columns: tuple[Column, Column], least: int, chance: _Chance) -> Dimension:
    names, train, reference = aligned(*columns, least)
    rows = int(train.sum()), int(reference.sum())
    if min(rows) < FEW:
        return Dimension(name, *rows)
    measures = with_nulls(
        {"chi_squared": chi_squared, "psi": psi, "jensen_shannon": jensen_shannon},
        (train, reference),
        chance.permutations,
        generator(chance.seed, name),
    )
    values = [
        {"value": value, "train": a / rows[0], "reference": b / rows[1], "train_rows": a, "reference_rows": b}
        for value, a, b in zip(names, train.tolist(), reference.tolist(), strict=True)
    ]
    return _measured(Dimension(name, *rows, details={"values": values}), measures, chance)


def _textual(
    corpora: tuple[Corpus, Corpus], facts: tuple[Facts, Facts], chance: _Chance
) -> tuple[list[Dimension], tuple[int, int]]:
    """Topic and wording, over a sample of both sides."""
    rows = min(SAMPLE, len(corpora[0])), min(SAMPLE, len(corpora[1]))
    nothing = [Dimension("topic", *rows), Dimension("wording", *rows)]
    if min(rows) < FEW:
        return nothing, rows
    keys, texts = [], []
    for corpus, fact in zip(corpora, facts, strict=True):
        key, text = sampled_texts(corpus, fact.keys, SAMPLE, CHARACTERS)
        keys.append(key)
        texts += text
    train = np.arange(len(texts)) < rows[0]
    space = space_of(texts, train, np.concatenate(keys), chance.seed)
    labels, names = topics_of(space, chance.seed)
    topic = _categorical("topic", (Column(names, labels[train]), Column(names, labels[~train])), 1, chance)
    found = separable(space, chance.permutations, chance.seed)
    if found is None:
        return [topic, nothing[1]], rows
    measure, details = found
    return [topic, _measured(Dimension("wording", *rows, details=details), [measure], chance)], rows


def _measured(dimension: Dimension, measures: list[Measure], chance: _Chance) -> Dimension:
    details: Mapping[str, Any] = {**dimension.details, "permutations": chance.permutations}
    return replace(dimension, measures=tuple(measures), details=details, verdict=ALIKE)


def _decided(dimensions: list[Dimension]) -> tuple[Dimension, ...]:
    """Verdicts after correction over the dimensions that could be tested, and their sentences."""
    tested = [dimension for dimension in dimensions if dimension.verdict != TOO_FEW]
    adjusted = iter(holm([dimension.measures[0].p for dimension in tested]))
    result = []
    for dimension in dimensions:
        if dimension.verdict != TOO_FEW:
            p = next(adjusted)
            dimension = replace(dimension, p_adjusted=p, verdict=DIFFERS if p <= ALPHA else ALIKE)
        result.append(replace(dimension, sentence=sentence(dimension)))
    return tuple(result)


def _in_words(dimensions: tuple[Dimension, ...], sampled: tuple[int, int], total: int) -> tuple[str, ...]:
    """What differs first, then the rest, then what was only sampled."""
    order = sorted(dimensions, key=lambda d: (DIFFERS, ALIKE, TOO_FEW).index(d.verdict))
    sentences = [dimension.sentence for dimension in order]
    if sum(sampled) < total:
        sentences.append(
            tr(
                f"Topic and wording were compared on {sampled[0]} training and {sampled[1]} reference rows, chosen by "
                "a hash of their content.",
                f"话题与用词仅比较了抽样：训练 {sampled[0]} 行，参照 {sampled[1]} 行（按内容哈希选取）。",
            )
        )
    return tuple(sentences)
