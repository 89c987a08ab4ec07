"""The table of trackers; each is imported when it is picked."""

from __future__ import annotations

from collections.abc import Iterable

from danlu.pipeline.tracker import Tracker
from danlu.recipe import track as recipe
from danlu.recipe.choices import Choices

TRACKERS = Choices(
    "tracker",
    {
        "tensorboard": "danlu.pipeline.trackers.tensorboard:TensorBoard",
        "mlflow": "danlu.pipeline.trackers.mlflow:Mlflow",
        "wandb": "danlu.pipeline.trackers.wandb:Wandb",
        "swanlab": "danlu.pipeline.trackers.swanlab:Swanlab",
    },
)


def build_trackers(configs: Iterable[recipe.Tracker]) -> dict[str, Tracker]:
    """Type -> tracker, each with its package imported.

    Raises:
        UserError: a package is missing; the fix is the install line.
    """
    return {config.type: TRACKERS.load(config.type)(config) for config in configs}
