"""Recipe section `serve`: the engine and the door in front of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from danlu.recipe.section import Section


class TransformersEngine(Section):
    """Continuous batching over plain transformers models."""

    type: Literal["transformers"] = "transformers"


class FakeEngine(Section):
    """Answers with a fixed text, token by token; for tests of everything around an engine."""

    type: Literal["fake"] = "fake"
    answer: str = "This is a fake answer."


Engine = Annotated[TransformersEngine | FakeEngine, Field(discriminator="type")]


class ServeSection(Section):
    """`danlu serve`: where it listens and what it allows."""

    host: str = Field(default="127.0.0.1", description="0.0.0.0 opens it to the network")
    port: int = Field(default=8000, ge=0, le=65535, description="0 picks a free port")
    engine: Engine = TransformersEngine()
    max_batch: int = Field(default=8, ge=1, description="answers generated at once")
    max_waiting: int = Field(default=64, ge=0, description="requests that may wait; one more is refused with 503")
    max_new_tokens: int = Field(default=512, ge=1, description="limit of one answer, and the default")
