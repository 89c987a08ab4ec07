"""What a chat completion request may hold: every field is known, checked, and either honoured or refused."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from danlu.recipe.errors import nearest
from danlu.serving.errors import BadRequest

# OpenAI's fields that this server does not act on, with the values that ask for nothing
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (None,),
    "frequency_penalty": (None, 0),
    "function_call": (None, "auto", "none"),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "logprobs": (None, False),
    "modalities": (None, ["text"]),
    "n": (None, 1),
    "parallel_tool_calls": (None, True),
    "prediction": (None,),
    "presence_penalty": (None, 0),
    "reasoning_effort": (None,),
    "response_format": (None, {"type": "text"}),
    "service_tier": (None, "auto", "default"),
    "store": (None, False),
    "top_logprobs": (None, 0),
    "verbosity": (None, "medium"),
    "web_search_options": (None,),
}
_HINTS = {
    "reasoning_effort": "; to switch thinking, send chat_template_kwargs: {'enable_thinking': true or false}",
    "n": "; send the request several times",
}
MAX_STOPS = 16

# These label a request and never change its answer
LABELS = ("metadata", "prompt_cache_key", "safety_identifier", "user")


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StreamOptions(_Closed):
    """How a stream ends."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class TemplateOptions(_Closed):
    """Switches of the chat template."""

    enable_thinking: bool | None = None


class ChatRequest(_Closed):
    """The body of POST /v1/chat/completions. Messages and tools are checked by the renderer's own rules."""

    model: str
    messages: list[dict[str, Any]]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    stop: str | list[str] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    chat_template_kwargs: TemplateOptions | None = None

    @field_validator("stop")
    @classmethod
    def _stop_texts(cls, value: str | list[str] | None) -> str | list[str] | None:
        texts = [value] if isinstance(value, str) else value or []
        if len(texts) > MAX_STOPS or not all(texts):
            raise ValueError(f"at most {MAX_STOPS} texts, none of them empty")
        return value

    @property
    def new_tokens(self) -> int | None:
        """The limit of the answer, under either of its names."""
        return self.max_completion_tokens if self.max_tokens is None else self.max_tokens

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """`stop` as a tuple."""
        return () if self.stop is None else (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


def parse_chat_request(body: bytes) -> ChatRequest:
    """A request from its JSON.

    Raises:
        BadRequest: broken JSON, an unknown field (with the nearest known one), an unsupported one, or a bad value.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise BadRequest(f"the body must be a JSON object, not {type(fields).__name__}")
    known = (*ChatRequest.model_fields, *UNSUPPORTED, *LABELS)
    for name, value in fields.items():
        if name not in known:
            raise BadRequest(f"unknown field '{name}'; {nearest(name, known)}", name, "unknown_parameter")
        if name in UNSUPPORTED and not _neutral(value, UNSUPPORTED[name]):
            hint = _HINTS.get(name, "")
            raise BadRequest(f"'{name}' is not supported by this server{hint}", name, "unsupported_parameter")
    wanted = {name: value for name, value in fields.items() if name in ChatRequest.model_fields}
    try:
        request = ChatRequest.model_validate(wanted)
    except ValidationError as error:
        raise _bad_value(error) from None
    if request.max_tokens and request.max_completion_tokens and request.max_tokens != request.max_completion_tokens:
        raise BadRequest("'max_tokens' and 'max_completion_tokens' differ; send one of them", "max_tokens")
    return request


def _neutral(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Equality by type too: `true` must not pass for 1, nor 0 for `false`."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in allowed)


def _bad_value(error: ValidationError) -> BadRequest:
    """The first thing wrong, with its field."""
    first = error.errors(include_url=False)[0]
    # For a union pydantic appends the name of the branch it tried; the path that the client wrote ends before that
    path = [str(part) for part in first["loc"] if isinstance(part, int) or part.isidentifier()]
    name = ".".join(path[:1] if path[0] == "stop" else path)
    if first["type"] == "missing":
        return BadRequest(f"'{name}' is missing", name, "missing_required_parameter")
    given = repr(first["input"])
    shown = given if len(given) <= 80 else given[:77] + "..."
    return BadRequest(f"'{name}' has a bad value, {shown}: {first['msg']}", name, "invalid_value")
