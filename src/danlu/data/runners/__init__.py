"""Runners: where the passes over shards run. All give the same results, row for row."""

from danlu.recipe.choices import Choices

RUNNERS = Choices(
    "runner",
    {
        "local": "danlu.data.runners.local:LocalProcesses",
        "ray": "danlu.data.runners.ray_data:RayData",
    },
)
