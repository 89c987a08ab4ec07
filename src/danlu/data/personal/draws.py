"""Numbers drawn from a keyed hash: the same for the same key and value, and telling nothing of either."""

from __future__ import annotations

import hmac
import string
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of HMAC-SHA256(key, purpose, value, attempt, counter); each draw uses 64 bits, so bias is negligible."""

    def __init__(self, key: bytes, purpose: str, value: str, attempt: int = 0) -> None:
        self._key, self.attempt = key, attempt
        self._message = "\0".join((purpose, value, str(attempt))).encode("utf-8", "surrogatepass")
        self._block = b""
        self._counter = 0

    def derived(self, purpose: str, value: str) -> Draws:
        """Draws for a part of the value, the same wherever that part occurs."""
        return Draws(self._key, purpose, value, self.attempt)

    def _next(self) -> int:
        if not self._block:
            self._block = hmac.digest(self._key, self._message + b"\0" + str(self._counter).encode(), "sha256")
            self._counter += 1
        number, self._block = int.from_bytes(self._block[:8], "big"), self._block[8:]
        return number

    def choice(self, options: Sequence[T]) -> T:
        """One of them."""
        return options[self._next() % len(options)]

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + self._next() % (high - low + 1)

    def digits(self, count: int) -> str:
        """Decimal digits."""
        return "".join(self.choice(string.digits) for _ in range(count))

    def word(self, count: int) -> str:
        """Lower-case letters and digits that are not mistaken for each other."""
        return "".join(self.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(count))
