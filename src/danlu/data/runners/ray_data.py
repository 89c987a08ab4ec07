"""Ray Data: the same passes over shards on one machine or a cluster that shares the workspace's disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from danlu.recipe.choices import optional
from danlu.recipe.data import RayRunner

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items of a pass are handed over in blocks of this many, so that a source is never held whole
BLOCK = 64


class RayData:
    """The runner of `{type: ray}`."""

    def __init__(self, config: RayRunner) -> None:
        self._ray = optional("ray", "ray")
        if not self._ray.is_initialized():
            # Ray's dashboard and log forwarding would write between danlu's own lines
            self._ray.init(address=config.address, include_dashboard=False, log_to_driver=False, logging_level="error")

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """`task(item)` for each item, in order."""
        data = optional("ray.data", "ray")
        data.DataContext.get_current().enable_progress_bars = False
        data.DataContext.get_current().execution_options.preserve_order = True
        block: list[dict[str, Any]] = []
        for item in items:
            block.append({"item": pickle.dumps((task, item))})
            if len(block) == BLOCK:
                yield from self._run(data, block)
                block = []
        if block:
            yield from self._run(data, block)

    def close(self) -> None:
        """Ray stays up: whoever runs this process may use it again."""

    def _run(self, data: Any, block: list[dict[str, Any]]) -> Iterator[Any]:
        for row in data.from_items(block, override_num_blocks=len(block)).map(_call).iter_rows():
            yield pickle.loads(row["result"])


def _call(row: dict[str, Any]) -> dict[str, Any]:
    """Run one pickled task; pickles travel between our own processes only, never from data."""
    task, item = pickle.loads(row["item"])
    return {"result": pickle.dumps(task(item))}
