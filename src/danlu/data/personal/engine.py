"""One text in, the spans of personal data in it out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from danlu.data.personal.addresses import addresses
from danlu.data.personal.chinese_names import chinese_names
from danlu.data.personal.codes import codes
from danlu.data.personal.context import folded
from danlu.data.personal.english_names import english_names
from danlu.data.personal.numbers import numbers
from danlu.data.personal.secrets import secrets
from danlu.data.personal.spans import Span, settle
from danlu.recipe.errors import UserError

# What any find needs at least: a digit, an @ or ://, a capital letter, a key's label, or two Chinese characters.
_TRIGGER = re.compile(
    r"[0-9@A-ZÀ-Þ\uff10-\uff19\uff20-\uff3a]|[\u4e00-\u9fff]{2}|://|[:=：＝]|\b(?:is|was)\b", re.IGNORECASE
)
_DIGIT = re.compile(r"[0-9]{2}")
_HAN = re.compile("[\u4e00-\u9fff]")
_CAPITAL = re.compile(r"[A-ZÀ-Þ]")


def find(text: str, *, names: str = "rules", min_confidence: float = 0.5) -> list[Span]:
    """Personal data in a text: spans with character offsets, sorted, without overlaps.

    Args:
        names: 'rules', or 'model' for the optional model of Chinese names (`pip install 'danlu[names]'`).
        min_confidence: candidates below it are left out before overlaps are settled.

    Raises:
        UserError: `names` is neither, or the model is not installed.
    """
    check_names(names)
    if not _TRIGGER.search(text):
        return []
    return settle(span for span in _candidates(text, names) if span.confidence >= min_confidence)


def check_names(names: str) -> None:
    """Refuse a way of finding names that is not there.

    Raises:
        UserError: `names` is neither 'rules' nor 'model', or the model is not installed.
    """
    if names == "rules":
        return
    if names != "model":
        raise UserError(f"names is '{names}'", fix="'rules' or 'model'")
    from danlu.data.personal.name_model import load_model

    load_model()


def _candidates(text: str, names: str) -> Iterator[Span]:
    plain = folded(text)
    chinese = _HAN.search(plain) is not None
    if _DIGIT.search(plain):
        yield from numbers(plain)
    yield from codes(plain)
    yield from secrets(text)
    if chinese:
        yield from addresses(plain)
        if names == "model":
            from danlu.data.personal.name_model import model_names

            yield from model_names(plain)
        else:
            yield from chinese_names(plain)
    if _CAPITAL.search(plain):
        yield from english_names(plain)
