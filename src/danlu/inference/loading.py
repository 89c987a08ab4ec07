"""From the recipe's `serve.engine` and a model folder to an engine."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from danlu.inference.engine import Engine
from danlu.inference.engines import ENGINES
from danlu.models.identity import seedling_folder
from danlu.recipe import serve as recipe


def load_engine(
    config: recipe.Engine, folder: Path | None, *, max_batch: int, device: str | None = None, dtype: str = "auto"
) -> Engine:
    """An engine over the model of a folder.

    Args:
        config: picks the engine by its type.
        folder: model and tokenizer; None: the seedling's.
        max_batch: most answers in work at once.
        device: where the model goes; None: the first GPU that works, else the CPU.
        dtype: 'auto' (the file's own, but never bf16 where the device cannot multiply it), 'fp32' or 'bf16'.

    Raises:
        UserError: the folder is no model, or not one that this engine can run.
    """
    kind = ENGINES.load(config.type)
    path = seedling_folder() if folder is None else folder
    return cast(Engine, kind.from_folder(path, config, max_batch=max_batch, device=device, dtype=dtype))
