"""Personal data out of texts that leave the data set: reports, reasons, quarantined lines, error messages."""

from __future__ import annotations

from collections.abc import Sequence

from danlu.data.personal.engine import find_many
from danlu.data.personal.replacing import merged, replaced
from danlu.data.personal.told_values import Told
from danlu.recipe.redaction import RedactSection

_AT_ONCE = 256


class Scrubber:
    """Tags for all that is found, whatever the policies.

    It sees what the recipe's settings see and what the defaults see: a threshold of the recipe can only make it
    stricter, and names are looked for even where the recipe has `names: off`.

    Args:
        config: section `data.redact`, if there is one.
    """

    def __init__(self, config: RedactSection | None = None) -> None:
        default = RedactSection()
        both = [default] if config is None else [default, config]
        settings = [(default.names if one.names == "off" else one.names, one.min_confidence) for one in both]
        self._settings = list(dict.fromkeys(settings))

    def scrub(self, text: str) -> str:
        """A text with a tag in place of each piece of personal data."""
        return self.scrub_many((text,))[0]

    def scrub_many(self, texts: Sequence[str]) -> list[str]:
        """`scrub` for each of many texts, which is faster."""
        return [done for at in range(0, len(texts), _AT_ONCE) for done in self._scrubbed(texts[at : at + _AT_ONCE])]

    def _scrubbed(self, texts: Sequence[str]) -> list[str]:
        views = [find_many(texts, names=names, min_confidence=least) for names, least in self._settings]
        done = []
        for text, *found in zip(texts, *views, strict=True):
            spans = merged([span for spans in found for span in spans], ())
            told = Told()
            told.note(text, spans)
            spans = merged(spans, list(told.places(text)))
            done.append(replaced(text, [(span, f"[{span.kind}]") for span in spans])[0])
        return done
