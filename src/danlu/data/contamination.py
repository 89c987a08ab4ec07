"""Contamination: which training rows repeat evaluation items, and which items are thereby known to the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from danlu.data.comparison_units import U64, HashTable, Units, mixed, units_of, wholes, windows
from danlu.data.dirty_items import Dirty
from danlu.data.row import Row
from danlu.data.window_table import WindowTable

# Units of an n-gram: characters of scripts without spaces, and words (GPT-3's 13 and the 8 of Llama 2 and PaLM).
CHARACTERS, WORDS = 13, 8
# Shorter runs that so many distinct texts of the evaluation sets share are a template, and no evidence.
TEMPLATE_SHARE, TEMPLATE_COUNT = 0.01, 3
THRESHOLD = 0.5
# A part of a text is evidence from two n-grams' worth of units on: one alone is how instructions happen to begin.
ALMOST_ALL = 0.8
QUESTION, ANSWER, BOTH = "question", "answer", "question and answer"
_BATCH = 1024
# Units of evaluation texts compared with rows at a time.
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Hit:
    """The evaluation item that a training row repeats most of.

    Attributes:
        evaluation_set: name of its set.
        evaluation_row: id of the item (the first one, where several have the same text).
        share: how much of the item's question or answer stands in the training row, 0 to 1.
        part: what is repeated: 'question', 'answer', or 'question and answer' of a very short item.
    """

    evaluation_set: str
    evaluation_row: str
    share: float
    part: str

    def reason(self) -> str:
        """For the ledger; quotes no text."""
        return f"repeats {self.share:.0%} of the {self.part} of {self.evaluation_set} {self.evaluation_row}"


@dataclass(frozen=True)
class Found:
    """Every pair of a training row and a text of an evaluation set that it repeats; plain arrays of one length.

    Attributes:
        row: position of the training row in its batch.
        part: number of the evaluation text in the index.
        share: of the text that stands in the row, at least the index's threshold.
    """

    row: np.ndarray
    part: np.ndarray
    share: np.ndarray


@dataclass
class _Parts:
    """Distinct texts of the evaluation items: what is compared, and which item has it first."""

    number: dict[tuple[str, int], int] = field(default_factory=dict)
    kind: list[str] = field(default_factory=list)
    item: list[int] = field(default_factory=list)
    units: list[np.ndarray] = field(default_factory=list)
    single: list[float] = field(default_factory=list)

    def add(self, kind: str, whole: int, item: int, units: np.ndarray, single: float) -> int:
        """The number of this text; a new one if it was not seen."""
        number = self.number.setdefault((kind, whole), len(self.kind))
        if number == len(self.kind):
            self.kind.append(kind)
            self.item.append(item)
            self.units.append(units)
            self.single.append(single)
        return number


class ContaminationIndex:
    """The n-grams of evaluation sets, against which batches of training rows are compared.

    An item's question (all turns but the system's and the assistant's) and its answer are two texts. A training row
    that shares an n-gram with one is looked at: the text is repeated when runs of n // 2 units that both have cover
    at least `threshold` of its units (and 2 n of them, or nearly all). Units are characters for texts mostly of
    scripts without spaces (n = 13), else words (n = 8), after NFKC, case folding and removal of punctuation. Runs
    of n // 2 that more than 1 % (and more than 3) of the distinct evaluation texts share are a template: their
    units count neither as covered nor as to be covered. A question with fewer than n other units is compared whole
    with the turns of training rows; one with fewer than n // 2 together with its answer. A short answer alone and
    the label of a classification row are never evidence.

    Args:
        sets: rows of each evaluation set by its name; read once, texts are not kept.
        threshold: share of a text that must stand in one training row.

    The index is plain arrays: it can be pickled to workers.
    """

    def __init__(self, sets: Mapping[str, Iterable[Row]], threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self.items: list[tuple[str, str]] = []
        self.sizes: dict[str, int] = dict.fromkeys(sets, 0)
        self._item_parts: list[tuple[int, ...]] = []
        parts = _Parts()
        for name, rows in sets.items():
            iterator = iter(rows)
            while batch := list(islice(iterator, _BATCH)):
                self._add(name, batch, parts)
        self._kind, self._first_item = parts.kind, np.array(parts.item, np.int64)
        self._starts = np.concatenate([[0], np.cumsum([len(u) for u in parts.units])]).astype(np.int64)
        self._units = np.concatenate([np.zeros(0, U64), *parts.units])
        parts.units.clear()
        spaceless = np.array(parts.single) >= 0.5
        self._size = np.where(spaceless, CHARACTERS, WORDS).astype(np.int64)
        self._counted = self._counts([spaceless, ~spaceless])
        self._total = np.diff(self._counted[self._starts]).astype(np.int64)
        self._tables = {
            size: WindowTable(
                self._units, self._starts, (self._size == size) & (self._total >= size), size, self._counted
            )
            for size in (CHARACTERS, WORDS)
        }
        self._whole = self._short_items(parts)

    def hits(self, rows: Sequence[Row]) -> list[Hit | None]:
        """For each training row the item that it repeats most of, or None; independent of the batch."""
        return self.best(self.found(rows), len(rows))

    def best(self, found: Found, count: int) -> list[Hit | None]:
        """`hits`, for `count` rows whose pairs are found already."""
        result: list[Hit | None] = [None] * count
        for index in np.lexsort((found.part, -found.share, found.row)).tolist():
            row, part = int(found.row[index]), int(found.part[index])
            if result[row] is None:
                name, item = self.items[int(self._first_item[part])]
                result[row] = Hit(name, item, float(found.share[index]), self._kind[part])
        return result

    def found(self, rows: Sequence[Row]) -> Found:
        """Every evaluation text that each training row repeats."""
        found = [self._found(rows[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
        if not found:
            return Found(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        return Found(
            np.concatenate([part.row + index * _BATCH for index, part in enumerate(found)]),
            np.concatenate([part.part for part in found]),
            np.concatenate([part.share for part in found]),
        )

    def _found(self, rows: Sequence[Row]) -> Found:
        segments = _Segments(rows)
        units = units_of(segments.texts)
        found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
        sides = units.starts[segments.side_starts]
        for size, table in self._tables.items():
            if len(table):
                keys, positions = windows(units.hashes, sides, size)
                which, at = table.lookup(keys)
                side = np.searchsorted(sides, positions[which], side="right") - 1
                found.append(self._covered(side // 2, at, size, (units.hashes, sides)))
        if len(self._whole.hashes):
            where, keys = segments.short(units)
            which, at = self._whole.lookup(keys)
            found.append((where[which], at, np.ones(len(at))))
        row, part, share = (np.concatenate(column) for column in zip(*found, strict=True))
        return _unique(row, part, share)

    def credible(self, founds: Sequence[Found]) -> list[Found]:
        """What is left of all batches' `found` without answers that more than three training rows give.

        Such an answer is how this data answers (a class in a sentence, a set phrase), and no sign of a leak; a row that
        repeats the question as well is still found by that.
        """
        answers = np.array([kind == ANSWER for kind in self._kind], bool)
        rows = np.zeros(len(self._kind), np.int64)
        for found in founds:
            np.add.at(rows, found.part, 1)
        common = answers & (rows > TEMPLATE_COUNT)
        return [_kept(found, ~common[found.part]) for found in founds]

    def dirty(self, founds: Iterable[Found]) -> Dirty:
        """The evaluation items that training rows (all batches' `found`) repeat, by set."""
        seen = np.zeros(len(self._kind), bool)
        for found in founds:
            seen[found.part] = True
        items: dict[str, list[str]] = {name: [] for name in self.sizes}
        for (name, row), parts in zip(self.items, self._item_parts, strict=True):
            if any(seen[part] for part in parts):
                items[name].append(row)
        return Dirty(self.sizes, items)

    def _add(self, name: str, rows: list[Row], parts: _Parts) -> None:
        texts = [text for row in rows for text in (_joined(_asked(row)), _joined(_answered(row)))]
        units = units_of(texts)
        keys = wholes(units.hashes, units.starts).tolist()
        pairs = _paired(np.array(keys[::2], U64), np.array(keys[1::2], U64)).tolist()
        for index, row in enumerate(rows):
            item, chosen = len(self.items), []
            for kind, place in ((QUESTION, 2 * index), (ANSWER, 2 * index + 1)):
                own = slice(units.starts[place], units.starts[place + 1])
                if own.stop > own.start and not (kind == ANSWER and row.classified):
                    single = float(units.single[own].mean())
                    chosen.append(parts.add(kind, keys[place], item, units.hashes[own], single))
            chosen.append(parts.add(BOTH, pairs[index], item, np.zeros(0, U64), 0.0))
            self.items.append((name, row.id))
            self._item_parts.append(tuple(chosen))
            self.sizes[name] += 1

    def _counts(self, groups: list[np.ndarray]) -> np.ndarray:
        """Prefix sum over all units of those that are no template, [units + 1]; `groups` are masks over the texts."""
        template = np.zeros(len(self._units) + 1, np.int32)
        for group in groups:
            texts = group & (np.diff(self._starts) > 0)
            if not texts.any():
                continue
            size = int(self._size[texts][0]) // 2
            most = max(TEMPLATE_COUNT, TEMPLATE_SHARE * int(texts.sum()))
            for keys, positions in WindowTable(self._units, self._starts, texts, size).shared(int(most)):
                shared = self._shared(keys, positions, most)
                np.add.at(template, shared, 1)
                np.add.at(template, shared + size, -1)
        np.cumsum(template, out=template)
        counted = np.zeros(len(template), np.uint32)
        np.cumsum(template[:-1] == 0, out=counted[1:])
        return counted

    def _shared(self, keys: np.ndarray, positions: np.ndarray, most: float) -> np.ndarray:
        """Positions of the windows whose key stands in more than so many texts."""
        _, number = np.unique(keys, return_inverse=True)
        pairs = np.unique(number * np.int64(len(self._kind)) + self._part_of(positions)) // len(self._kind)
        often = np.bincount(pairs) > most
        return np.asarray(positions[often[number]])

    def _part_of(self, positions: np.ndarray) -> np.ndarray:
        """The texts in which these units stand."""
        return np.searchsorted(self._starts, positions, side="right") - 1

    def _short_items(self, parts: _Parts) -> HashTable:
        """Whole texts of the questions that are too short for n-grams; with their answers if they are very short."""
        keys, numbers = [], []
        length = np.diff(self._starts)
        whole_of = {number: whole for (_, whole), number in parts.number.items()}
        for chosen in self._item_parts:
            asked = next((p for p in chosen if self._kind[p] == QUESTION), None)
            if asked is None or self._total[asked] >= self._size[asked]:
                continue
            very_short = length[asked] < self._size[asked] // 2
            number = chosen[-1] if very_short else asked
            keys.append(whole_of[number])
            numbers.append(number)
        pairs = dict(zip(numbers, keys, strict=True))
        return HashTable(np.array(list(pairs.values()), U64), np.array(list(pairs), np.int64))

    def _covered(
        self, rows: np.ndarray, at: np.ndarray, size: int, texts: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row, part, share) of the texts that share an n-gram with a row and stand in it enough.

        Args:
            rows: of the shared n-grams.
            at: their unit positions in the index.
            size: n.
            texts: unit hashes of the rows, and where each row's asked and answered sides begin.
        """
        stride = max(1, len(self._kind))
        rows, parts = np.divmod(np.unique(rows * np.int64(stride) + self._part_of(at)), np.int64(stride))
        lengths = np.diff(self._starts)[parts]
        block = np.cumsum(lengths) // _BLOCK
        covered = [np.zeros(0, np.int64)]
        for number in np.unique(block):
            own = block == number
            covered.append(self._units_covered(rows[own], parts[own], size // 2, texts))
        counts = np.concatenate(covered)
        share = counts / self._total[parts]
        enough = (share >= self.threshold) & ((share >= ALMOST_ALL) | (counts >= 2 * size))
        return rows[enough], parts[enough], share[enough]

    def _units_covered(
        self, rows: np.ndarray, parts: np.ndarray, run: int, texts: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """For each pair, how many counted units of the part lie in runs of units that the row has too."""
        hashes, sides = texts
        distinct = np.unique(rows)
        both = np.stack([2 * distinct, 2 * distinct + 1], axis=1).ravel()
        units, starts = _gathered(sides[both], sides[both + 1])
        keys, positions = windows(hashes[units], starts, run)
        owner = np.repeat(distinct, 2)[np.searchsorted(starts, positions, side="right") - 1]
        known = mixed(keys ^ mixed(owner.astype(U64)))
        units, starts = _gathered(self._starts[parts], self._starts[parts + 1])
        keys, positions = windows(self._units[units], starts, run)
        owner = rows[np.searchsorted(starts, positions, side="right") - 1]
        shared = positions[np.isin(mixed(keys ^ mixed(owner.astype(U64))), known)]
        depth = np.bincount(shared, minlength=len(units) + 1) - np.bincount(shared + run, minlength=len(units) + 1)
        counted = self._counted[units + 1] > self._counted[units]
        covered = np.concatenate([[0], np.cumsum(counted & (np.cumsum(depth)[:-1] > 0))])
        return np.asarray(covered[starts[1:]] - covered[starts[:-1]])


class _Segments:
    """The texts of training rows: for each row its asked ones, then its answers."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.texts: list[str] = []
        starts: list[int] = []
        self._asked: list[tuple[int, int, int]] = []
        for index, row in enumerate(rows):
            asked, answers = _asked(row), _answered(row)
            starts += [len(self.texts), len(self.texts) + len(asked)]
            for turn in range(len(asked)):
                answer = len(self.texts) + len(asked) + turn if turn < len(answers) else -1
                self._asked.append((index, len(self.texts) + turn, answer))
            self.texts += asked
            self.texts += answers
            self.texts += [m["content"] for m in row.rejected]
        self.side_starts = np.array([*starts, len(self.texts)], np.int64)

    def short(self, units: Units) -> tuple[np.ndarray, np.ndarray]:
        """(row, key) of each asked turn by itself and with its answer."""
        empty = wholes(np.zeros(0, U64), np.zeros(2, np.int64))
        keys = np.append(wholes(units.hashes, units.starts), empty)
        rows, asked, answers = np.array(self._asked, np.int64).reshape(-1, 3).T
        return np.concatenate([rows, rows]), np.concatenate([keys[asked], _paired(keys[asked], keys[answers])])


def _unique(rows: np.ndarray, parts: np.ndarray, shares: np.ndarray) -> Found:
    """Each pair once, in order, with its largest share."""
    order = np.lexsort((-shares, parts, rows))
    rows, parts, shares = rows[order], parts[order], shares[order]
    new = np.ones(len(rows), bool)
    new[1:] = (np.diff(rows) != 0) | (np.diff(parts) != 0)
    return Found(rows[new], parts[new], shares[new])


def _gathered(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of several ranges one after the other, and where each begins among them (and the last ends)."""
    lengths = ends - starts
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(bounds[-1]) + np.repeat(starts - bounds[:-1], lengths), bounds


def _kept(found: Found, mask: np.ndarray) -> Found:
    return Found(found.row[mask], found.part[mask], found.share[mask])


def _paired(asked: np.ndarray, answered: np.ndarray) -> np.ndarray:
    return mixed(asked * U64(0x9E3779B97F4A7C15) + answered)


def _joined(texts: Sequence[str]) -> str:
    return "\n".join(texts)


def _asked(row: Row) -> list[str]:
    """What the row asks, a turn each; the system's instructions are no content of an item."""
    if not row.messages:
        return [row.text]
    return [m["content"] for m in row.messages if m["role"] not in ("assistant", "system")]


def _answered(row: Row) -> list[str]:
    """What the row answers, a turn each."""
    return [m["content"] for m in row.messages if m["role"] == "assistant"]
