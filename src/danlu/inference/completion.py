"""The currency of this room: what is asked of an engine, what comes back step by step, and the whole of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "cancelled", "error"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen and when an answer ends.

    Attributes:
        max_new_tokens: most tokens of the answer, its end-of-turn token included.
        temperature: logits are divided by it; 0 picks the likeliest token.
        top_p: tokens are drawn from the smallest set whose probability reaches this (after `top_k`).
        top_k: tokens are drawn from so many likeliest; 0: from all.
        seed: of this request's own generator (-2**63 to 2**64 - 1); None: a fresh one each time.
        stop: the answer ends before the first of these texts in it.

    Raises:
        ValueError: a value out of range; the message begins with the field's name.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be 0 (greedy) or more, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (off) or more, not {self.top_k}")
        if self.seed is not None and not -(2**63) <= self.seed < 2**64:
            raise ValueError(f"seed must be within -2**63 and 2**64 - 1, not {self.seed}")
        if isinstance(self.stop, str) or not all(isinstance(text, str) and text for text in self.stop):
            raise ValueError(f"stop must be a tuple of texts that are not empty, not {self.stop!r}")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0


@dataclass(frozen=True)
class GenerationRequest:
    """One prompt to be answered; `id` is unique among the requests that an engine is working on."""

    id: str
    prompt_ids: list[int]
    sampling: Sampling


@dataclass(frozen=True)
class Delta:
    """What one step added to one answer.

    Attributes:
        request_id: whose.
        text: text that is certain now; may be empty while a character or a stop text is unfinished.
        token_ids: tokens made in this step, control tokens included.
        finish_reason: None while the answer goes on. 'stop': end of turn or a stop text; 'length': max_new_tokens;
            'cancelled'; 'error': this request alone failed, see `error`.
        error: why it failed, else ''.
    """

    request_id: str
    text: str
    token_ids: list[int]
    finish_reason: FinishReason | None = None
    error: str = ""


@dataclass(frozen=True)
class Completion:
    """A whole answer: `text` is the sum of its deltas' texts, without stop text and control tokens.

    `token_ids` holds every token made, end-of-turn included; `prompt_tokens` counts the prompt.
    """

    request_id: str
    text: str
    token_ids: list[int]
    finish_reason: FinishReason
    prompt_tokens: int
