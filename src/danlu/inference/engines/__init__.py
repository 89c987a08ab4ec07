"""The table of engines; each is imported when it is picked."""

from __future__ import annotations

from danlu.recipe.choices import Choices

ENGINES = Choices(
    "engine",
    {
        "transformers": "danlu.inference.engines.transformers_engine:TransformersEngine",
        "fake": "danlu.inference.engines.fake:FakeEngine",
    },
)
