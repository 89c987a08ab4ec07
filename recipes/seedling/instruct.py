"""Short instructions with answers in Chinese and English, made from the sources of the plain text."""

import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from reviews import Review
from texts import definitions_zh, dialogues, glosses, help_pages, riddles, taught_pairs

SEED = 29
Pair = tuple[str, str]
LONGEST_ANSWER = {"zh": 120, "en": 300}
NAME = re.compile(r"[a-z][a-z -]{3,20}")


def instructions(cache: Path, reviews: list[Review], rude: re.Pattern[str]) -> dict[str, list[Pair]]:
    """Pairs by source; every question is there once."""
    makers: dict[str, Callable[[random.Random], Iterable[Pair]]] = {
        "jionlp definitions": lambda rng: _meanings_zh(cache, rng),
        "jionlp riddles": lambda rng: _riddles(cache, rng),
        "wordnet glosses": lambda rng: _meanings_en(cache, rng),
        "chatterbot zh": lambda rng: taught_pairs(cache, "zh"),
        "chatterbot en": lambda rng: taught_pairs(cache, "en"),
        "chitchat": lambda rng: _small_talk(cache, rng),
        "help zh": lambda rng: _help(cache, rng, "zh"),
        "help en": lambda rng: _help(cache, rng, "en"),
        "help titles zh-en": lambda rng: _translations(cache, rng),
        "reviews": lambda rng: _opinions(reviews, rng),
        "repeat": lambda rng: _repeats(cache, reviews, rng),
        "arithmetic": _sums,
    }
    asked: set[str] = set()
    found: dict[str, list[Pair]] = {}
    for number, (name, make) in enumerate(makers.items()):
        found[name] = []
        for question, answer in make(random.Random(SEED + number)):
            if question not in asked and question and answer and not rude.search(f"{question}\n{answer}"):
                asked.add(question)
                found[name].append((question, answer))
    return found


def _meanings_zh(cache: Path, rng: random.Random) -> list[Pair]:
    ask = ["“{}”是什么意思？", "请解释一下“{}”这个词。", "什么是{}？", "{}的意思是什么？", "用一句话解释：{}"]
    known = [pair for pair in definitions_zh(cache) if len(pair[1]) <= LONGEST_ANSWER["zh"]]
    chosen = rng.sample(known, 2400)
    pairs = [(rng.choice(ask).format(word), meaning) for word, meaning in chosen[:2000]]
    return pairs + [(f"哪个词的意思是“{meaning}”？", f"{word}。") for word, meaning in chosen[2000:]]


def _riddles(cache: Path, rng: random.Random) -> list[Pair]:
    ask = ["歇后语“{}”的下半句是什么？", "请把歇后语说完整：{}", "{}——下一句是？"]
    return [(rng.choice(ask).format(first), f"{second}。") for first, second in rng.sample(riddles(cache), 800)]


def _meanings_en(cache: Path, rng: random.Random) -> list[Pair]:
    ask = ['What does "{}" mean?', "Define the word {}.", "What is the meaning of {}?", "Explain {} in one sentence."]
    known = [pair for pair in glosses(cache) if NAME.fullmatch(pair[0]) and len(pair[1]) <= 160]
    pairs = []
    for word, gloss in rng.sample(known, 2000):
        meaning = gloss.split(";")[0].strip().rstrip(".")
        pairs.append((rng.choice(ask).format(word), f"{meaning[:1].upper()}{meaning[1:]}."))
    return pairs


def _small_talk(cache: Path, rng: random.Random) -> list[Pair]:
    """Opening and reply of each chat; greetings alone would teach nothing but greetings."""
    opened = [(turns[0], turns[1]) for turns in dialogues(cache)]
    opened += [(turns[2], turns[3]) for turns in dialogues(cache) if len(turns) > 3]
    good = [pair for pair in opened if 10 <= len(pair[0]) <= 160 and 10 <= len(pair[1]) <= 160]
    return rng.sample(good, 1500)


