"""The text that stands for a row when rows are compared, without the instruction that thousands of rows share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import orjson
import xxhash

from danlu.data.operators import Corpus
from danlu.data.row import Row
from danlu.data.similarity.arrays import U64
from danlu.data.similarity.folding import PAD, fold_batch
from danlu.data.similarity.templates import Templates, templates_in
from danlu.models.messages import Message

# One private-use character in front of each turn: roles count, and add next to nothing to the similarity of short rows.
_MARKS = {"user": "\ue001", "assistant": "\ue002", "tool": "\ue003"}
_REJECTED = "\ue004"

_SAMPLE = 10_000  # rows that templates are looked for in
_AT_ONCE = 4096  # rows looked up at a time


NO_TEMPLATES = Templates()


def row_text(row: Row, templates: Templates = NO_TEMPLATES) -> str:
    """What a row says: a text row's text, or the turns of a conversation, each behind a mark of its role.

    System prompts and tool descriptions are left out: rows share them without being alike. So is what `templates` says
    that first questions share, unless the question is nothing else.
    """
    if not row.messages:
        return row.text
    turns = [message for message in row.messages if message["role"] != "system"]
    parts = [_MARKS[turn["role"]] + _said(turn) for turn in turns]
    if templates and turns and turns[0]["role"] == "user":
        first = templates.strip(turns[0]["content"])
        if first.strip():
            parts[0] = _MARKS["user"] + first
    parts += [_REJECTED + _said(turn) for turn in row.rejected]
    return "".join(parts)


def answer_text(row: Row) -> str:
    """What a row answers, tool calls included and thinking left out; empty for a text row."""
    turns = [{**turn, "reasoning_content": ""} for turn in row.messages if turn["role"] == "assistant"]
    return "\n".join(_said(turn) for turn in turns)


def question_text(row: Row, templates: Templates = NO_TEMPLATES) -> str:
    """What a row asks, system prompts left out and the first question without `templates`; the text of a text row."""
    if not row.messages:
        return row.text
    asked = [turn["content"] for turn in row.messages if turn["role"] in ("user", "tool")]
    if asked and templates:
        asked[0] = templates.strip(asked[0]) or asked[0]
    return "\n".join(asked)


def _said(turn: Message) -> str:
    calls = turn.get("tool_calls")
    called = orjson.dumps(calls, option=orjson.OPT_SORT_KEYS).decode() if calls else ""
    return turn.get("reasoning_content", "") + turn["content"] + called


def keys(texts: Sequence[str]) -> U64:
    """A 64-bit hash of the folded form of each text."""
    codes, sizes = fold_batch(texts)
    ends = (np.cumsum(sizes + PAD) - PAD).tolist()
    view = memoryview(codes.astype("<u4").tobytes())
    digests = (
        xxhash.xxh3_64_intdigest(view[4 * (end - size) : 4 * end])
        for end, size in zip(ends, sizes.tolist(), strict=True)
    )
    return np.fromiter(digests, np.uint64, len(texts))


def label_keys(rows: Sequence[Row]) -> U64:
    """A 64-bit hash of the labels of each row, whatever their order; of none too."""
    digests = (xxhash.xxh3_64_intdigest(orjson.dumps(sorted(row.labels))) for row in rows)
    return np.fromiter(digests, np.uint64, len(rows))


def find_templates(corpus: Corpus) -> Templates:
    """The templates of the first questions, looked for in up to 10,000 rows spread evenly; text rows have none."""
    step = -(-len(corpus) // _SAMPLE) or 1
    sample = texts_of(corpus, range(0, len(corpus), step), _first_question)
    return templates_in([text for text in sample if text])


def _first_question(row: Row) -> str:
    turns = [turn for turn in row.messages if turn["role"] != "system"]
    return turns[0]["content"] if turns and turns[0]["role"] == "user" else ""


def texts_of(corpus: Corpus, indices: Sequence[int], text: Callable[[Row], str]) -> list[str]:
    """A text of each of these rows, which are read some thousands at a time."""
    result: list[str] = []
    for start in range(0, len(indices), _AT_ONCE):
        result.extend(text(row) for row in corpus.rows(list(indices[start : start + _AT_ONCE])))
    return result
