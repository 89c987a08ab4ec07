"""The protocol of engines, the check of a request, and the loop that answers a list of requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from danlu.inference.completion import Completion, Delta, FinishReason, GenerationRequest, Sampling
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import InternalFault, UserError

# Of requests that name no temperature, for models whose files do not say either
DEFAULT_TEMPERATURE = 0.7


class Engine(Protocol):
    """Answers requests a token at a time, many at once. Not thread-safe: one thread calls it."""

    @property
    def renderer(self) -> ChatRenderer:
        """Turns conversations into the prompts of this engine's model."""
        ...

    @property
    def max_context(self) -> int:
        """Most tokens of prompt and answer together."""
        ...

    @property
    def max_batch(self) -> int:
        """Most requests answered at once; more wait."""
        ...

    @property
    def defaults(self) -> Sampling:
        """How the model's makers want it sampled: temperature, top_p and top_k of its generation_config."""
        ...

    def add(self, request: GenerationRequest) -> None:
        """Queue a request.

        Raises:
            UserError: it can never be answered: empty, too long, an unknown token, or an id in use.
        """
        ...

    def step(self) -> list[Delta]:
        """One token for every running request, waiting ones let in as room allows; at most one delta per request.

        Raises:
            Exception: the engine is broken; every request it holds is lost.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a request: the next step gives its last delta, 'cancelled'. Unknown or finished ids are ignored."""
        ...

    def has_work(self) -> bool:
        """Whether `step` has anything to do."""
        ...

    def close(self) -> None:
        """Free the memory; a second call does nothing. Other calls afterwards raise InternalFault."""
        ...


def check_request(request: GenerationRequest, max_context: int, vocabulary: int) -> None:
    """Refuse a request that a model with this context and number of token ids can never answer.

    Raises:
        UserError: with the numbers.
    """
    length, new = len(request.prompt_ids), request.sampling.max_new_tokens
    if length == 0:
        raise UserError("the prompt is empty", where=request.id, fix="send at least one token")
    if length + new > max_context:
        raise UserError(
            f"the prompt has {length} tokens and the answer may have {new}, together {length + new}, "
            f"but the model's context is {max_context}",
            where=request.id,
            fix="shorten the prompt, or lower the limit of new tokens",
        )
    unknown = next((token for token in request.prompt_ids if not 0 <= token < vocabulary), None)
    if unknown is not None:
        raise UserError(
            f"token {unknown} is not in the model's vocabulary of {vocabulary}",
            where=request.id,
            fix="use the tokenizer of this model",
        )


def generate(
    engine: Engine,
    requests: Sequence[GenerationRequest],
    on_done: Callable[[Completion], None] | None = None,
) -> list[Completion]:
    """Answer requests with an engine that has no other work; the completions are in the order of the requests.

    Args:
        on_done: called with each completion as soon as it is whole.

    Raises:
        UserError: a request that cannot be answered; none is then.
        InternalFault: requests that failed, after the others were answered.
    """
    _add_all(engine, requests)
    prompts = {request.id: len(request.prompt_ids) for request in requests}
    texts: dict[str, list[str]] = {request.id: [] for request in requests}
    tokens: dict[str, list[int]] = {request.id: [] for request in requests}
    done: dict[str, Completion] = {}
    failed: list[Delta] = []
    while engine.has_work():
        for delta in engine.step():
            name = delta.request_id
            texts[name].append(delta.text)
            tokens[name].extend(delta.token_ids)
            if delta.finish_reason == "error":
                failed.append(delta)
            elif delta.finish_reason is not None:
                reason: FinishReason = delta.finish_reason
                done[name] = Completion(name, "".join(texts[name]), tokens[name], reason, prompts[name])
                if on_done:
                    on_done(done[name])
    if failed:
        raise InternalFault(
            f"{len(failed)} of {len(requests)} answers failed: {failed[0].error}", where=failed[0].request_id
        )
    return [done[request.id] for request in requests]


def _add_all(engine: Engine, requests: Sequence[GenerationRequest]) -> None:
    added: list[str] = []
    try:
        for request in requests:
            engine.add(request)
            added.append(request.id)
    except UserError:
        for name in added:
            engine.cancel(name)
        while engine.has_work():
            engine.step()
        raise
