"""Errors that a person can act on: where, what, why, and how to mend it."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Sequence

from danlu.recipe.language import tr


class DanluError(Exception):
    """An error with a place, a reason and a fix; printed without a traceback.

    Args:
        reason: what is wrong, with the offending value in it.
        where: file (and line), row or recipe field the error is about.
        fix: what the reader can do about it.
    """

    exit_code = 1

    def __init__(self, reason: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        head = f"{self.where}: {self.reason}" if self.where else self.reason
        return f"{head}\n  fix: {self.fix}" if self.fix else head

    def again(self, arguments: Sequence[str]) -> str:
        """A line to print below the error: the command that goes on after it; '' where there is none."""
        return ""


class UserError(DanluError):
    """Something the user can mend: a recipe, a file, a row, an option. Exit code 2."""

    exit_code = 2


class ValueRefused(ValueError):
    """For validators of the recipe: why a value cannot be taken, and what to give instead."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


class InternalFault(DanluError):
    """Something that is ours, or the machine's, to mend: a failed proof, a broken artifact. Exit code 1."""


class Interrupted(DanluError):
    """Asked to stop, and stopped in good order: the same command goes on from there. Exit code 0."""

    exit_code = 0

    def again(self, arguments: Sequence[str]) -> str:
        """The same command, but never one that starts over."""
        command = shlex.join(["danlu", *(word for word in arguments if word != "--fresh")])
        return tr(f"\n  go on with: {command}", f"\n  继续：{command}")


def nearest(name: str, choices: Iterable[str]) -> str:
    """A sentence naming the closest choice (if any is close) and listing all of them."""
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listed = ", ".join(known)
    return f"did you mean '{close[0]}'? Known: {listed}" if close else f"known: {listed}"
