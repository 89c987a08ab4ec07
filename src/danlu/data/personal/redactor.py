"""Rows in, rows without personal data out, with an audit that holds places and kinds and never a value."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import orjson

from danlu.data.personal.engine import find_many
from danlu.data.personal.fakes import fake
from danlu.data.personal.masks import mask
from danlu.data.personal.places import Place, is_plain, new_key
from danlu.data.personal.replacing import merged, origin, replaced
from danlu.data.personal.scrubber import Scrubber
from danlu.data.personal.spans import Span
from danlu.data.personal.told_values import Told
from danlu.data.row import Dropped, Row
from danlu.recipe.redaction import Kind, Policy, RedactSection


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the audit.

    Attributes:
        row_id: of the row.
        field: where in it: `messages[2].content`, `text`, `labels[0]`, `rejected[0].content`, `metadata.user`,
            `tools[0].function.description`; `metadata.[EMAIL] (key)` for a key, whose value is never in a path.
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
class NewLabel:
    """A label of a classification row that redaction rewrote.

    Attributes:
        label: what it is now.
        kinds: what it held, such as `CN_NAME`.
        was: a keyed hash of what it was: labels that were different have different ones.
    """

    label: str
    kinds: str
    was: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """What became of a batch: a row or a Dropped for each row in order, the audit, and the labels rewritten."""

    items: list[Row | Dropped]
    findings: list[Finding]
    labels: frozenset[NewLabel] = frozenset()


@dataclass(slots=True)
class _Visit:
    """One row on its way.

    Attributes:
        row_id: of the row.
        forced: a policy in place of the recipe's.
        looking: whether values are only noted yet, so that each is replaced in all places of the row.
        told: the values noted.
        found: whether anything was found.
        findings: what was replaced so far.
        changed: whether the row is another one now.
    """

    row_id: str
    forced: Policy | None = None
    looking: bool = True
    told: Told = field(default_factory=Told)
    found: bool = False
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
        self._scrubber = Scrubber(config)
        self._shown: dict[str, str] = {}

    def redact(self, rows: Sequence[Row]) -> Redacted:
        """Every string, number and key of every row, also inside tool calls, tool descriptions and metadata.

        A value that is found in one place of a row goes in all of them. What something is called by (functions, their
        parameters in tool descriptions and calls) goes where it holds a number, an address or a secret; a word that
        looks like a person's name stays there.
        """
        items: list[Row | Dropped] = []
        findings: list[Finding] = []
        labels: set[NewLabel] = set()
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
                labels.update(self._new_labels(row, done, visit.findings))
        self._known, self._shown = {}, {}
        return Redacted(items, findings, frozenset(labels))

    def _new_labels(self, row: Row, done: Row, findings: Sequence[Finding]) -> Iterator[NewLabel]:
        for index, (was, label) in enumerate(zip(row.labels, done.labels, strict=True)):
            if was != label:
                kinds = sorted({f.kind for f in findings if f.field == f"labels[{index}]"})
                secret = hashlib.blake2b(was.encode(), digest_size=8, key=self._key[:64])
                yield NewLabel(label, ", ".join(kinds), secret.hexdigest())

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

    def _found(self, texts: Sequence[str]) -> Iterator[list[Span]]:
        for at in range(0, len(texts), _AT_ONCE):
            part = texts[at : at + _AT_ONCE]
            yield from find_many(part, names=self._config.names, min_confidence=self._config.min_confidence)

    def _policy(self, kind: Kind) -> Policy:
        return self._config.kinds.get(kind, self._config.policy)

    def _row(self, row: Row, visit: _Visit) -> Row:
        self._rewritten(row, visit)
        if not visit.found:
            return row
        visit.looking = False
        fields = self._rewritten(row, visit)
        return row.rewritten("redact", **fields) if visit.changed else row

    def _rewritten(self, row: Row, visit: _Visit) -> dict[str, Any]:
        """The fields of a row that may hold something."""
        labels = tuple(self._text(label, Place(f"labels[{i}]"), visit) for i, label in enumerate(row.labels))
        given, answer = list(row.messages), _BETWEEN.join(row.labels)
        spelled = bool(labels and given) and given[-1]["content"] == answer
        if spelled:  # the answer says what the labels say, however it would be judged by itself
            given[-1] = {**given[-1], "content": ""}
            visit.findings += _spelled_out(visit.findings, row.labels, f"messages[{len(given) - 1}].content")
        messages = [self._message(m, f"messages[{i}]", visit) for i, m in enumerate(given)]
        if spelled:
            messages[-1]["content"] = _BETWEEN.join(labels)
        return {
            "labels": labels,
            "messages": tuple(messages),
            "text": self._text(row.text, Place("text"), visit) if row.text else "",
            "rejected": tuple(self._message(m, f"rejected[{i}]", visit) for i, m in enumerate(row.rejected)),
            "tools": tuple(self._value(t, Place(f"tools[{i}]"), visit, _TOOL_KEYS) for i, t in enumerate(row.tools)),
            "metadata": self._object(row.metadata, Place("metadata", labelled=True), visit),
        }

    def _message(self, message: Mapping[str, Any], at: str, visit: _Visit) -> dict[str, Any]:
        done = dict(message)
        for name in ("content", "reasoning_content", "name", "tool_call_id"):
            if isinstance(done.get(name), str) and done[name]:
                tool = message.get("role") == "tool"
                place = Place(f"{at}.{name}", called=name == "tool_call_id" or (tool and name == "name"))
                # What a tool answers is often JSON and has to stay it.
                done[name] = (self._string if tool else self._text)(done[name], place, visit)
        if message.get("tool_calls"):
            done["tool_calls"] = self._value(message["tool_calls"], Place(f"{at}.tool_calls"), visit, _CALL_KEYS)
        return done

    def _value(self, value: Any, place: Place, visit: _Visit, fixed: frozenset[str] = frozenset()) -> Any:
        """A JSON value with its strings redacted; a string that is JSON itself stays JSON.

        `fixed`: keys of a description or a call whose values mean something to those who read it.
        """
        if isinstance(value, str):
            return self._string(value, place, visit)
        if isinstance(value, Mapping):
            return self._object(value, place, visit, fixed)
        if isinstance(value, (list, tuple)):
            return [self._value(item, place.item(i), visit, fixed) for i, item in enumerate(value)]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= 10**6:
            return self._number(value, place, visit)
        return value

    def _object(
        self, value: Mapping[str, Any], place: Place, visit: _Visit, fixed: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        done: dict[str, Any] = {}
        for key, item in value.items():
            if key in fixed and not isinstance(item, Mapping):  # a parameter that has such a name is described there
                done[key] = self._value(item, place.named(key), visit) if key in _CALLED else item
            elif fixed and key in _DATA:
                done[key] = self._value(item, place.data(key), visit)
            else:
                new, inner = self._new_key(key, place if not fixed else place._replace(called=True), visit)
                done[new_key(new, key, done, value)] = self._value(item, inner, visit, fixed)
        return done

    def _new_key(self, key: str, place: Place, visit: _Visit) -> tuple[str, Place]:
        """A key as it may stand in the row, and the place of its value."""
        if is_plain(key):
            return key, place.below(key, key)
        if key not in self._shown:
            self._shown[key] = self._scrubber.scrub(key)
        done = self._text(key, place.below("", self._shown[key])._replace(key=True, called=place.called), visit)
        shown = self._shown[key] if self._shown[key] != key else done
        return done, place.below(key if shown == key else "", shown)

    def _string(self, value: str, place: Place, visit: _Visit) -> str:
        if value[:1] in ("{", "[") and value[-1:] in ("}", "]"):
            try:
                inside = orjson.loads(value)
            except orjson.JSONDecodeError:
                return self._text(value, place, visit)
            before = len(visit.findings)
            done = self._value(inside, place, visit)
            return value if len(visit.findings) == before else orjson.dumps(done).decode()
        return self._text(value, place, visit)

    def _number(self, value: float, place: Place, visit: _Visit) -> float | str:
        """A number that is a phone or a card, written without quotes; its pseudonym is a number again."""
        if isinstance(value, float) and not value.is_integer():
            return value
        digits = str(int(value))
        done = self._text(digits, place, visit)
        if done == digits:
            return value
        return type(value)(int(done)) if done.isdigit() and done[0] != "0" else done

    def _text(self, text: str, place: Place, visit: _Visit) -> str:
        spans = self._find(text, place)
        if visit.looking:
            if spans:
                visit.found = True
                visit.told.note(text, [span for span in spans if self._policy(span.kind) != "keep"])
            return text
        found = {(span.start, span.end) for span in spans}
        again = [span for span in visit.told.places(text) if (span.start, span.end) not in found]
        if again:
            spans = merged(spans, _fitting(again, place))
        if not spans:
            return text
        done, own = self._replace(text, spans, visit)
        left = [] if visit.forced else self._left(done, own, place)
        for _ in range(_ROUNDS):
            if not left:
                break
            # A fake name can make its neighbours readable: "D. Jeff Dionne" was seen as "Jeff Dionne", but its fake
            # "D. Richard Garcia" is seen whole. So the whole is replaced, from the text as it was.
            spans = merged(spans, [origin(span, own, spans) for span in left])
            done, own = self._replace(text, spans, visit)
            left = self._left(done, own, place)
        for leftover, seen in ((False, spans), (True, left)):
            for span in seen:
                policy = self._policy(span.kind) if leftover else visit.forced or self._policy(span.kind)
                visit.findings.append(
                    Finding(
                        visit.row_id, str(place), span.start, span.end, span.kind, span.confidence, policy, leftover
                    )
                )
        visit.changed = visit.changed or done != text
        return done

    def _replace(self, text: str, spans: Sequence[Span], visit: _Visit) -> tuple[str, list[tuple[int, int]]]:
        pieces: list[tuple[Span, str | None]] = []
        for span in spans:
            policy = visit.forced or self._policy(span.kind)
            pieces.append((span, self._replacement(span, text[span.start : span.end], policy)))
        return replaced(text, pieces)

    def _find(self, text: str, place: Place) -> list[Span]:
        # What was a whole number of a table with gaps is written with a point and a zero.
        told = _GAP_ZERO.sub(r"\1", text) if text.endswith(".0") else text
        whole, shift = place.label + told, len(place.label)
        spans = self._known.get(whole)
        if spans is None:
            if self._asked is not None:
                self._asked[whole] = None
                return []
            spans = next(self._found((whole,)))
        spans = _fitting(spans, place)
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

    def _left(self, done: str, own: list[tuple[int, int]], place: Place) -> list[Span]:
        """What the output still holds outside of what redaction wrote (or left there by policy)."""
        found = []
        for span in self._find(done, place):
            inside = sum(max(0, min(span.end, end) - max(span.start, start)) for start, end in own)
            # A span that reaches a character or so over our own value is a matter of its edges, not a value.
            if span.end - span.start - inside > 1:
                found.append(span)
        return found


_BETWEEN = ", "  # the labels of a row, in the answer that spells them out
_ROUNDS = 2
_AT_ONCE = 256
_NAMES = ("CN_NAME", "EN_NAME")
_TOOL_KEYS = frozenset(("name", "type", "required", "$ref", "format"))
_CALL_KEYS = frozenset(("name", "type", "id"))
_CALLED = frozenset(("name", "required"))
_DATA = frozenset(("arguments", "default", "examples", "enum"))
_GAP_ZERO = re.compile(r"^(-?[0-9]{7,})\.0\Z")


def _fitting(spans: list[Span], place: Place) -> list[Span]:
    """Those that count there: what something is called by is no person's name."""
    return [span for span in spans if span.kind not in _NAMES] if place.called else spans


def _spelled_out(findings: Sequence[Finding], labels: Sequence[str], place: str) -> list[Finding]:
    """What was found in the labels as it stands in the answer that spells them out; nothing else was visited yet."""
    starts = list(accumulate((len(label) + len(_BETWEEN) for label in labels), initial=0))
    found = []
    for finding in findings:
        shift = starts[int(finding.field.removeprefix("labels[").removesuffix("]"))]
        found.append(replace(finding, field=place, start=finding.start + shift, end=finding.end + shift))
    return found
