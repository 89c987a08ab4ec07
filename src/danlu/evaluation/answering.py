"""What a model makes of held-out rows: the likelihood of the reference, and an answer of its own.

Legend: B batch, T time, D hidden, V vocabulary, P labelled positions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from danlu.data.batches import bucket
from danlu.evaluation.rows import EvaluationRow
from danlu.inference.completion import Completion, GenerationRequest, Sampling
from danlu.inference.engine import Engine, generate
from danlu.models.chat import ChatRenderer, RenderingProblem, Sample
from danlu.models.device import evaluating
from danlu.models.loading import decoder_and_head
from danlu.models.messages import Message, MessageProblem, normalise_messages
from danlu.recipe.errors import UserError

Progress = Callable[[int, int], None]

# Positions whose logits exist at once: 256 x 151,936 (Qwen3's vocabulary) in float32 are 156 MB
_HEAD_POSITIONS = 256


@dataclass(frozen=True)
class RowLoss:
    """Negative log-likelihood of a row's learned tokens, summed, in nats, and how many they are."""

    nll: float
    tokens: int


def score_rows(
    model: torch.nn.Module,
    renderer: ChatRenderer,
    rows: Sequence[EvaluationRow],
    device: torch.device,
    micro_tokens: int = 4096,
    progress: Progress | None = None,
) -> list[RowLoss]:
    """The likelihood of every assistant turn of each row, given what the server would have sent to the model.

    Args:
        micro_tokens: tokens, padding included, that go through the model at once (a longer sample goes alone).
        progress: called with (samples done, samples in all).

    Raises:
        UserError: a row that cannot be rendered, or without an assistant turn.
    """
    owners: list[int] = []
    samples: list[Sample] = []
    for index, row in enumerate(rows):
        found = _samples_of(renderer, row)
        samples.extend(found)
        owners.extend([index] * len(found))
    sums = [0.0] * len(rows)
    counts = [0] * len(rows)
    lengths = [len(sample.input_ids) for sample in samples]
    decoder, head = decoder_and_head(model)
    done = 0
    with evaluating(model):
        for batch in bucket(range(len(samples)), lengths, micro_tokens):
            losses = _batch_nll(decoder, head, [samples[i] for i in batch], renderer.pad_id, device)
            for i, loss in zip(batch, losses, strict=True):
                sums[owners[i]] += loss
                counts[owners[i]] += samples[i].learned
            done += len(batch)
            if progress:
                progress(done, len(samples))
    return [RowLoss(nll, tokens) for nll, tokens in zip(sums, counts, strict=True)]


def answer_rows(
    engine: Engine, rows: Sequence[EvaluationRow], max_new_tokens: int, progress: Progress | None = None
) -> list[Completion]:
    """The model's own last assistant turn for each row, greedily, in the order of the rows.

    An answer is cut at the end of the model's context when that comes before `max_new_tokens`.

    Args:
        progress: called with (rows answered, rows in all).

    Raises:
        UserError: a row that cannot be rendered, without an assistant turn, or whose prompt fills the context.
    """
    requests = []
    for row in rows:
        prompt = prompt_of(engine.renderer, row)
        room = max(1, min(max_new_tokens, engine.max_context - len(prompt)))  # 1: the engine says what is wrong
        requests.append(GenerationRequest(id=row.row_id, prompt_ids=prompt, sampling=Sampling(max_new_tokens=room)))
    done = 0

    def one_more(_: Completion) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, len(requests))

    return generate(engine, requests, on_done=one_more)


def prompt_of(renderer: ChatRenderer, row: EvaluationRow) -> list[int]:
    """Token ids of what the model sees before it gives the row's last answer.

    Raises:
        UserError: the row cannot be rendered, or has no assistant turn.
    """
    messages, turn = last_turn(row)
    thinking = bool(messages[turn].get("reasoning_content")) if row.thinking is None else row.thinking
    try:
        return renderer.encode_prompt(messages[:turn], thinking=thinking, tools=row.tools)
    except (RenderingProblem, MessageProblem) as error:
        raise _unusable(row, str(error)) from error


def last_turn(row: EvaluationRow) -> tuple[list[Message], int]:
    """The row's messages in their normal form, and the index of the last assistant message.

    Raises:
        UserError: the messages cannot be used, or none of them is an answer to something.
    """
    try:
        messages = normalise_messages([dict(message) for message in row.messages])
    except MessageProblem as error:
        raise _unusable(row, str(error)) from error
    turns = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not turns or turns[-1] == 0:
        raise _unusable(row, "there is no assistant message that answers something")
    return messages, turns[-1]


def spoken(content: str, tool_calls: Sequence[dict[str, Any]]) -> str:
    """An answer as one text: its content, then each tool call as canonical JSON, so that equal calls compare equal."""
    calls = [json.dumps(call, ensure_ascii=False, sort_keys=True) for call in tool_calls]
    return "\n".join(part for part in (content.strip(), *calls) if part)


def _samples_of(renderer: ChatRenderer, row: EvaluationRow) -> list[Sample]:
    messages, _ = last_turn(row)
    try:
        return renderer.samples(messages, thinking=row.thinking, tools=row.tools)
    except (RenderingProblem, MessageProblem) as error:
        raise _unusable(row, str(error)) from error


def _batch_nll(
    decoder: Callable[..., Any], head: torch.nn.Module, samples: Sequence[Sample], pad_id: int, device: torch.device
) -> list[float]:
    """Summed negative log-likelihood of the learned tokens of each sample, in nats."""
    longest = max(len(sample.input_ids) for sample in samples)
    ids = torch.full((len(samples), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(samples), longest), dtype=torch.long)
    where: list[tuple[int, int]] = []  # (sample, position) of each learned token
    for index, sample in enumerate(samples):
        length = len(sample.input_ids)
        ids[index, :length] = torch.tensor(sample.input_ids)
        mask[index, :length] = 1
        where.extend((index, position) for start, end in sample.spans for position in range(start, end))
    ids, mask = ids.to(device), mask.to(device)
    hidden = decoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state  # [B, T, D]
    owner, position = torch.tensor(where, device=device).T
    states, labels = hidden[owner, position - 1], ids[owner, position]  # [P, D], [P]
    losses = torch.cat(
        [
            torch.nn.functional.cross_entropy(head(some).float(), wanted, reduction="none")
            for some, wanted in zip(
                torch.split(states, _HEAD_POSITIONS), torch.split(labels, _HEAD_POSITIONS), strict=True
            )
        ]
    )
    sums = torch.zeros(len(samples), dtype=torch.float64)
    sums.index_add_(0, owner.cpu(), losses.double().cpu())
    return [float(value) for value in sums]


def _unusable(row: EvaluationRow, reason: str) -> UserError:
    return UserError(
        f"cannot be evaluated: {reason}", where=row.row_id, fix="mend the row, or keep it out of the split"
    )
