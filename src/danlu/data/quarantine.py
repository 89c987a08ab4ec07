"""The quarantine file: rows that could not be used, each with its place, the reason and what stood there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import orjson

from danlu.data.row import Record

SHOWN = 2_000  # characters of a raw record that are kept
SCANNED = 20_000  # characters that are scrubbed before cutting, so that no half of a value slips through at the cut
ESCAPED_CHARACTER = re.compile(r"\\u([0-9a-fA-F]{4})")
ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2}){2,}")


def quarantined_text(raw: str, scrub: Callable[[str], str] | None) -> str:
    """A raw record as the quarantine shows it: personal data out, then cut to 2,000 characters, and said so.

    Text that JSON escapes hide (\\uXXXX) is looked through as well, and runs of bytes that could not be decoded are
    counted instead of shown, since nobody can tell what they say.
    """
    length = len(raw)
    raw = raw[:SCANNED]
    if scrub:
        raw = ESCAPED_BYTES.sub(lambda match: f"[{len(match.group()) // 4} bytes]", raw)
        plain = ESCAPED_CHARACTER.sub(_character, raw)
        clean = scrub(plain)
        raw = clean if clean != plain else scrub(raw)
    if len(raw) <= SHOWN and length <= SCANNED:
        return raw
    told = f"... [cut: {length:,} characters in all]"
    return raw[: SHOWN - len(told)] + told


class QuarantineWriter:
    """Writes JSON lines `{file, line, step, reason, raw}`.

    Args:
        path: the file; it is there from the start, and whole once closed.
        scrub: takes personal data out of a text; applied to reason and raw.
    """

    def __init__(self, path: Path, scrub: Callable[[str], str] | None = None) -> None:
        self._scrub = scrub
        self._file = path.open("wb")
        self.count = 0

    def write(self, file: str, line: int, step: str, reason: str, raw: str) -> None:
        """Book one row that ended at `step`."""
        reason = self._scrub(reason) if self._scrub else reason
        raw = quarantined_text(raw, self._scrub)
        entry = {"file": file, "line": line, "step": step, "reason": reason, "raw": raw}
        self._file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def close(self) -> None:
        """Nothing more will come."""
        self._file.close()

    def __enter__(self) -> QuarantineWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _character(match: re.Match[str]) -> str:
    code = int(match.group(1), 16)
    return match.group() if 0xD800 <= code < 0xE000 else chr(code)


def raw_of(record: Record) -> str:
    """What stood in the source, for the quarantine: the raw text, or the value as JSON."""
    if record.raw or record.value is None:
        return record.raw
    return orjson.dumps(record.value, default=str).decode()
