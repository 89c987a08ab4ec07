"""What writes for augmentation: a model behind an API, or one of this machine through Danlu's own engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import orjson
import xxhash

from danlu.data.augmentation import Write
from danlu.recipe.augmentation import AugmentSection, LocalWriter

LONGEST = 512


def build_writers(config: AugmentSection) -> dict[int, Write]:
    """Index of an augmentation step -> what writes for it; steps that need no model are not in it.

    Raises:
        UserError: an API key or a model is missing.
    """
    from danlu.data.writers import openai_writer

    found: dict[int, Write] = {}
    for index, step in enumerate(config.steps):
        writer = getattr(step, "writer", None)
        if isinstance(writer, LocalWriter):
            found[index] = engine_writer(partial(_load, writer.model))
        elif writer is not None:
            found[index] = openai_writer(writer)
    return found


def _load(model: str) -> Any:
    from danlu.inference.loading import load_engine
    from danlu.models.identity import resolve_model
    from danlu.recipe.serve import TransformersEngine

    return load_engine(TransformersEngine(), resolve_model(model).path, max_batch=16)


def engine_writer(load: Callable[[], Any]) -> Write:
    """Conversations in, texts out, over an engine that is loaded at the first call."""
    held: list[Any] = []

    def write(conversations: Sequence[list[dict[str, Any]]], temperature: float) -> list[str]:
        from danlu.inference.completion import GenerationRequest, Sampling
        from danlu.inference.engine import generate

        if not held:
            held.append(load())
        engine = held[0]
        requests = []
        for number, messages in enumerate(conversations):
            prompt = engine.renderer.encode_prompt(messages, thinking=False)
            room = max(1, min(LONGEST, engine.max_context - len(prompt)))
            # A seed of the conversation's own: its text does not depend on what else is written
            seed = xxhash.xxh3_64_intdigest(orjson.dumps(messages)) >> 1
            sampling = Sampling(max_new_tokens=room, temperature=temperature, seed=seed)
            requests.append(GenerationRequest(id=f"write-{number}", prompt_ids=prompt, sampling=sampling))
        return [_whole(completion) for completion in generate(engine, requests)]

    return write


def _whole(completion: Any) -> str:
    """The answer, or nothing where it was cut off."""
    from danlu.models.completion import parse_answer

    return parse_answer(completion.text).content if completion.finish_reason == "stop" else ""
