"""Children of training rows: which rows get some, what augmenters make, what the guard refuses; all of it booked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash

from danlu.data.augmenters import AUGMENTERS
from danlu.data.balance import Levelling
from danlu.data.drafts import Augmenter, Draft, Task, Write, kept_words, question_of, with_question
from danlu.data.guard import changes, comparison_key
from danlu.data.languages import script_language
from danlu.data.operators import Corpus
from danlu.data.own_words import about_own_words
from danlu.data.row import Row
from danlu.recipe.augmentation import AnyAugmenter, AugmentSection
from danlu.recipe.errors import InternalFault, UserError

__all__ = ["Attempt", "Augmentation", "Rejected", "Write", "augment"]

# Rows whose children are made together: a writer gets the prompts of so many at once.
CHUNK = 256

UNASKED = "has no question to reword"
OWN_WORDS = "the task is about its own words"
TAKEN = "asks the same as another row"
HELD_OUT = "is near a held-out row"
LEVEL = "came when the labels were level already"

Progress = Callable[[int, int], None]
HeldOutHit = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An attempt that gave no child: whose, by which step, and why. The reason never quotes text."""

    parent_id: str
    child_id: str
    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One child to be tried.

    Attributes:
        step: index of the augmentation step.
        kind: its type, as in the child's id.
        number: 1 for a row's first child of this type; several steps of one type count on.
        share: of the rows, that this step takes.
    """

    step: int
    kind: str
    number: int
    share: float


class Augmentation:
    """The stream of children and refusals, and when it has ended, the report. Iterated once."""

    def __init__(
        self,
        rows: Corpus,
        config: AugmentSection,
        augmenters: Sequence[Augmenter],
        seed: int,
        progress: Progress,
        held_out_hit: HeldOutHit | None = None,
    ) -> None:
        self._rows, self._config, self._augmenters = rows, config, augmenters
        self._seed, self._progress = seed & 0xFFFFFFFFFFFFFFFF, progress
        self._held_out_hit = held_out_hit or (lambda _: False)
        self._attempts = attempts_of(config.steps)
        self._steps: list[dict[str, Any]] = [
            {"step": step.type, "tried": 0, "made": 0, "rejected": {}} for step in config.steps
        ]
        self._taken: set[int] = set()
        self._known = np.zeros(0, np.uint64)
        self._levelling = Levelling()

    def __iter__(self) -> Iterator[Row | Rejected]:
        if not self._attempts or not len(self._rows):
            return
        self._survey()
        yield from self._balanced() if self._config.balance == "label" else self._everywhere()

    @property
    def report(self) -> dict[str, Any]:
        """Per step what was tried, made and rejected (by reason); rows per label before and after; how level."""
        return {
            "tried": sum(step["tried"] for step in self._steps),
            "made": sum(step["made"] for step in self._steps),
            "steps": [{**step, "rejected": dict(sorted(step["rejected"].items()))} for step in self._steps],
            **self._levelling.report(self._config.balance == "label"),
        }

    def _survey(self) -> None:
        """What all rows ask, as 64-bit keys, and how many rows each label has."""
        keys: list[np.ndarray] = []
        for batch in self._rows.batches():
            keys.append(np.array([comparison_key(row.question()) for row in batch], np.uint64))
            for row in batch:
                self._levelling.count(row.labels)
        self._known = np.unique(np.concatenate(keys))
        if self._config.balance == "label" and not self._levelling.counts:
            raise UserError(
                "there is no training row with a label to balance",
                where="data.augment.balance",
                fix="set balance: none, or name the label field of the source",
            )

    def _everywhere(self) -> Iterator[Row | Rejected]:
        done = 0
        for chunk in _chunks(self._rows.batches()):
            keys = [self._row_key(row) for row in chunk]
            wanted = [
                (index, attempt)
                for index, key in enumerate(keys)
                for attempt in self._attempts
                if _fraction(key, attempt) < attempt.share
            ]
            yield from self._try(chunk, keys, wanted)
            done += len(chunk)
            self._progress(done, len(self._rows))

    def _balanced(self) -> Iterator[Row | Rejected]:
        """Waves of attempts on rows of rare labels, in the order of a hash, until all labels are level."""
        keys = np.fromiter((self._row_key(row) for batch in self._rows.batches() for row in batch), np.uint64)
        labels = [row.labels for batch in self._rows.batches() for row in batch]
        total = sum(self._levelling.missing.values())
        # A row's second child comes after every row's first.
        for attempt in sorted(self._attempts, key=lambda each: (each.number, each.step)):
            queue = [
                index
                for index in np.argsort(_spread(keys, attempt), kind="stable").tolist()
                if self._levelling.wants(labels[index]) and _fraction(int(keys[index]), attempt) < attempt.share
            ]
            while queue:
                wave, queue = self._levelling.wave(queue, labels, self._acceptance(attempt))
                if not wave:
                    break
                for start in range(0, len(wave), CHUNK):
                    part = wave[start : start + CHUNK]
                    rows = self._rows.rows(part)
                    wanted = [(index, attempt) for index in range(len(part))]
                    yield from self._try(rows, [int(keys[index]) for index in part], wanted)
                self._progress(total - sum(self._levelling.missing.values()), total)
        self._progress(total, total)

    def _acceptance(self, attempt: Attempt) -> float:
        """Share of this step's attempts that gave a child so far; 1 before the first."""
        step = self._steps[attempt.step]
        return step["made"] / step["tried"] if step["made"] else 1.0

    def _try(
        self, rows: Sequence[Row], keys: Sequence[int], wanted: Sequence[tuple[int, Attempt]]
    ) -> Iterator[Row | Rejected]:
        """Children of these rows, in the order of `wanted`; each step drafts all of its own at once."""
        drafts: list[Draft] = [Draft(reason=UNASKED)] * len(wanted)
        for number, augmenter in enumerate(self._augmenters):
            mine = [place for place, (_, attempt) in enumerate(wanted) if attempt.step == number]
            ready: list[tuple[int, Task]] = []
            for place in mine:
                index, attempt = wanted[place]
                reason = _unfit(rows[index])
                if reason:
                    drafts[place] = Draft(reason=reason)
                else:
                    ready.append((place, _task(rows[index], keys[index], attempt)))
            made = augmenter.drafts([task for _, task in ready]) if ready else []
            if len(made) != len(ready):
                raise InternalFault(f"{len(made)} drafts for {len(ready)} tasks", where=self._steps[number]["step"])
            for (place, _), draft in zip(ready, made, strict=True):
                drafts[place] = draft
        for (index, attempt), draft in zip(wanted, drafts, strict=True):
            yield self._judged(rows[index], attempt, draft)

    def _judged(self, parent: Row, attempt: Attempt, draft: Draft) -> Row | Rejected:
        child_id = f"{parent.id}~{attempt.kind}.{attempt.number}"
        child = with_question(parent, draft.text, child_id, attempt.kind)
        reason = draft.reason or self._refusal(parent, child)
        step = self._steps[attempt.step]
        step["tried"] += 1
        if reason:
            step["rejected"][reason] = step["rejected"].get(reason, 0) + 1
            return Rejected(parent.id, child_id, attempt.kind, reason)
        step["made"] += 1
        self._taken.add(comparison_key(child.question()))
        self._levelling.add(child.labels)
        return child

    def _refusal(self, parent: Row, child: Row) -> str | None:
        reason = changes(parent, child, self._config.max_similarity)
        if reason:
            return reason
        key = comparison_key(child.question())
        if key in self._taken or self._is_known(key):
            return TAKEN
        if self._held_out_hit(child.question()):
            return HELD_OUT
        if self._config.balance == "label" and not self._levelling.wants(child.labels):
            return LEVEL
        return None

    def _is_known(self, key: int) -> bool:
        at = int(np.searchsorted(self._known, np.uint64(key)))
        return at < len(self._known) and int(self._known[at]) == key

    def _row_key(self, row: Row) -> int:
        return xxhash.xxh3_64_intdigest(row.content(), seed=self._seed)


