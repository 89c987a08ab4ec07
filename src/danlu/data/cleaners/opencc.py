"""Simplified and traditional Chinese: OpenCC's dictionaries, the longest phrase first, outside of protected spans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from danlu.data.cleaning import Rewrite, rewrite_texts
from danlu.data.languages import HAN, script_language
from danlu.data.protected import rewrite_outside
from danlu.data.row import Dropped, Row
from danlu.recipe.choices import optional
from danlu.recipe.cleaners import OpenccCleaner

# OpenCC's own chains t2s.json and s2t.json: phrases before characters.
_DICTIONARIES = {
    "simplified": ("TSPhrases.txt", "TSCharacters.txt"),
    "traditional": ("STPhrases.txt", "STCharacters.txt"),
}
_HAN_RUN = re.compile(f"[{HAN}]+")
_KANA_OR_HANGUL = re.compile("[\u3041-\u30ff\uff66-\uff9d\uac00-\ud7af]")


class Opencc:
    """The cleaner of `{type: opencc}`.

    The package brings the dictionaries; the matching is ours (forward longest match, as OpenCC's own mmseg), because
    the package's takes quadratic time on text without punctuation.

    Raises:
        UserError: opencc-python-reimplemented is not installed.
    """

    def __init__(self, config: OpenccCleaner) -> None:
        self.config = config
        self._convert = converter(config.to)

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Rewrites Chinese texts; drops nothing."""
        for row in rows:
            yield rewrite_texts(row, "opencc", self._rewrite)

    def _rewrite(self, text: str) -> str:
        if text.isascii() or not _HAN_RUN.search(text):
            return text
        return rewrite_outside(text, self._lines)

    def _lines(self, piece: str) -> str:
        """Kanji and hanja are no Chinese: lines with kana or hangul stay, and so does a text that is mostly such."""
        if not _KANA_OR_HANGUL.search(piece):
            return self._convert(piece)
        if script_language(piece) in ("ja", "ko"):
            return piece
        lines = piece.split("\n")
        return "\n".join(line if _KANA_OR_HANGUL.search(line) else self._convert(line) for line in lines)


@cache
def converter(to: str) -> Rewrite:
    """The conversion to 'simplified' or 'traditional' Chinese, in time linear in the text.

    Raises:
        UserError: the package is not installed.
    """
    package = optional("opencc", "data")
    folder = Path(package.__file__).parent / "dictionary"
    if not folder.is_dir():
        # The other package of this name, OpenCC's C++ library, converts by itself.
        convert: Rewrite = package.OpenCC("t2s" if to == "simplified" else "s2t").convert
        return convert
    phrases, characters = (_entries(folder / name) for name in _DICTIONARIES[to])
    longest: dict[str, int] = {}
    for phrase in phrases:
        longest[phrase[0]] = max(longest.get(phrase[0], 1), len(phrase))

    def converted(match: re.Match[str]) -> str:
        return _longest_first(match[0], phrases, characters, longest)

    return lambda text: _HAN_RUN.sub(converted, text)


def _longest_first(
    run: str, phrases: Mapping[str, str], characters: Mapping[str, str], longest: Mapping[str, int]
) -> str:
    result: list[str] = []
    at = 0
    while at < len(run):
        first = run[at]
        for length in range(min(longest.get(first, 1), len(run) - at), 1, -1):
            phrase = phrases.get(run[at : at + length])
            if phrase is not None:
                result.append(phrase)
                at += length
                break
        else:
            result.append(phrases.get(first) or characters.get(first, first))
            at += 1
    return "".join(result)


def _entries(path: Path) -> dict[str, str]:
    """A dictionary file of OpenCC: key, tab, candidates; the first candidate is the commonest."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if "\t" in line)
    return {key: candidates.split(" ")[0] for key, candidates in pairs}
