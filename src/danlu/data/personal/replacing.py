"""Spans of a text and what stands in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from danlu.data.personal.spans import Span


def replaced(text: str, pieces: Sequence[tuple[Span, str | None]]) -> tuple[str, list[tuple[int, int]]]:
    """The text with its spans replaced (None: left), and where the replacements and the left ones stand in it."""
    parts: list[str] = []
    own: list[tuple[int, int]] = []
    at = size = 0
    for span, new in pieces:
        value = text[span.start : span.end] if new is None else new
        parts += (text[at : span.start], value)
        size += span.start - at
        own.append((size, size + len(value)))
        size += len(value)
        at = span.end
    return "".join((*parts, text[at:])), own


def merged(spans: Sequence[Span], more: Sequence[Span]) -> list[Span]:
    """Both, and one span where they overlap; the kind is that of the longer one."""
    done: list[Span] = []
    for span in sorted((*spans, *more), key=lambda span: (span.start, -span.end)):
        if done and span.start < done[-1].end:
            last = done[-1]
            longer = max((last, span), key=lambda one: one.end - one.start)
            done[-1] = replace(longer, start=last.start, end=max(last.end, span.end))
        else:
            done.append(span)
    return done


def origin(span: Span, own: Sequence[tuple[int, int]], spans: Sequence[Span]) -> Span:
    """A span of the output in the text before: where it reaches into a replacement, all of what was replaced."""
    start, end = span.start, span.end
    shift_start = shift_end = 0
    for (low, high), old in zip(own, spans, strict=True):
        if high <= span.start:
            shift_start = old.end - high
        elif low <= span.start:
            start, shift_start = old.start, 0
        if high <= span.end:
            shift_end = old.end - high
        elif low < span.end:
            end, shift_end = old.end, 0
    return replace(span, start=start + shift_start, end=end + shift_end)
