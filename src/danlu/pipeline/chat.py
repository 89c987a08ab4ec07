"""`danlu chat`: a conversation in the terminal, over any engine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from danlu.inference.completion import GenerationRequest, Sampling
from danlu.inference.engine import Engine
from danlu.models.completion import parse_answer


def stream_answer(
    engine: Engine, messages: list[dict[str, Any]], sampling: Sampling, *, thinking: bool, request_id: str = "chat"
) -> Iterator[str]:
    """The model's next message, piece by piece.

    Raises:
        UserError: the conversation has outgrown the model's context.
    """
    prompt = engine.renderer.encode_prompt(messages, thinking=thinking)
    engine.add(GenerationRequest(id=request_id, prompt_ids=prompt, sampling=sampling))
    while engine.has_work():
        for delta in engine.step():
            if delta.text:
                yield delta.text


def questions(name: str, message: str | None) -> Callable[[], str | None]:
    """What the user says, line by line: typed behind the model's name, or the one message of the command line."""
    lines = iter([message]) if message is not None else None

    def ask() -> str | None:
        if lines is not None:
            return next(lines, None)
        try:
            return input(f"{name} > ")
        except EOFError:
            return None

    return ask


def converse(
    engine: Engine, ask: Callable[[], str | None], show: Callable[[str], None], sampling: Sampling, *, thinking: bool
) -> None:
    """Ask and answer until `ask` gives None; the history is kept, and '/new' forgets it.

    Args:
        ask: the user's next line, None at the end.
        show: prints a piece of text without a line end.
    """
    messages: list[dict[str, Any]] = []
    for number in itertools.count():
        line = ask()
        if line is None:
            return
        if line.strip() == "/new":
            messages = []
            continue
        if not line.strip():
            continue
        messages.append({"role": "user", "content": line})
        pieces = []
        for piece in stream_answer(engine, messages, sampling, thinking=thinking, request_id=f"chat-{number}"):
            pieces.append(piece)
            show(piece)
        show("\n")
        answer = parse_answer("".join(pieces))
        messages.append({"role": "assistant", "content": answer.content})
