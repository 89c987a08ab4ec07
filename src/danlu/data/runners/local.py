"""Processes of this machine; small data stays in the process that asks."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from danlu.recipe.data import LocalRunner

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below this many shards, starting processes (each imports the libraries anew) costs more than it gives
SMALL = 8


class LocalProcesses:
    """The runner of `{type: local}`: a pool of processes, results in order, a bounded number of items on the way."""

    def __init__(self, config: LocalRunner) -> None:
        self.workers = config.workers or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`task(item)` for each item, in order. `task` and items must be picklable; an error of a task is raised."""
        stream = iter(items)
        head = list(itertools.islice(stream, SMALL))
        if self.workers == 1 or len(head) < SMALL:
            yield from map(task, itertools.chain(head, stream))
            return
        if self._pool is None:
            # Not fork: the tokenizer's and torch's threads do not survive it
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_start)
        waiting: deque[Future[Result]] = deque()
        for item in itertools.chain(head, stream):
            waiting.append(self._pool.submit(task, item))
            if len(waiting) >= 3 * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def close(self) -> None:
        """End the processes, which pass after pass has used: each has imported the libraries by itself."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _start() -> None:
    """One thread a process, since the pool has a process per core already; and none outlives its parent."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed cannot end its processes; they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
