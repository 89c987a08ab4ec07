"""A regular expression of the user's, replaced outside of protected spans, with a limit on the time of one text."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import regex

from danlu.data.cleaning import rewrite_texts
from danlu.data.protected import rewrite_outside
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import ReplaceCleaner
from danlu.recipe.errors import UserError

# Far above any honest pattern (a megabyte takes milliseconds); below it nothing depends on the clock.
SECONDS_PER_TEXT = 10.0


class Replace:
    """The cleaner of `{type: replace}`.

    The package `regex` does the matching, in the mode that is compatible with `re`: it alone has a timeout.
    """

    def __init__(self, config: ReplaceCleaner, seconds: float = SECONDS_PER_TEXT) -> None:
        self.config = config
        self._seconds = seconds
        try:
            self._pattern = regex.compile(config.pattern, regex.VERSION0)
            self._pattern.sub(config.replacement, "")
            regex.compile(f"(?:{config.pattern})?", regex.VERSION0).sub(config.replacement, "")
        except (regex.error, IndexError) as error:
            raise UserError(
                f"cannot replace '{config.pattern}' by '{config.replacement}': {error}",
                where="data.clean (replace)",
                fix="groups are \\1, \\2 ... or \\g<name>, and a backslash itself is \\\\",
            ) from None

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row | Dropped]:
        """Rewrites texts of the chosen roles; drops nothing.

        Raises:
            UserError: the pattern took too long on one text; names the row.
        """
        for row in rows:
            try:
                yield rewrite_texts(row, "replace", self._rewrite, self.config.roles)
            except TimeoutError:
                raise UserError(
                    f"'{self.config.pattern}' took more than {self._seconds:g} seconds on one text",
                    where=f"data.clean (replace), row {row.id}",
                    fix="repeats inside repeats, such as (a+)+, take exponential time; write the pattern without them",
                ) from None

    def _rewrite(self, text: str) -> str:
        substitute = functools.partial(self._substitute)
        return rewrite_outside(text, substitute) if self.config.protect else substitute(text)

    def _substitute(self, piece: str) -> str:
        return str(self._pattern.sub(self.config.replacement, piece, timeout=self._seconds))
