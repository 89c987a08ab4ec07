"""Windows behind halves of their hashes, against a plain dictionary of windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from danlu.data import window_table
from danlu.data.comparison_units import U64, window_blocks, window_keys, windows
from danlu.data.window_table import WindowTable

SIZE = 3


def made(texts: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Units of few kinds, so that windows repeat; some texts have none or fewer than a window."""
    r = np.random.default_rng(seed)
    lengths = r.integers(0, 12, texts)
    return r.integers(1, 5, int(lengths.sum())).astype(U64), np.concatenate([[0], np.cumsum(lengths)])


def plain(hashes: np.ndarray, starts: np.ndarray, chosen: np.ndarray) -> dict[tuple[int, ...], list[int]]:
    found: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for text in np.flatnonzero(chosen).tolist():
        for start in range(int(starts[text]), int(starts[text + 1]) - SIZE + 1):
            found[tuple(hashes[start : start + SIZE].tolist())].append(start)
    return found


def found_keys(hashes: np.ndarray, positions: np.ndarray, size: int) -> np.ndarray:
    """As the table makes them."""
    keys: np.ndarray = vars(window_table)["window_keys"](hashes, positions, size)
    return keys


@pytest.fixture(params=["whole", "clashing"])
def halves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes as they are, and hashes whose upper halves are all one of two, so that unequal windows clash."""
    if request.param == "clashing":

        def clash(keys: np.ndarray) -> np.ndarray:
            return (keys >> U64(63) << U64(63)) | (keys & U64(0xFFFFFFFF))

        def blocks(*given: object) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
            for first, end, keys, positions in window_blocks(*given):  # type: ignore[arg-type]
                yield first, end, clash(keys), positions

        monkeypatch.setattr(window_table, "window_blocks", blocks)
        monkeypatch.setattr(window_table, "window_keys", lambda *given: clash(window_keys(*given)))
    yield


@pytest.mark.parametrize("at_once", [5, 1 << 20])
def test_windows_are_found_where_they_are(halves: None, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_table, "_AT_ONCE", at_once)
    hashes, starts = made(80)
    chosen = np.arange(80) % 3 != 1
    expected = plain(hashes, starts, chosen)
    table = WindowTable(hashes, starts, chosen, SIZE)
    assert len(table) == sum(map(len, expected.values()))
    every = [np.array(window, U64) for window in [*expected, (9, 9, 9), (1, 9, 1)]]
    keys = found_keys(np.concatenate(every), np.arange(len(every)) * SIZE, SIZE)
    which, positions = table.lookup(keys)
    found: dict[int, list[int]] = defaultdict(list)
    for index, position in zip(which.tolist(), positions.tolist(), strict=True):
        found[index].append(position)
    assert found == {index: places for index, places in enumerate(expected.values())}
    assert which.tolist() == sorted(which.tolist())


@pytest.mark.parametrize("at_once", [5, 1 << 20])
def test_windows_that_many_texts_may_share(halves: None, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_table, "_AT_ONCE", at_once)
    hashes, starts = made(60, seed=2)
    table = WindowTable(hashes, starts, np.ones(60, bool), SIZE)
    seen: dict[int, set[int]] = defaultdict(set)
    for keys, positions in table.shared(4):
        assert keys.tolist() == found_keys(hashes, positions, SIZE).tolist()
        for key in set(keys.tolist()):
            assert key not in seen  # equal windows come together
            seen[key] = set(positions[keys == key].tolist())
    often = {frozenset(places) for places in plain(hashes, starts, np.ones(60, bool)).values() if len(places) > 4}
    assert often and often <= {frozenset(places) for places in seen.values()}


def test_windows_in_which_nothing_counts_are_left_out() -> None:
    hashes, starts = np.arange(1, 11, dtype=U64), np.array([0, 10])
    counted = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1])  # only unit 5
    table = WindowTable(hashes, starts, np.array([True]), SIZE, counted)
    keys, _ = windows(hashes, starts, SIZE)
    which, positions = table.lookup(keys)
    assert which.tolist() == positions.tolist() == [3, 4, 5]


def test_an_empty_table_knows_nothing() -> None:
    table = WindowTable(np.zeros(0, U64), np.zeros(1, np.int64), np.zeros(0, bool), SIZE)
    assert not len(table) and not list(table.shared(1))
    assert not len(table.lookup(np.array([1, 2], U64))[0])


def test_more_units_than_positions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_table, "MOST_UNITS", 5)
    with pytest.raises(OverflowError, match="6 units"):
        WindowTable(np.ones(6, U64), np.array([0, 6]), np.array([True]), SIZE)
