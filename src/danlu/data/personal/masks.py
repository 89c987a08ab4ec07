"""What a mask leaves of a value: enough for its owner to recognise it, too little for others."""

from __future__ import annotations

import re

from danlu.data.personal.addresses import region_length
from danlu.data.personal.context import folded

_KEEP = {  # characters left at the front and at the end
    "CN_MOBILE": (3, 4),
    "CN_LANDLINE": (0, 2),
    "PHONE": (0, 2),
    "CN_ID": (3, 2),
    "BANK_CARD": (4, 4),
    "CREDIT_CARD": (0, 4),
    "CN_USCC": (2, 2),
    "CN_PASSPORT": (1, 2),
    "CN_PLATE": (2, 1),
    "SSN": (0, 4),
    "IBAN": (2, 2),
}
_LETTER = re.compile(r"[^\W_]")


def mask(kind: str, value: str) -> str:
    """The value with stars, its separators where they were; a secret leaves nothing, not even its length."""
    if kind == "SECRET":
        return "********"
    if kind == "EMAIL":
        local, _, domain = value.partition("@")
        return f"{local[0]}***@{domain}" if domain else "***"
    if kind == "CN_NAME":
        return value[0] + _LETTER.sub("*", value[1:]) if len(value) > 1 else "*"
    if kind == "EN_NAME":
        return re.sub(r"[^\W_][\w'’]*", lambda m: m.group()[0] + "***", value)
    if kind == "CN_ADDRESS":
        return value[: region_length(folded(value))] + "***"
    if kind == "IP":
        return re.sub(r"[0-9A-Fa-f]+", "*", value)
    front, back = _KEEP[kind]
    return _stars(value, front, back)


def _stars(value: str, front: int, back: int) -> str:
    places = [i for i, c in enumerate(value) if _LETTER.match(c)]
    hidden = set(places[front : len(places) - back])
    return "".join("*" if i in hidden else c for i, c in enumerate(value))
