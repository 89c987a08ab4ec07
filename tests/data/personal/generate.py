"""Documents with known personal data: carriers, hard decoys and neutral sentences, Chinese and English, by seed."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass

from tests.data.personal import carriers
from tests.data.personal.values import MAKERS, digits, grouped, token


@dataclass(frozen=True)
class Document:
    """A text and the (start, end, kind) of what is personal in it."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


_KINDS = {"PASSWORD": "SECRET", "TOKEN": "SECRET", "SURNAME": "CN_NAME"}
_SLOT = re.compile(r"\{([A-Z_a-z0-9]+)\}")


def documents(seed: int, count: int, *, language: str, held_out: bool) -> list[Document]:
    """Documents of a seed; `held_out` draws from carriers on which nothing was tuned."""
    r = random.Random(f"{seed}/{language}/{held_out}")
    return [_document(r, language, held_out) for _ in range(count)]


def _document(r: random.Random, language: str, held_out: bool) -> Document:
    pool = carriers.CARRIERS[language, held_out]
    decoys, neutral = carriers.DECOYS[language], carriers.NEUTRAL[language]
    sentences = [r.choice(pool) for _ in range(r.randint(2, 4))]
    sentences += [r.choice(decoys) for _ in range(r.randint(1, 3))]
    sentences += [r.choice(neutral) for _ in range(r.randint(1, 3))]
    r.shuffle(sentences)
    text, spans = "", []
    for sentence in sentences:
        at = 0
        for slot in _SLOT.finditer(sentence):
            text += sentence[at : slot.start()]
            name = slot.group(1)
            if name in MAKERS:
                value = MAKERS[name](r)
                spans.append((len(text), len(text) + len(value), _KINDS.get(name, name)))
            else:
                value = _decoy(r, name)
            text += value
            at = slot.end()
        text += sentence[at:] + ("" if language == "zh" else " ")
    return Document(text, tuple(spans))


def _decoy(r: random.Random, name: str) -> str:
    """A value that looks personal and is not."""
    hexes = string.hexdigits[:16].lower()
    makers: dict[str, Callable[[], object]] = {
        "order": lambda: digits(r, r.choice((12, 14, 16, 18, 20))),
        "order11": lambda: "1" + r.choice("3579") + digits(r, 9),
        "tracking": lambda: r.choice(("SF", "YT", "JD", "ZTO")) + digits(r, 13),
        "version": lambda: ".".join(str(r.randint(0, 20)) for _ in range(4)),
        "date": lambda: f"{r.randint(1990, 2026)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}",
        "stamp": lambda: (
            f"{r.randint(2000, 2026)}{r.randint(1, 12):02d}{r.randint(1, 28):02d}{r.randint(100000, 235959)}"
        ),
        "unix": lambda: str(r.randint(1_500_000_000_000, 1_790_000_000_000)),
        "isbn": lambda: f"978-7-{digits(r, 3)}-{digits(r, 5)}-{digits(r, 1)}",
        "amount": lambda: f"{r.randint(10, 99999):,}.{digits(r, 2)}",
        "big": lambda: str(r.randint(10_000_000, 9_999_999_999)),
        "long": lambda: "9" + "13" + digits(r, 9) + digits(r, 12),
        "badid": lambda: _broken(MAKERS["CN_ID"](r)),
        "badcard": lambda: _broken(grouped("62" + digits(r, 13), (20,), "")),
        "badssn": lambda: r.choice(("000", "666", "912", "987")) + f"-{r.randint(10, 99)}-{r.randint(1000, 9999)}",
        "uuid": lambda: "-".join(token(r, n, hexes) for n in (8, 4, 4, 4, 12)),
        "sha": lambda: token(r, 40, hexes),
        "md5": lambda: token(r, 32, hexes),
        "qq": lambda: str(r.randint(100_000_000, 3_999_999_999)),
        "model": lambda: r.choice(("iPhone 15", "RTX 4090", "ThinkPad X1", "GPT-4", "A320-200", "E5-2680")),
    }
    return str(makers[name]())


def _broken(value: str) -> str:
    """The value with a wrong check digit (two digits off, so that neither Luhn nor MOD 11-2 holds)."""
    from stdnum import luhn

    value = re.sub(r"[^0-9Xx０-９]", "", value)
    value = "".join(chr(ord(c) - 0xFEE0) if c > "\uff00" else c for c in value)
    if len(value) == 18:
        return value[:17] + str((int(value[17].upper().replace("X", "9")) + 5) % 10)
    return value + str((int(luhn.calc_check_digit(value)) + 3) % 10)