def augment(
    rows: Corpus,
    config: AugmentSection,
    writers: Mapping[int, Write],
    seed: int,
    progress: Progress,
    held_out_hit: HeldOutHit | None = None,
) -> Augmentation:
    """Children of training rows, one by one, and a Rejected for every attempt that gave none; then `.report`.

    A row's attempts are a pure function of (seed, the row's content); whether a child asks what another row asks is the
    only thing that depends on others, and with `balance: label`, of course, which rows are chosen.

    Args:
        rows: the training rows, and no others.
        config: the recipe's augment section.
        writers: index of a step -> what writes for it, for the steps that need a model.
        seed: of all choices.
        progress: called with (rows done, rows in all); with `balance: label`, (children made, children needed).
        held_out_hit: whether a text is near a held-out row; such children are refused.

    Raises:
        UserError: a writer fails; there is no label to balance.
        InternalFault: a step that needs a writer has none.
    """
    augmenters: list[Augmenter] = []
    for index, step in enumerate(config.steps):
        needs = hasattr(step, "writer")
        if needs and index not in writers:
            raise InternalFault(f"no writer was given for data.augment.steps[{index}] ({step.type})")
        augmenters.append(AUGMENTERS.load(step.type)(step, writers.get(index)))
    return Augmentation(rows, config, augmenters, seed, progress, held_out_hit)


def attempts_of(steps: Sequence[AnyAugmenter]) -> list[Attempt]:
    """The attempts on a row, in order; several steps of one type count on, so that no two children share an id."""
    counts: dict[str, int] = {}
    attempts: list[Attempt] = []
    for index, step in enumerate(steps):
        for _ in range(step.children):
            counts[step.type] = counts.get(step.type, 0) + 1
            attempts.append(Attempt(index, step.type, counts[step.type], step.share))
    return attempts


def _unfit(row: Row) -> str:
    """Why a row gets no children at all; empty where it may."""
    if not question_of(row).strip():
        return UNASKED
    return OWN_WORDS if about_own_words(row) else ""


def _task(row: Row, key: int, attempt: Attempt) -> Task:
    text = question_of(row)
    return Task(
        text=text,
        language=script_language(text),
        number=attempt.number,
        seed=xxhash.xxh3_64_intdigest(f"{attempt.kind}.{attempt.number}".encode(), seed=key),
        kept=kept_words(row),
    )


def _fraction(key: int, attempt: Attempt) -> float:
    """In [0, 1): where a row stands for a step; the same for all of the step's children."""
    return xxhash.xxh3_64_intdigest(f"share.{attempt.kind}.{attempt.step}".encode(), seed=key) / 2**64


def _spread(keys: np.ndarray, attempt: Attempt) -> np.ndarray:
    """A pseudo-random rank for each row, another one for each attempt."""
    salt = f"order.{attempt.kind}.{attempt.number}".encode()
    return np.fromiter((xxhash.xxh3_64_intdigest(salt, seed=int(key)) for key in keys), np.uint64, len(keys))


def _chunks(batches: Iterator[Sequence[Row]]) -> Iterator[list[Row]]:
    """The same rows, CHUNK at a time, whatever the batches are."""
    held: list[Row] = []
    for batch in batches:
        for row in batch:
            held.append(row)
            if len(held) == CHUNK:
                yield held
                held = []
    if held:
        yield held
