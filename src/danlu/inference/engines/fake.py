"""An engine without a model: answers every request with one fixed text, token by token."""

from __future__ import annotations

from pathlib import Path

from danlu.inference.completion import Delta, GenerationRequest, Sampling
from danlu.inference.engine import DEFAULT_TEMPERATURE, check_request
from danlu.inference.schedule import Answering, Schedule
from danlu.models.chat import ChatRenderer
from danlu.recipe import serve as recipe
from danlu.recipe.errors import InternalFault


class FakeEngine:
    """Keeps every promise of `Engine`: limits, stop texts, cancelling, one token a step. Needs only a renderer."""

    def __init__(self, renderer: ChatRenderer, answer: str, *, max_batch: int = 8, max_context: int = 32_768) -> None:
        self.renderer = renderer
        self.max_context = max_context
        self.max_batch = max_batch
        self.defaults = Sampling(temperature=DEFAULT_TEMPERATURE)
        self._answer = [*renderer.encode_text(answer), renderer.eos_id]
        self._schedule: Schedule[Answering] = Schedule(max_batch)
        self._closed = False

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        config: recipe.FakeEngine | None = None,
        *,
        max_batch: int = 8,
        device: str | None = None,
        dtype: str = "auto",
    ) -> FakeEngine:
        """The engine of a recipe, with the tokenizer of a model folder; device and dtype mean nothing here."""
        from danlu.models.loading import load_renderer

        return cls(load_renderer(folder), (config or recipe.FakeEngine()).answer, max_batch=max_batch)

    def add(self, request: GenerationRequest) -> None:
        """See `Engine.add`."""
        self._check_open()
        check_request(request, self.max_context, len(self.renderer.tokenizer))
        self._schedule.add(Answering(request, self.renderer, {self.renderer.eos_id}))

    def step(self) -> list[Delta]:
        """See `Engine.step`."""
        self._check_open()
        deltas = self._schedule.end_cancelled()
        self._schedule.drop_finished()
        self._schedule.enter(self._schedule.admit())
        deltas += [one.accept(self._answer[len(one.token_ids)]) for one in self._schedule.running]
        self._schedule.drop_finished()
        return deltas

    def cancel(self, request_id: str) -> None:
        """See `Engine.cancel`."""
        self._schedule.cancel(request_id)

    def has_work(self) -> bool:
        """See `Engine.has_work`."""
        return self._schedule.has_work()

    def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        self._schedule.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise InternalFault("the engine is closed")
