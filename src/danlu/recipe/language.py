"""The language that Danlu speaks to its user: English or Chinese, each text given in both where it stands."""

from __future__ import annotations

import os


def chosen_language() -> str:
    """`zh` or `en`: DANLU_LANG if set, else the locale's variables, else English."""
    for variable in ("DANLU_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def tr(english: str, chinese: str) -> str:
    """The text in the user's language."""
    return chinese if chosen_language() == "zh" else english
