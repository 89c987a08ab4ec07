"""Shards on disk: the rows and features that a corpus gives are those that live, however they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from danlu.data import shards as shards_module
from danlu.data.row import Row
from danlu.data.shards import Books, ShardCorpus, ShardFolder

ROWS = [Row(f"f:{n}", "f", n, text=f"text {n}", labels=("a",), metadata={"n": n}) for n in range(10)]
LIVING = [np.array([True, False, True, True]), np.array([False, False]), np.array([True, True, False, True])]
ALIVE = [ROWS[n] for n in (0, 2, 3, 6, 7, 9)]


@pytest.fixture
def corpus(tmp_path: Path) -> ShardCorpus:
    folder, start = ShardFolder(tmp_path), 0
    for index, mask in enumerate(LIVING):
        own = ROWS[start : start + len(mask)]
        numbers = np.array([row.line for row in own])
        folder.write_features(index, "step", {"line": numbers, "pair": np.stack([numbers, -numbers], axis=1)})
        folder.write(index, own, Books(positions=list(range(len(own)))))
        start += len(mask)
    return ShardCorpus(folder, LIVING)


@pytest.mark.parametrize("asked", [[], [0], [5, 0, 3], [2, 2, 1, 2], list(range(6))])
def test_rows_come_in_the_order_asked_for(corpus: ShardCorpus, asked: list[int]) -> None:
    assert corpus.rows(asked) == [ALIVE[position] for position in asked]
    assert corpus.rows(np.array(asked, np.int64)) == [ALIVE[position] for position in asked]  # type: ignore[arg-type]


def test_batches_are_the_living_rows(corpus: ShardCorpus) -> None:
    assert [row for batch in corpus.batches() for row in batch] == ALIVE
    assert len(corpus) == 6 and corpus.locate(3) == (2, 0) and corpus.locate(5) == (2, 3)


def test_only_the_rows_asked_for_are_read_from_json(corpus: ShardCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    load = shards_module.load_row

    def counted(line: bytes) -> Any:
        read.append(line)
        return load(line)

    monkeypatch.setattr(shards_module, "load_row", counted)
    corpus.rows([1, 4])
    assert len(read) == 2


def test_features_are_those_of_the_living_rows(corpus: ShardCorpus) -> None:
    found = corpus.features("step")
    lines = [row.line for row in ALIVE]
    assert found["line"].tolist() == lines
    assert found["pair"].tolist() == [[line, -line] for line in lines]
    assert found["line"].dtype == np.int64
    assert ShardCorpus(corpus.shards, []).features("step") == {}
