"""What a child may not change: everything but the wording of its parent's last question."""

from __future__ import annotations

import re

import xxhash

from danlu.data.drafts import question_index, question_of, with_question
from danlu.data.languages import script_language
from danlu.data.named_values import fixed_values, names
from danlu.data.polarity import negations, reverses, times
from danlu.data.quantities import numbers
from danlu.data.row import Row
from danlu.data.similarity import fold, jaccard

# Reasons. None quotes a text; they are the keys of the report.
ANSWER = "changes more than the question"
EMPTY = "is empty"
SAME = "says the same as its parent, but for punctuation and case"
SHORT, LONG = "is much shorter than its parent", "is much longer than its parent"
LANGUAGE = "is in another language"
FIXED = "changes code, a formula, an address, a quotation or a tag"
NUMBERS = "changes a number"
NAMES = "changes a name"
LABEL = "drops a label that the question names"
TIMES = "changes when something is"
NEGATION = "changes a negation"
OPPOSITE = "turns a word into its opposite"
STATEMENT = "is no longer a question"
NEAR = "is a near-duplicate of its parent"

# A child may have so many times the parent's characters, give or take a few that hardly count in a short question.
_SHORTEST, _LONGEST, _SLACK = 0.4, 2.0, 12

_ASKS = re.compile(r"[?？]|[吗呢么][。！\s]*$")
_ASKING = re.compile(
    r"什么|怎[么样]|如何|为何|何时|哪|谁|多少|几|是否|[能可会]否|吗|呢|请|告诉|介绍|说明|解释"
    r"|\b(?:what|how|why|when|where|who|which|whose|can|could|would|will|do|does|did|is|are|should|please|tell|explain"
    r"|describe|let me know|wonder\w*|like to know|want to know)\b",
    re.IGNORECASE,
)
_NO_LETTERS = re.compile(r"[\W_]+")


def changes(parent: Row, child: Row, max_similarity: float = 0.95) -> str | None:
    """Why a child is refused: the first thing it changes that it may not; None where it may stay.

    Args:
        parent: the row it was made from.
        child: the row made.
        max_similarity: Jaccard similarity of character 5-grams from which the two are near-duplicates.
    """
    old, new = question_of(parent), question_of(child)
    if not _same_but_for_the_question(parent, child):
        return ANSWER
    if not new.strip():
        return EMPTY
    if comparison_key(old) == comparison_key(new):
        return SAME
    reason = _form(old, new) or _values(old, new) or _meaning(old, new)
    if reason:
        return reason
    if any(label in old and label not in new for label in parent.labels):
        return LABEL
    return NEAR if jaccard(old, new) >= max_similarity else None


def _same_but_for_the_question(parent: Row, child: Row) -> bool:
    if question_index(parent) is None and parent.messages:
        return False
    if len(parent.messages) != len(child.messages):
        return False
    same = with_question(child, question_of(parent), parent.id, "")
    return (
        same.messages == parent.messages
        and same.text == parent.text
        and child.labels == parent.labels
        and child.rejected == parent.rejected
        and (child.desirable, child.weight) == (parent.desirable, parent.weight)
        and child.tools == parent.tools
        and child.thinking == parent.thinking
        and child.metadata == parent.metadata
    )


def _form(old: str, new: str) -> str | None:
    if len(new) < _SHORTEST * len(old) - _SLACK:
        return SHORT
    if len(new) > _LONGEST * len(old) + _SLACK:
        return LONG
    if script_language(new) != script_language(old):
        return LANGUAGE
    if _ASKS.search(old) and not _ASKS.search(new) and not _ASKING.search(new):
        return STATEMENT
    return None


def _values(old: str, new: str) -> str | None:
    if fixed_values(old) != fixed_values(new):
        return FIXED
    if numbers(old) != numbers(new):
        return NUMBERS
    language = script_language(old)
    if not _names_kept(old, new, language) or not _names_kept(new, old, language):
        return NAMES
    return None


def _names_kept(one: str, other: str, language: str) -> bool:
    """Whether every name of one text stands in the other. Both ways, a name can neither go nor come."""
    held = names(one, language)
    if not held:
        return True
    small = other.lower()
    return all(re.search(rf"(?<![a-z]){re.escape(name)}(?![a-z])", small) for name in held)


def _meaning(old: str, new: str) -> str | None:
    if times(old) != times(new):
        return TIMES
    if negations(old) != negations(new):
        return NEGATION
    return OPPOSITE if reverses(old, new) else None


def comparison_key(text: str) -> int:
    """64 bits (xxh3) of a text's letters and digits, folded: equal for texts that differ in punctuation and case."""
    folded = fold(text)
    return xxhash.xxh3_64_intdigest((_NO_LETTERS.sub("", folded) or folded).encode())
