"""Chat completions as OpenAI writes them: whole, and as a stream of chunks."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable
from typing import Any

from danlu.inference.completion import FinishReason
from danlu.serving.answer_parts import Part


class ChatResponse:
    """Builds the bodies of one answer; counts what went into it.

    Args:
        model: the name that the client asked for.
        prompt_tokens: for `usage`.
        include_usage: whether a stream reports it.
    """

    def __init__(self, model: str, prompt_tokens: int, *, include_usage: bool = False) -> None:
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._prompt_tokens = prompt_tokens
        self._include_usage = include_usage
        self._calls = 0
        self.completion_tokens = 0

    @property
    def usage(self) -> dict[str, int]:
        """Tokens read and made; the end-of-turn token counts."""
        made = self.completion_tokens
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": made,
            "total_tokens": self._prompt_tokens + made,
        }

    def whole(self, parts: Iterable[Part], reason: FinishReason) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        texts: dict[str, list[str]] = {"reasoning": [], "content": []}
        calls = []
        for part in parts:
            if part.kind == "tool_call":
                calls.append(self._tool_call(part))
            else:
                texts[part.kind].append(part.text)
        content = "".join(texts["content"])
        message: dict[str, Any] = {"role": "assistant", "content": content or (None if calls else "")}
        if texts["reasoning"]:
            message["reasoning_content"] = "".join(texts["reasoning"])
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._reason(reason)}
        return {"object": "chat.completion", **self._head, "choices": [choice], "usage": self.usage}

    def first_chunk(self) -> str:
        """The event that opens a stream."""
        return self._chunk({"role": "assistant", "content": ""})

    def chunk(self, part: Part) -> str:
        """The event of one part."""
        if part.kind == "tool_call":
            index = self._calls
            return self._chunk({"tool_calls": [{"index": index, **self._tool_call(part)}]})
        return self._chunk({"reasoning_content" if part.kind == "reasoning" else "content": part.text})

    def last_chunks(self, reason: FinishReason) -> str:
        """The events that close a stream."""
        text = self._chunk({}, self._reason(reason))
        if self._include_usage:
            body = {"object": "chat.completion.chunk", **self._head, "choices": [], "usage": self.usage}
            text += event(body)
        return text + DONE

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        body: dict[str, Any] = {"object": "chat.completion.chunk", **self._head, "choices": [choice]}
        if self._include_usage:
            body["usage"] = None
        return event(body)

    def _tool_call(self, part: Part) -> dict[str, Any]:
        assert part.call is not None
        self._calls += 1
        arguments = json.dumps(part.call["arguments"], ensure_ascii=False)
        function = {"name": part.call["name"], "arguments": arguments}
        return {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}

    def _reason(self, reason: FinishReason) -> str:
        return "tool_calls" if self._calls and reason == "stop" else reason


DONE = "data: [DONE]\n\n"


def event(body: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"
