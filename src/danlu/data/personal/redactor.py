"""Rows in, rows without personal data out, with an audit that holds places and kinds and never a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from danlu.data.personal.engine import find_many
from danlu.data.personal.fakes import fake
from danlu.data.personal.masks import mask
from danlu.data.personal.spans import Span
from danlu.data.row import Dropped, Row
from danlu.recipe.redaction import Kind, Policy, RedactSection


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit.

    Attributes:
        row_id: of the row.
        field: where in it: `messages[2].content`, `text`, `rejected[0].content`, `metadata.user`,
            `tools[0].function.description`.
        start, end: in characters; in the text before redaction, or after it for what is left over.
        kind, confidence: as found.
        policy: what was done with it.
        leftover: found again in the output, outside of what redaction put there.
    """

    row_id: str
    field: str
    start: int
    end: int
    kind: Kind
    confidence: float
    policy: Policy
    leftover: bool = False

    def entry(self) -> dict[str, Any]:
        """It by the names of its attributes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Redacted:
    """What became of a batch: a row or a Dropped for each row in order, and the audit."""

    items: list[Row | Dropped]
    findings: list[Finding]


@dataclass(slots=True)
class _Visit:
    """One row on its way: what was found in it so far."""

    row_id: str
    forced: Policy | None = None
    findings: list[Finding] = field(default_factory=list)
    changed: bool = False


class Redactor:
    """Applies the policies of a recipe section; a pure function of row, section and key.

    Args:
        config: section `data.redact`.
        key: secret of the pseudonyms; see `danlu.data.personal.keys`.
    """

    def __init__(self, config: RedactSection, key: bytes) -> None:
        self._config, self._key = config, key
        self._known: dict[str, list[Span]] = {}
        self._asked: dict[str, None] | None = None

    def redact(self, rows: Sequence[Row]) -> Redacted:
        """Every string of every row, also inside tool calls, tool descriptions and metadata; keys of objects stay."""
        items: list[Row | Dropped] = []
        findings: list[Finding] = []
        self._look_up(self._look_up(rows))  # what stands in the rows, then what redaction makes of it
        for row in rows:
            visit = _Visit(row.id)
            done = self._row(row, visit)
            findings.extend(visit.findings)
            held = sorted({f.kind for f in visit.findings if f.policy == "drop_row"})
            if held:
                tagged = _Visit(row.id, forced="tag")  # a dropped row is kept in the ledger: without values, too
                items.append(Dropped(self._row(row, tagged), "redact", "holds " + ", ".join(held)))
            else:
                items.append(done)
        self._known = {}
        return Redacted(items, findings)

    def _look_up(self, rows: Sequence[Row]) -> list[Row]:
        """Find in all texts at once that `_find` will ask for, which is faster; returns the rows that have some."""
        asked = self._asked = {}
        asking = []
        for row in rows:
            before = len(asked)
            self._row(row, _Visit(row.id))
            if len(asked) > before:
                asking.append(row)
        self._asked = None
        texts = list(asked)
        self._known.update(zip(texts, self._found(texts), strict=True))
        return asking

    def scrub(self, text: str) -> str:
        """A text for error reasons and quarantined lines: tags for all that is found, whatever the policies."""
        return self.scrub_many((text,))[0]

    def scrub_many(self, texts: Sequence[str]) -> list[str]:
        """`scrub` for each of many texts, which is faster."""
        tagged = ([(span, f"[{span.kind}]") for span in spans] for spans in self._found(texts))
        return [_replaced(text, pieces)[0] for text, pieces in zip(texts, tagged, strict=True)]

    def _found(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for at in range(0, len(texts), _AT_ONCE):
            part = texts[at : at + _AT_ONCE]
            yield from find_many(part, names=self._config.names, min_confidence=self._config.min_confidence)

    def _policy(self, kind: Kind) -> Policy:
        return self._config.kinds.get(kind, self._config.policy)

    def _row(self, row: Row, visit: _Visit) -> Row:
        messages = tuple(self._message(m, f"messages[{i}]", visit) for i, m in enumerate(row.messages))
        text = self._text(row.text, "text", visit) if row.text else ""
        rejected = tuple(self._message(m, f"rejected[{i}]", visit) for i, m in enumerate(row.rejected))
        tools = tuple(self._value(t, f"tools[{i}]", visit, _TOOL_KEYS) for i, t in enumerate(row.tools))
        metadata = {name: self._value(v, f"metadata.{name}", visit) for name, v in row.metadata.items()}
        if not visit.changed:
            return row
        return row.rewritten("redact", messages=messages, text=text, rejected=rejected, tools=tools, metadata=metadata)

    def _message(self, message: Mapping[str, Any], at: str, visit: _Visit) -> dict[str, Any]:
        done = dict(message)
        for name in ("content", "reasoning_content", "name"):
            if isinstance(done.get(name), str) and done[name]:
                # What a tool answers is often JSON and has to stay it.
                redact = self._string if message.get("role") == "tool" else self._text
                done[name] = redact(done[name], f"{at}.{name}", visit)
        if message.get("tool_calls"):
            done["tool_calls"] = self._value(message["tool_calls"], f"{at}.tool_calls", visit, _CALL_KEYS)
        return done

    def _value(self, value: Any, at: str, visit: _Visit, skip: frozenset[str] = frozenset()) -> Any:
        """A JSON value with its strings redacted; a string that is JSON itself stays JSON."""
        if isinstance(value, str):
            return self._string(value, at, visit)
        if isinstance(value, Mapping):
            # A name that a function is called by, or a type, is no text; below `arguments` every key counts.
            inner = {k: frozenset[str]() if k in ("arguments", "default", "examples", "enum") else skip for k in value}
            return {k: v if k in skip else self._value(v, f"{at}.{k}", visit, inner[k]) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(item, f"{at}[{i}]", visit, skip) for i, item in enumerate(value)]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**6:
            return self._number(value, at, visit)
        return value

    def _string(self, value: str, at: str, visit: _Visit) -> str:
        if value[:1] in ("{", "[") and value[-1:] in ("}", "]"):
            try:
                inside = orjson.loads(value)
            except orjson.JSONDecodeError:
                return self._text(value, at, visit)
            before = len(visit.findings)
            done = self._value(inside, at, visit)
            return value if len(visit.findings) == before else orjson.dumps(done).decode()
        return self._text(value, at, visit)

    def _number(self, value: int, at: str, visit: _Visit) -> int | str:
        """A number that is a phone or a card, written without quotes; its pseudonym is a number again."""
        done = self._text(str(value), at, visit)
        if done == str(value):
            return value
        return int(done) if done.isdigit() and done[0] != "0" else done

    def _text(self, text: str, at: str, visit: _Visit) -> str:
        spans = self._find(text, at)
        if not spans:
            return text
        done, own = self._replace(text, spans, visit)
        left = [] if visit.forced else self._left(done, own, at)
        for _ in range(_ROUNDS):
            if not left:
                break
            # A fake name can make its neighbours readable: "D. Jeff Dionne" was seen as "Jeff Dionne", but its fake
            # "D. Richard Garcia" is seen whole. So the whole is replaced, from the text as it was.
            spans = _merged(spans, [_origin(span, own, spans) for span in left])
            done, own = self._replace(text, spans, visit)
            left = self._left(done, own, at)
        for span in spans:
            policy = visit.forced or self._policy(span.kind)
            visit.findings.append(Finding(visit.row_id, at, span.start, span.end, span.kind, span.confidence, policy))
        for span in left:
            policy = self._policy(span.kind)
            found = Finding(visit.row_id, at, span.start, span.end, span.kind, span.confidence, policy, leftover=True)
            visit.findings.append(found)
        visit.changed = visit.changed or done != text
        return done

    def _replace(self, text: str, spans: Sequence[Span], visit: _Visit) -> tuple[str, list[tuple[int, int]]]:
        pieces: list[tuple[Span, str | None]] = []
        for span in spans:
            policy = visit.forced or self._policy(span.kind)
            pieces.append((span, self._replacement(span, text[span.start : span.end], policy)))
        return _replaced(text, pieces)

    def _find(self, text: str, at: str) -> list[Span]:
        label = _label(at)
        whole, shift = label + text, len(label)
        spans = self._known.get(whole)
        if spans is None:
            if self._asked is not None:
                self._asked[whole] = None
                return []
            spans = next(self._found((whole,)))
        if not shift:
            return spans
        return [replace(s, start=s.start - shift, end=s.end - shift) for s in spans if s.start >= shift]

    def _replacement(self, span: Span, value: str, policy: Policy) -> str | None:
        if policy == "keep":
            return None
        if policy == "mask":
            return mask(span.kind, value)
        if policy == "pseudonym":
            return fake(span.kind, value, self._key)
        return f"[{span.kind}]"

    def _left(self, done: str, own: list[tuple[int, int]], at: str) -> list[Span]:
        """What the output still holds outside of what redaction wrote (or left there by policy)."""
        found = []
        for span in self._find(done, at):
            inside = sum(max(0, min(span.end, end) - max(span.start, start)) for start, end in own)
            # A span that reaches a character or so over our own value is a matter of its edges, not a value.
            if span.end - span.start - inside > 1:
                found.append(span)
        return found


_ROUNDS = 2
_AT_ONCE = 256
_TOOL_KEYS = frozenset(("name", "type", "required", "$ref", "format"))
_CALL_KEYS = frozenset(("name", "type", "id"))


def _label(at: str) -> str:
    """The key of a value in an object, as the label in front of it: a value alone has no context."""
    if not at.startswith("metadata.") and ".arguments" not in at:
        return ""
    name = at.rsplit(".", 1)[-1].rstrip("]0123456789[")
    return f"{name}: " if name and name.isascii() else f"{name}：" if name else ""


def _origin(span: Span, own: Sequence[tuple[int, int]], spans: Sequence[Span]) -> Span:
    """A span of the output in the text before: where it reaches into a replacement, all of what was replaced."""
    start, end = span.start, span.end
    shift_start = shift_end = 0
    for (low, high), old in zip(own, spans, strict=True):
        if high <= span.start:
            shift_start = old.end - high
        elif low <= span.start:
            start, shift_start = old.start, 0
        if high <= span.end:
            shift_end = old.end - high
        elif low < span.end:
            end, shift_end = old.end, 0
    return replace(span, start=start + shift_start, end=end + shift_end)


def _merged(spans: Sequence[Span], more: Sequence[Span]) -> list[Span]:
    """Both, and one span where they overlap; the kind is that of the longer one."""
    merged: list[Span] = []
    for span in sorted((*spans, *more), key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            longer = max((last, span), key=lambda one: one.end - one.start)
            merged[-1] = replace(longer, start=last.start, end=max(last.end, span.end))
        else:
            merged.append(span)
    return merged


def _replaced(text: str, pieces: Sequence[tuple[Span, str | None]]) -> tuple[str, list[tuple[int, int]]]:
    """The text with its spans replaced (None: left), and where the replacements and the left ones stand in it."""
    parts: list[str] = []
    own: list[tuple[int, int]] = []
    at = size = 0
    for span, new in pieces:
        value = text[span.start : span.end] if new is None else new
        parts += (text[at : span.start], value)
        size += span.start - at
        own.append((size, size + len(value)))
        size += len(value)
        at = span.end
    return "".join((*parts, text[at:])), own
