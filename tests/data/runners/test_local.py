"""The runner of this machine's processes: one pool for all passes, ended with it."""

from __future__ import annotations

import pytest

from danlu.data.runners.local import SMALL, LocalProcesses
from danlu.recipe.data import LocalRunner

ITEMS = list(range(-SMALL, SMALL))


def test_all_passes_share_the_processes_and_close_ends_them() -> None:
    runner = LocalProcesses(LocalRunner(workers=2))
    assert list(runner.map(abs, ITEMS)) == [abs(item) for item in ITEMS]
    pool = runner._pool
    assert pool is not None
    assert list(runner.map(abs, ITEMS)) == [abs(item) for item in ITEMS] and runner._pool is pool
    with pytest.raises(TypeError):
        list(runner.map(abs, [*ITEMS, "no number"]))  # type: ignore[list-item]
    runner.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(abs, 1)


@pytest.mark.parametrize(("workers", "items"), [(1, ITEMS), (4, ITEMS[: SMALL - 1])])
def test_small_data_stays_in_this_process(workers: int, items: list[int]) -> None:
    runner = LocalProcesses(LocalRunner(workers=workers))
    assert list(runner.map(abs, items)) == [abs(item) for item in items]
    assert runner._pool is None
    runner.close()
