"""The question translated into another language and back by a model."""

from __future__ import annotations

from collections.abc import Sequence

from danlu.data.drafts import Draft, Task, Write
from danlu.data.wordings import LANGUAGE, NOTHING, bare_text
from danlu.models.messages import Message
from danlu.recipe.augmentation import BackTranslationAugmenter
from danlu.recipe.errors import UserError

PROMPT = (
    "Translate the user's text from {source} into {target}. Keep numbers, units, dates, names, code, URLs, quotations "
    "and tags in square brackets exactly as they are. Do not answer or explain it. Reply with the translation alone, "
    "without quotes."
)
# The first of several children takes the literal way, the others are told to vary.
MANNERS = (
    "", " Translate freely.", " Use everyday words.", " Use formal words.", " Be brief.",
    " Change the sentence structure.", " Sound like a chat message.", " Sound like a letter.",
    " Choose less common words.", " Be direct.",
)  # fmt: skip
LANGUAGES = {
    "zh": "Chinese", "en": "English", "fr": "French", "de": "German", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "ru": "Russian", "ja": "Japanese", "ko": "Korean", "ar": "Arabic", "nl": "Dutch",
}  # fmt: skip


class BackTranslation:
    """Two requests a child: there, at temperature 0.7 so that several children differ, and back at 0.

    Raises:
        UserError: the language in between is none that it can name.
    """

    def __init__(self, config: BackTranslationAugmenter, write: Write) -> None:
        if config.through != "auto" and config.through not in LANGUAGES:
            raise UserError(
                f"unknown language '{config.through}'",
                where="data.augment.steps.back_translation.through",
                fix=f"one of: auto, {', '.join(LANGUAGES)}",
            )
        self._write, self._through = write, config.through

    def drafts(self, tasks: Sequence[Task]) -> list[Draft]:
        """A draft for each task."""
        asked = [index for index, task in enumerate(tasks) if self._target(task)]
        there = [
            _conversation(tasks[i].text, tasks[i].language, self._target(tasks[i]), tasks[i].number) for i in asked
        ]
        foreign = [bare_text(reply, tasks[i].text) for i, reply in zip(asked, self._ask(there, 0.7), strict=True)]
        done = [(i, text) for i, text in zip(asked, foreign, strict=True) if text]
        back = [_conversation(text, self._target(tasks[i]), tasks[i].language, 1) for i, text in done]
        drafts = [Draft(reason=NOTHING if self._target(task) else LANGUAGE) for task in tasks]
        for (i, _), reply in zip(done, self._ask(back, 0.0), strict=True):
            text = bare_text(reply, tasks[i].text)
            if text:
                drafts[i] = Draft(text)
        return drafts

    def _ask(self, conversations: Sequence[list[Message]], temperature: float) -> list[str]:
        return self._write(conversations, temperature) if conversations else []

    def _target(self, task: Task) -> str:
        """The language in between; empty where there is none for this task."""
        if task.language not in ("zh", "en") or self._through == task.language:
            return ""
        if self._through != "auto":
            return self._through
        return "en" if task.language == "zh" else "zh"


def _conversation(text: str, source: str, target: str, number: int) -> list[Message]:
    told = PROMPT.format(source=LANGUAGES[source], target=LANGUAGES[target]) + MANNERS[(number - 1) % len(MANNERS)]
    return [{"role": "system", "content": told}, {"role": "user", "content": text}]
