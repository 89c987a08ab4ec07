"""What a text names: spans that are quoted or technical, and the names, acronyms and Latin words it holds."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from danlu.data.protected import Span, protected_spans
from danlu.data.sentences import split_sentences
from danlu.data.synonyms import load_synonyms

if TYPE_CHECKING:
    import rjieba

# Each alternative is bounded or starts only at the beginning of its own run, so that the time stays linear.
_FIXED = re.compile(
    r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"  # e-mail address
    r"|(?<![A-Za-z0-9_./\\~-])(?:[A-Za-z]:)?[A-Za-z0-9_./\\~-]{0,200}[A-Za-z0-9_~-]"
    r"[./\\][A-Za-z0-9_-]*[A-Za-z][A-Za-z0-9_]*"  # path
    r"|[\u4e00-\u9fff]{0,2}\.(?:docx?|xlsx?|pptx?|pdf|txt|csv|jpe?g|png|mp[34]|zip|rar|exe|apk|json|html?|py|md)(?![A-Za-z0-9])"
    r"|《[^《》\n]{1,200}》|「[^」\n]{1,200}」|『[^』\n]{1,200}』|【[^】\n]{1,200}】|“[^”\n]{1,200}”|‘[^’\n]{1,200}’"
    r"|\"[^\"\n]{1,200}\"|(?<!\w)'[^'\n]{1,200}'(?!\w)"
    r"|\[[A-Z][A-Z0-9_]{1,40}\]|<[^<>\n]{1,100}>|\{{1,2}[\w .:-]{1,60}\}{1,2}|\$\{?[A-Za-z_]\w{0,60}\}?"
    r"|(?<!\w)[@#]\w{1,60}|(?<!\w)--?[A-Za-z][\w-]{1,40}"
)
# A line of code without fences: it begins or ends as only code does.
_CODE_LINE = re.compile(
    r"^[ \t]*(?:(?:def|class|function|public|private|static|void|int|float|var|let|const|package|struct) [\w<]"
    r"|(?:import|from) [\w.]+(?: import .{1,200})?$|(?:if|for|while|switch|elif) ?\(|return\b.*[;()+*/]|return \w+$"
    r"|#include|SELECT .{1,200} FROM |print\(|<\?|[\w.\[\]]{1,40} ?[-+*/]?= ?[^=\s]).*$|^[ -~]*[;{}][ \t]*$",
    re.MULTILINE,
)
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[.+#&'’-]+[A-Za-z0-9]+)*[+#]{0,2}")
_ENGLISH = re.compile(r"[A-Za-z0-9]+(?:[&'’-][A-Za-z0-9]+)*")
_POSSESSIVE = re.compile(r"['’]s?$")
# Words that WordNet does not count, and those of its words that are names more often.
_FUNCTION = (
    "a the an and or but if of to in on at by for from with into onto about as is are was were be been being am do"
    " does did done has have had having can could shall should will would may might must who whom whose what which"
    " when where why how that this these those there here it its he his him she her hers they their theirs them we"
    " us our you your yours my mine me not no yes please hi hello hey dear thanks thank okay ok let lets because"
    " although though while until unless since whether either neither both each every any some all such via per"
    " without within during before after between among against through upon toward towards across behind beyond"
    " besides despite except than then so nor yet once also just even only ever never myself yourself himself"
    " herself itself ourselves yourselves themselves someone anyone everyone something anything everything nothing"
    " nobody somebody everybody anybody whatever whichever whoever whenever wherever however"
)
_FUNCTION_WORDS = frozenset(_FUNCTION.split())
_NAMES_FIRST = frozenset(("china", "turkey", "apple", "amazon", "jordan", "chile", "java", "python", "excel", "word"))
# Contracted forms whose parts are words: "What's", "I'm", "Don't".
_CONTRACTED = re.compile(r"^([A-Za-z]+?)(?:n['’]t|['’](?:s|m|re|ve|ll|d|t))$")
# Suffix -> what may stand for it in the word without it.
_SUFFIXES = {
    "ies": ("y",), "ied": ("y",), "ier": ("y",), "iest": ("y",), "ily": ("y",), "es": ("",), "s": ("",),
    "ed": ("", "e"), "ing": ("", "e"), "er": ("", "e"), "ers": ("", "e"), "est": ("", "e"), "ly": ("", "le"),
}  # fmt: skip
# rjieba's tags of people, places, organisations and other proper names.
# and what shows that it guessed: 今天下午, 何时能 are tagged as people.
_NO_NAME = re.compile("[的了吗么呢我你他她这那谁]|何时|[今明昨]天|[今明去]年|[上下中]午")
_NAME_TAGS = ("nr", "ns", "nt", "nz")


def fixed_spans(text: str) -> list[Span]:
    """Code, formulas, URLs, addresses, file names, quotations, tags and placeholders: sorted and disjoint."""
    found = [match.span() for pattern in (_FIXED, _CODE_LINE) for match in pattern.finditer(text)]
    spans = sorted([*protected_spans(text), *found])
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def fixed_values(text: str) -> list[str]:
    """What stands in these spans, sorted."""
    return sorted(text[start:end] for start, end in fixed_spans(text))


def names(text: str, language: str) -> set[str]:
    """Names, in small letters: Latin words and tagged names in Chinese; capitals and mixed forms in other languages."""
    if language != "zh":
        return _english_names(text)
    found = {match[0].lower() for match in _LATIN.finditer(text)}
    found.update(
        word
        for word, tag in segmenter().tag(text)
        if tag.startswith(_NAME_TAGS) and len(word) > 1 and word not in _no_names() and not _NO_NAME.search(word)
    )
    return found


def _english_names(text: str) -> set[str]:
    found: set[str] = set()
    for sentence in split_sentences(text):
        for number, match in enumerate(_ENGLISH.finditer(sentence)):
            word = _POSSESSIVE.sub("", match[0])
            if _is_name(word, first=number == 0):
                found.add(word.lower())
    return found


def _is_name(word: str, first: bool) -> bool:
    if word.islower() or word.isdigit() or word == "I" or word.startswith(("I'", "I’")):
        return False
    if word[1:] == word[1:].lower() and word[0].isupper() and word.isalpha():
        return not (first and is_common(word.lower()))
    contracted = _CONTRACTED.match(word)
    if contracted and contracted[1][1:].islower() | (len(contracted[1]) == 1):
        return not (first and is_common(contracted[1].lower()))
    return len(word) > 1 or not first


def is_common(word: str) -> bool:
    """Whether a word in small letters, or the word it is a form of, is an everyday English word."""
    known = _common_words()
    if word in _NAMES_FIRST:
        return False
    if word in known:
        return True
    for suffix, ends in _SUFFIXES.items():
        stem = word.removesuffix(suffix)
        if stem == word or len(stem) < 2:
            continue
        if any(stem + end in known for end in ends):
            return True
        if "e" in ends and stem[-1] == stem[-2] and stem[:-1] in known:  # stopped, bigger
            return True
    return False


@cache
def _common_words() -> frozenset[str]:
    text = files("danlu.data.synonyms").joinpath("words.txt").read_text(encoding="utf-8")
    words = {word for line in text.splitlines() if not line.startswith("#") for word in line.split()}
    return frozenset(words | _FUNCTION_WORDS)


@cache
def _no_names() -> frozenset[str]:
    """Chinese words of the synonym table, some of which the segmenter takes for names (西红柿, 安静)."""
    table = load_synonyms("zh")
    return frozenset(table) | {other for others in table.values() for other in others}


@cache
def segmenter() -> rjieba.Jieba:
    """A segmenter of our own: nobody else's added words change what it gives."""
    import rjieba  # 35 MB

    return rjieba.Jieba()
