"""Tables of choices: a type name leads to a class or function that is imported only when it is picked."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from danlu.recipe.errors import UserError, nearest


class Choices(Mapping[str, str]):
    """A read-only table `type name -> "module:attribute"`; `load` imports late and names the choices on a typo."""

    def __init__(self, kind: str, table: Mapping[str, str]) -> None:
        self.kind = kind
        self._table = dict(table)

    def __getitem__(self, name: str) -> str:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def load(self, name: str) -> Any:
        """The object registered under `name`.

        Raises:
            UserError: no such choice; the message lists the known ones.
        """
        if name not in self._table:
            raise UserError(f"unknown {self.kind} '{name}'", fix=nearest(name, self._table))
        module, _, attribute = self._table[name].partition(":")
        return getattr(importlib.import_module(module), attribute)


def optional(module: str, extra: str) -> Any:
    """Import an optional package, late.

    Raises:
        UserError: it is not installed; the fix is the install line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise UserError(f"needs the package '{module}'", fix=f"pip install 'danlu[{extra}]'") from None