def _help(cache: Path, rng: random.Random, language: str) -> list[Pair]:
    ask = {
        "zh": ["请介绍一下办公软件里的“{}”。", "办公软件中的“{}”有什么用？", "帮助手册里怎么说“{}”？"],
        "en": ['What does the office suite\'s help say about "{}"?', 'In an office suite, what is "{}" for?'],
    }[language]
    pairs = []
    for title, paragraphs in help_pages(cache, language).values():
        if paragraphs and 20 <= len(paragraphs[0]) <= LONGEST_ANSWER[language]:
            pairs.append((rng.choice(ask).format(title), paragraphs[0]))
    return rng.sample(pairs, min(900, len(pairs)))


def _translations(cache: Path, rng: random.Random) -> list[Pair]:
    """Titles and short paragraphs that both languages of the help have at the same place."""
    chinese, english = help_pages(cache, "zh"), help_pages(cache, "en")
    pairs: dict[Pair, None] = {}
    for name in sorted(chinese.keys() & english.keys()):
        (title_zh, body_zh), (title_en, body_en) = chinese[name], english[name]
        pairs[title_zh, title_en] = None
        if body_zh and len(body_zh) == len(body_en) and len(body_en[0]) <= 160:
            pairs[body_zh[0], body_en[0]] = None
    ordered = rng.sample(list(pairs), min(1400, len(pairs)))
    half = len(ordered) // 2
    into_english = [(f"翻译成英文：{zh}", en) for zh, en in ordered[:half]]
    return into_english + [(f"Translate into Chinese: {en}", zh) for zh, en in ordered[half:]]


def _opinions(reviews: list[Review], rng: random.Random) -> list[Pair]:
    """Good or bad, asked in other words than the starter data asks, so that the starter still teaches something."""
    ask = {
        "zh": ["这条评价是好评还是差评？{}", "{}\n写这段话的人满意吗？"],
        "en": ["Did this customer like it? {}", "Is this a good or a bad review? {}"],
    }
    say = {
        ("zh", True): ["好评。", "满意。"],
        ("zh", False): ["差评。", "不满意。"],
        ("en", True): ["Yes, the customer liked it.", "A good review."],
        ("en", False): ["No, the customer did not like it.", "A bad review."],
    }
    pairs = []
    for language, wanted in (("zh", 600), ("en", 300)):
        for positive in (True, False):
            fitting = [
                review
                for review in reviews
                if review.language == language and review.positive is positive and 12 <= len(review.text) <= 160
            ]
            for review in rng.sample(fitting, min(wanted // 2, len(fitting))):
                which = rng.randrange(2)
                question = ask[language][which].format(review.text.strip())
                pairs.append((question, say[language, positive][which]))
    return pairs


def _repeats(cache: Path, reviews: list[Review], rng: random.Random) -> list[Pair]:
    """Copying is the first thing that a small model can learn to do exactly."""
    ask = {"zh": ["请重复下面这句话：{}", "照着说一遍：{}"], "en": ["Repeat this: {}", "Say exactly this: {}"]}
    chinese = [review.text.strip() for review in reviews if review.language == "zh" and 6 <= len(review.text) <= 40]
    english = [paragraph for _, body in help_pages(cache, "en").values() for paragraph in body if len(paragraph) <= 80]
    pairs = []
    for language, sentences in (("zh", chinese), ("en", english)):
        for sentence in rng.sample(sorted(set(sentences)), 300):
            pairs.append((rng.choice(ask[language]).format(sentence), sentence))
    return pairs


def _sums(rng: random.Random) -> list[Pair]:
    pairs = []
    for first in range(1, 20):
        for second in range(1, 20):
            if rng.random() < 0.5:
                pairs.append((f"{first} 加 {second} 等于多少？", f"{first + second}。"))
            else:
                pairs.append((f"What is {first} plus {second}?", f"{first + second}."))
    return pairs
