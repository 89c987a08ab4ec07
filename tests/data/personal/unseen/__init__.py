"""Evaluation sets two to twelve: carriers, decoys, values written apart from the rules, other registers than the first.

`*_carriers.txt` and `*_decoys.txt` hold one sentence a line ("\\n" in them is a line end); from the fourth on there are
lists of whole names. Each set was measured once before anything was changed for it; `docs/data/personal-data.md` gives
the figures of that first sight. The third was written after the changes for the second. The fourth and fifth are two
halves of what an author wrote who had seen neither the rules nor the other sets, and each from the sixth on is by
another such author, the eighth and ninth in English only. The scorers are trained on the second, third, sixth and
tenth, that of English names on the fourth too. Nobody has read the errors in the fifth: keep it so.

From the tenth on the authors made the values as well as the sentences, which found more than all before: values by one
hand only show what that hand knows. `*_documents.jsonl` holds 160 documents of each.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from danlu.data.personal.tables import words
from tests.data.personal.generate import _KINDS, _SLOT, Document
from tests.data.personal.values import MAKERS, digits, grouped, token

_HERE = Path(__file__).parent
_HEXES = string.hexdigits[:16].lower()
_VALUES = dict(line.split(" ", 1) for line in (_HERE / "values.txt").read_text("utf-8").splitlines())
_POOLS = {name: words(values) for name, values in _VALUES.items()}  # a common surname stands there several times

Part = Literal["second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"]
ENGLISH = ("eighth", "ninth", "fourteenth")  # sets without Chinese sentences
_Maker = Callable[[random.Random], str]


def documents(seed: int, count: int, *, language: str, part: Part = "second") -> list[Document]:
    """Documents of a seed from the sentences of one set; from the fourth on they draw names from lists of their own."""
    r = random.Random(f"unseen/{seed}/{language}")
    carriers, decoys = (_lines(language, part, kind) for kind in ("carriers", "decoys"))
    own: dict[str, _Maker] = {}
    if part not in ("second", "third"):
        chinese, english = (_lines(spoken, "seventh" if part in ENGLISH else part, "names") for spoken in ("zh", "en"))
        if part in ENGLISH:
            english = _lines("en", part, "names")
        own = {"CN_NAME": lambda r: r.choice(chinese), "EN_NAME": lambda r: r.choice(english)}
    return [_document(r, language, carriers, decoys, own) for _ in range(count)]


def kept(language: str, part: str) -> list[Document]:
    """Documents of the tenth and later sets, whose authors made the values too: `LANGUAGE_PART_documents.jsonl`."""
    rows = map(json.loads, (_HERE / f"{language}_{part}_documents.jsonl").read_text("utf-8").splitlines())
    return [Document(row["text"], tuple((start, end, kind) for start, end, kind in row["spans"])) for row in rows]


def _lines(language: str, part: Part, kind: str) -> list[str]:
    prefix = language if part == "second" else f"{language}_{part}"
    return (_HERE / f"{prefix}_{kind}.txt").read_text("utf-8").splitlines()


def _document(
    r: random.Random, language: str, carriers: list[str], decoys: list[str], own: dict[str, _Maker]
) -> Document:
    sentences = [r.choice(carriers) for _ in range(r.randint(2, 4))]
    sentences += [r.choice(decoys) for _ in range(r.randint(2, 4))]
    r.shuffle(sentences)
    text, spans = "", []
    for sentence in sentences:
        at = 0
        template = sentence.replace("\\n", "\n")
        for slot in _SLOT.finditer(template):
            text += template[at : slot.start()]
            name = slot.group(1)
            value = own[name](r) if name in own else _value(r, name)
            if name.isupper():
                spans.append((len(text), len(text) + len(value), _KINDS.get(name, name)))
            text += value
            at = slot.end()
        text += template[at:]
        closed = text[-1] in "。！？.!?" and "\n" not in template
        text += ("" if language == "zh" else " ") if closed and r.random() < 0.7 else "\n"
    return Document(text, tuple(spans))


def _value(r: random.Random, name: str) -> str:
    own = {
        "CN_NAME": _name,
        "EN_NAME": _english,
        "CN_ADDRESS": _address,
        "SURNAME": lambda r: r.choice(_POOLS["surnames"]),
    }
    maker = own.get(name) or MAKERS.get(name)
    return maker(r) if maker else _decoy(r, name)


def _name(r: random.Random) -> str:
    if r.random() < 0.02:
        return r.choice(_POOLS["minority"])
    return r.choice(_POOLS["surnames"]) + "".join(
        r.choice(_POOLS["given"]) for _ in range(1 if r.random() < 0.2 else 2)
    )


def _english(r: random.Random) -> str:
    first, last = r.choice(_POOLS["first"]), r.choice(_POOLS["last"])
    form = r.random()
    if form < 0.06:
        return f"{first} {r.choice(string.ascii_uppercase)}. {last}"
    if form < 0.1:
        return f"{first} {r.choice(_POOLS['first'])} {last}"
    return f"{first} {last}"


def _address(r: random.Random) -> str:
    street = f"{r.choice(_POOLS['streets'])}{r.randint(1, 400)}号"
    home = r.choice(_POOLS["homes"])
    flat = r.choice(
        (
            f"{r.randint(1, 30)}栋{r.randint(1, 4)}单元{r.randint(101, 3204)}室",
            f"{r.randint(1, 30)}号楼{r.randint(101, 3204)}",
            f"{r.randint(1, 30)}座{r.randint(101, 3204)}室",
            f"{r.randint(1, 30)}幢{r.randint(101, 999)}",
        )
    )
    return r.choice(_POOLS["cities"]) + r.choice((street, street + home + flat, home + flat, street + flat))


def _decoy(r: random.Random, name: str) -> str:
    if name.startswith(("num", "inv", "hex")):
        size = int(name[3:])
        return token(r, size, _HEXES) if name[0] == "h" else str(r.randint(1, 9)) + digits(r, size - 1)
    year, month, day = r.randint(1990, 2026), r.randint(1, 12), r.randint(1, 28)
    dates = (f"{year}-{month:02d}-{day:02d}", f"{year}/{month}/{day}", f"{year}.{month:02d}.{day}")
    makers = {
        "code": lambda: digits(r, r.choice((4, 6))),
        "order": lambda: digits(r, r.choice((10, 12, 13, 16, 17, 18, 20))),
        "stamp": lambda: f"{year}{month:02d}{day:02d}{digits(r, 8)}",
        "stamp8": lambda: f"{year}{month:02d}{day:02d}",
        "date": lambda: r.choice(dates),
        "time": lambda: f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}",
        "amount": lambda: r.choice((f"{r.randint(1, 99999):,}.{digits(r, 2)}", f"{r.randint(1, 99999)}")),
        "big": lambda: str(r.randint(10_000_000, 9_999_999_999)),
        "long": lambda: token(r, 2, string.ascii_uppercase) + digits(r, 14),
        "serial": lambda: token(r, 10, string.ascii_uppercase + string.digits),
        "bp": lambda: f"{r.randint(90, 180)}/{r.randint(50, 110)}mmHg",
        "ean": lambda: "69" + digits(r, 11),
        "isbn": lambda: f"978-{r.randint(0, 9)}-{digits(r, 4)}-{digits(r, 4)}-{digits(r, 1)}",
        "meet": lambda: grouped(str(r.randint(1, 9)) + digits(r, 8), (3, 3), r.choice(" -")),
        "ratio": lambda: f"{r.randint(0, 9)}.{digits(r, 4)}",
        "version": lambda: ".".join(str(r.randint(0, 30)) for _ in range(r.choice((3, 4)))),
        "ver3": lambda: f"{r.randint(1, 4)}.{r.randint(0, 20)}.{r.randint(0, 20)}",
        "lng": lambda: f"{r.randint(73, 135)}.{digits(r, 6)}",
        "lat": lambda: f"{r.randint(18, 53)}.{digits(r, 6)}",
        "unix": lambda: str(r.randint(1_500_000_000, 1_790_000_000)) + r.choice(("", digits(r, 3))),
        "uuid": lambda: "-".join(token(r, n, _HEXES) for n in (8, 4, 4, 4, 12)),
        "sha": lambda: token(r, r.choice((40, 64)), _HEXES),
        "md5": lambda: token(r, 32, _HEXES),
    }  # fmt: skip
    return str(makers[name]())
