"""Where in a row a text stands: for the audit, and for what its place says about it."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple


class Place(NamedTuple):
    """Where a text stands.

    Attributes:
        at: its path in the audit, such as `metadata.user`; never holds a value.
        label: what stands in front of it as its context, such as `user: `.
        labelled: whether keys are the labels of their values here.
        called: whether something is called by it, so that what looks like a person's name is left alone.
        key: whether it is a key itself.
    """

    at: str
    label: str = ""
    labelled: bool = False
    called: bool = False
    key: bool = False

    def __str__(self) -> str:
        return f"{self.at} (key)" if self.key else self.at

    def item(self, index: int) -> Place:
        """The place of an item of the list that stands here."""
        return self._replace(at=f"{self.at}[{index}]")

    def below(self, key: str, shown: str) -> Place:
        """The place of a key's value; `shown`: the key as a path may show it, and an empty key is no label."""
        labelled = self.labelled or key == "arguments"
        return Place(f"{self.at}.{shown}", _label(key) if labelled else "", labelled)

    def named(self, key: str) -> Place:
        """The place of what something is called by."""
        return self._replace(at=f"{self.at}.{key}", called=True)

    def data(self, key: str) -> Place:
        """The place of an example's data, or of a call's arguments, which are labelled by their parameters' names."""
        return self.below(key, key)._replace(called=key == "arguments")


def is_plain(key: str) -> bool:
    """Whether a key is one English word, or some with dashes, in which nothing is ever found."""
    return key.isascii() and key.replace("_", "").replace("-", "").isalpha()


def new_key(new: str, key: str, taken: Container[str], given: Container[str]) -> str:
    """A key's replacement, numbered where another key of the object has the same."""
    if new == key or not (new in taken or new in given):
        return new
    number = 2
    while f"{new}_{number}" in taken or f"{new}_{number}" in given:
        number += 1
    return f"{new}_{number}"


def _label(key: str) -> str:
    """A key as the label in front of its value: a value alone has no context."""
    name = key.rsplit(".", 1)[-1].rstrip("]0123456789[")
    return f"{name}: " if name and name.isascii() else f"{name}：" if name else ""
