"""The last pass: rows become token sequences, and the length limit is applied."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson

from danlu.data.formats import RowProblem, check_row
from danlu.data.languages import script_language
from danlu.data.role_tokens import ROLES, role_tokens
from danlu.data.row import Row
from danlu.data.shards import ShardFolder
from danlu.models.chat import ChatRenderer, RenderingProblem, Sample
from danlu.models.messages import MessageProblem

RENDER, TOKENS = "render", "max_tokens"
OnTooLong = Literal["fail", "drop", "truncate"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of a row: its samples, or the step that drops it and why.

    Attributes:
        samples: token sequences; empty for a dropped row.
        rejected: those of the answer that a preference row likes less.
        step: of the drop, or "".
        reason: of the drop, or "".
        cut: tokens that truncation took.
        language: by script.
        roles: tokens of each of ROLES in all samples.
    """

    samples: tuple[Sample, ...] = ()
    step: str = ""
    reason: str = ""
    cut: int = 0
    language: str = ""
    rejected: tuple[Sample, ...] = ()
    roles: tuple[int, ...] = (0,) * len(ROLES)

    @property
    def tokens(self) -> int:
        """Tokens of all samples."""
        return sum(len(sample.input_ids) for sample in self.samples)

    @property
    def learned(self) -> int:
        """Tokens that carry a loss."""
        return sum(sample.learned for sample in self.samples)


def render_row(row: Row, renderer: ChatRenderer, max_tokens: int, on_too_long: OnTooLong) -> Rendered:
    """A row as token sequences of at most `max_tokens`."""
    # Where a long row ends anyway, how long it would be is not worth the rendering of all its turns
    enough = None if on_too_long == "truncate" else max_tokens
    try:
        samples = _samples(check_row(row), renderer, enough)
        rejected = _rejected(row, renderer, enough)
    except (RenderingProblem, MessageProblem, RowProblem) as problem:
        return Rendered(step=RENDER, reason=str(problem))
    longest = max(len(sample.input_ids) for sample in (*samples, *rejected))
    cut = 0
    if longest > max_tokens:
        if on_too_long != "truncate":
            last = max((i for i, m in enumerate(row.messages) if m["role"] == "assistant"), default=None)
            stopped = last is not None and last not in samples[-1].turns
            said = f"at least {longest}" if stopped else str(longest)
            return Rendered(step=TOKENS, reason=f"longer than {max_tokens} tokens: {said}")
        wanted = bool(rejected)
        samples, cut = _truncated(samples, max_tokens)
        rejected, more = _truncated(rejected, max_tokens)
        cut += more
        if not samples or bool(rejected) != wanted:
            return Rendered(step=TOKENS, reason=f"no learned token within {max_tokens} tokens")
    language = script_language(row.question() or row.answer())
    whose = role_tokens(samples, renderer)
    return Rendered(tuple(samples), cut=cut, language=language, rejected=tuple(rejected), roles=whose)


def _samples(row: Row, renderer: ChatRenderer, enough: int | None) -> list[Sample]:
    if not row.messages:
        ids = [*renderer.encode_text(row.text), renderer.document_end_id]
        return [Sample(ids, [(1, len(ids))], [])]
    return renderer.samples(row.messages, thinking=row.thinking, tools=list(row.tools) or None, enough=enough)


def _rejected(row: Row, renderer: ChatRenderer, enough: int | None) -> list[Sample]:
    """The answer that is liked less in place of the other; the turns before both are not learned in it."""
    if not row.rejected:
        return []
    messages = (*row.messages[: row.preferred_from], *row.rejected)
    found = []
    for sample in renderer.samples(messages, thinking=row.thinking, tools=list(row.tools) or None, enough=enough):
        kept = [(span, t) for span, t in zip(sample.spans, sample.turns, strict=True) if t >= row.preferred_from]
        if kept:
            found.append(Sample(sample.input_ids, [span for span, _ in kept], [turn for _, turn in kept]))
    return found


def _truncated(samples: list[Sample], limit: int) -> tuple[list[Sample], int]:
    """Samples cut to `limit` tokens, those with nothing left to learn left out; and how many tokens went."""
    result = []
    for sample in samples:
        spans = [(start, min(end, limit)) for start, end in sample.spans if start < limit]
        if spans:
            turns = sample.turns[: len(spans)]
            result.append(replace(sample, input_ids=sample.input_ids[:limit], spans=spans, turns=turns))
    before = sum(len(sample.input_ids) for sample in samples)
    return result, before - sum(len(sample.input_ids) for sample in result)


@cache
def _loaded(folder: str) -> ChatRenderer:
    from danlu.models.loading import load_renderer

    return load_renderer(Path(folder))


_AT_HAND: dict[str, ChatRenderer] = {}


def keep_at_hand(folder: Path, renderer: ChatRenderer) -> None:
    """Spare this process the loading of a renderer that its caller has already."""
    _AT_HAND[str(folder)] = renderer


@dataclass(frozen=True)
class RenderPass:
    """The living rows of a shard -> a file of what became of each.

    Attributes:
        model: folder of the tokenizer and template.
        max_tokens: longest sequence.
        on_too_long: what becomes of longer ones.
        source: the shards.
        target: folder of the results.
    """

    model: Path
    max_tokens: int
    on_too_long: OnTooLong
    source: Path
    target: Path

    def __call__(self, item: tuple[int, np.ndarray]) -> int:
        """Render the shard with this index, if that was not done before; returns the number of rows."""
        index, living = item
        target = rendered_path(self.target, index)
        if not target.is_file():
            renderer = _AT_HAND.get(str(self.model)) or _loaded(str(self.model))
            rows = ShardFolder(self.source).rows(index)
            lines = [
                dump_rendered(render_row(row, renderer, self.max_tokens, self.on_too_long))
                for row, lives in zip(rows, living, strict=True)
                if lives
            ]
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_suffix(".part")
            temporary.write_bytes(b"".join(line + b"\n" for line in lines))
            os.replace(temporary, target)
        return int(living.sum())


def rendered_path(folder: Path, index: int) -> Path:
    """Where the results of a shard lie."""
    return folder / f"{index:06d}.rendered"


def dump_rendered(rendered: Rendered) -> bytes:
    """What became of a row as a line of JSON."""
    liked, rejected = (
        [[sample.input_ids, sample.spans, sample.turns] for sample in samples]
        for samples in (rendered.samples, rendered.rejected)
    )
    facts = [rendered.step, rendered.reason, rendered.cut, rendered.language, rendered.roles]
    return orjson.dumps([liked, rejected, *facts])


def load_rendered(folder: Path, index: int) -> Sequence[Rendered]:
    """What became of the living rows of a shard, in order."""
    return [_parse(orjson.loads(line)) for line in rendered_path(folder, index).read_bytes().splitlines()]


def _parse(values: list[Any]) -> Rendered:
    samples, rejected = (
        tuple(Sample(ids, [(a, b) for a, b in spans], turns) for ids, spans, turns in value) for value in values[:2]
    )
    step, reason, cut, language, roles = values[2:]
    return Rendered(samples, step, reason, cut, language, rejected, tuple(roles))
