"""Continuous batching over any transformers decoder: requests join and leave the running batch between tokens.

Legend: B batch, T time, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from danlu.inference.completion import Delta, GenerationRequest, Sampling
from danlu.inference.engine import DEFAULT_TEMPERATURE, check_request
from danlu.inference.kv_cache import RowCache
from danlu.inference.sampling import TokenSampler
from danlu.inference.schedule import Answering, Schedule
from danlu.models.chat import ChatRenderer
from danlu.models.device import default_device, native_bf16
from danlu.models.heads import NAME as HEAD
from danlu.models.loading import DTYPES, load_renderer
from danlu.models.started import KeyValues, StartedModel
from danlu.models.trained import load_folder
from danlu.recipe import serve as recipe
from danlu.recipe.errors import InternalFault, UserError

# One prefill reads at most so many tokens, padding included, and at most this share of them may be padding
PREFILL_TOKENS = 4096
PREFILL_PADDING = 0.25


class _Row(Answering):
    """A request with its own generator of random numbers."""

    def __init__(self, request: GenerationRequest, renderer: ChatRenderer, end_ids: Collection[int]) -> None:
        super().__init__(request, renderer, end_ids)
        self.sampler = TokenSampler(request.sampling)


class TransformersEngine:
    """Implements `Engine` on a causal model, adapters of PEFT inside or not. The model is put into evaluation mode."""

    def __init__(self, model: torch.nn.Module, renderer: ChatRenderer, *, max_batch: int = 8) -> None:
        """
        Raises:
            UserError: a model whose cache is not plain keys and values, or one that answers with the numbers of a head.
        """
        _check_supported(model)
        self.renderer = renderer
        self.max_batch = max_batch
        self._model: Any = model.eval()
        self._config = _inner(model).config.get_text_config()
        self.max_context = int(self._config.max_position_embeddings)
        self._learned: KeyValues | None = None
        if isinstance(model, StartedModel):
            self.max_context -= model.length
            with torch.no_grad():
                self._learned = model.key_values()
        self._layers = int(self._config.num_hidden_layers)
        self._vocabulary = int(_inner(model).get_input_embeddings().num_embeddings)
        self._end_ids = frozenset({renderer.eos_id, *_generation_ends(model)})
        self._device = next(model.parameters()).device
        self._schedule: Schedule[_Row] = Schedule(max_batch)
        self._cache: RowCache | None = None  # its rows are those of the schedule's running requests, in order

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        config: recipe.TransformersEngine | None = None,
        *,
        max_batch: int = 8,
        device: str | None = None,
        dtype: str = "auto",
    ) -> TransformersEngine:
        """The engine of a recipe over a model folder; arguments as in `load_engine`."""
        if dtype not in ("auto", *DTYPES):
            raise UserError(f"unknown dtype '{dtype}'", fix="auto, fp32 or bf16")
        where = torch.device(device) if device else default_device()
        renderer = load_renderer(folder)
        model = load_folder(folder, dtype=DTYPES.get(dtype, "auto"), device=where)
        if dtype == "auto" and _inner(model).dtype == torch.bfloat16 and not native_bf16(where):
            model = model.float()
        return cls(model, renderer, max_batch=max_batch)

    @property
    def defaults(self) -> Sampling:
        """See `Engine.defaults`."""
        config = getattr(_inner(self._model), "generation_config", None)
        if config is None or not config.do_sample:
            return Sampling(temperature=DEFAULT_TEMPERATURE)
        temperature = DEFAULT_TEMPERATURE if config.temperature is None else config.temperature
        return Sampling(temperature=temperature, top_p=config.top_p or 1.0, top_k=config.top_k or 0)

    def add(self, request: GenerationRequest) -> None:
        """See `Engine.add`."""
        self._check_open()
        check_request(request, self.max_context, self._vocabulary)
        self._schedule.add(_Row(request, self.renderer, self._end_ids))

    @torch.no_grad()
    def step(self) -> list[Delta]:
        """See `Engine.step`."""
        self._check_open()
        if self._model.training:  # a trainer that evaluates in between may have switched it back
            self._model.eval()
        deltas = self._schedule.end_cancelled()
        self._drop_finished()
        deltas += self._decode()
        self._drop_finished()
        deltas += self._admit()
        return deltas

    def cancel(self, request_id: str) -> None:
        """See `Engine.cancel`."""
        self._schedule.cancel(request_id)

    def has_work(self) -> bool:
        """See `Engine.has_work`."""
        return self._schedule.has_work()

    def close(self) -> None:
        """See `Engine.close`."""
        self._schedule.clear()
        self._cache = None
        self._model = None

    # -- how -----------------------------------------------------------------------------------------------------

    def _decode(self) -> list[Delta]:
        """The next token of every running row."""
        if self._cache is None:
            return []
        rows = self._schedule.running
        last = torch.tensor([[row.token_ids[-1]] for row in rows], device=self._device)  # [B, 1]
        return self._take(rows, self._logits(last, self._cache.grow(), self._cache))

    def _admit(self) -> list[Delta]:
        """The first token of requests that were waiting; their rows join the batch."""
        new = self._schedule.admit()
        deltas: list[Delta] = []
        for group in prefill_groups([len(row.request.prompt_ids) for row in new]):
            deltas += self._start([new[index] for index in group])
        return deltas

    def _start(self, rows: Sequence[_Row]) -> list[Delta]:
        try:
            cache, logits = self._prefill([row.request.prompt_ids for row in rows])
        except RuntimeError as error:  # out of memory, most likely: what fits must not fail with what does not
            if len(rows) > 1:
                return [delta for row in rows for delta in self._start([row])]
            deltas = [rows[0].cut("error", f"the model failed on this prompt: {error}")]
            self._schedule.enter(rows)
            return deltas
        deltas = self._take(rows, logits)
        self._schedule.enter(rows)
        stay = [index for index, row in enumerate(rows) if not row.finished]
        if stay:
            cache.keep(stay)
            if self._cache is None:
                self._cache = cache
            else:
                self._cache.join(cache)
        return deltas

    def _prefill(self, prompts: Sequence[list[int]]) -> tuple[RowCache, torch.Tensor]:
        """A cache of left-padded prompts, and the logits [B, V] behind them."""
        longest = max(len(prompt) for prompt in prompts)
        pad = self.renderer.pad_id
        ids = torch.tensor(
            [[pad] * (longest - len(prompt)) + prompt for prompt in prompts], device=self._device
        )  # [B, T]
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self._device)
        positions = torch.arange(longest, device=self._device) - (longest - lengths)[:, None]  # [B, T]
        cache = RowCache(self._layers, (positions >= 0).long(), self._learned)
        if self._learned is None:
            return cache, self._logits(ids, positions.clamp(min=0), cache)
        logits = self._logits(ids, positions.clamp(min=0) + self._learned[0][0].shape[2], cache)
        cache.put_padding_first()
        return cache, logits

    def _take(self, rows: Sequence[_Row], logits: torch.Tensor) -> list[Delta]:
        """Choose and book a token for each row from logits [B, V]."""
        best, likeliest = logits.max(-1)
        finite = best.isfinite().tolist()  # NaN anywhere in a row makes its maximum NaN
        deltas = []
        for index, (row, token) in enumerate(zip(rows, likeliest.tolist(), strict=True)):
            if not finite[index]:
                deltas.append(row.cut("error", "the model's logits are not finite numbers"))
            else:
                deltas.append(row.accept(token if row.request.sampling.greedy else row.sampler.pick(logits[index])))
        return deltas

    def _drop_finished(self) -> None:
        stay = self._schedule.drop_finished()
        if self._cache is not None:
            if stay:
                self._cache.keep(stay)
            else:
                self._cache = None

    def _logits(self, ids: torch.Tensor, positions: torch.Tensor, cache: RowCache) -> torch.Tensor:
        """Logits [B, V] in float32 of the token behind ids [B, T]; the cache takes their keys and values."""
        output = self._model(
            input_ids=ids,
            attention_mask=cache.mask,
            position_ids=positions,
            past_key_values=cache.model_cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _check_open(self) -> None:
        if self._model is None:
            raise InternalFault("the engine is closed")


def prefill_groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of prompts that are read together: of like length, so that little padding is computed."""
    group: list[int] = []
    real = 0
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        padded = lengths[index] * (len(group) + 1)
        if group and (padded > PREFILL_TOKENS or real + lengths[index] < (1 - PREFILL_PADDING) * padded):
            yield group
            group, real = [], 0
        group.append(index)
        real += lengths[index]
    if group:
        yield group


def _inner(model: Any) -> Any:
    """The transformers model inside PEFT's wrapper, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _generation_ends(model: torch.nn.Module) -> list[int]:
    """End tokens of the model's generation_config; it may hold none, one or a list."""
    ends = getattr(getattr(_inner(model), "generation_config", None), "eos_token_id", None)
    return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)


def _check_supported(model: Any) -> None:
    if any(name == HEAD for name, _ in _inner(model).named_children()):
        raise UserError(
            "the model answers with the numbers of a head of its own, not in words",
            fix="train with an objective that answers in words, such as sft, or classification with head: words",
        )
    adapters = {} if isinstance(model, StartedModel) else getattr(model, "peft_config", {})
    if any(one.is_prompt_learning for one in adapters.values()):
        raise UserError(
            "prompt and prefix adapters in PEFT's own wrapper cannot be batched by this engine",
            fix="load the folder with danlu.models.trained.load_folder",
        )
    config = _inner(model).config
    plain = all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)
    if config.is_encoder_decoder or not plain:
        raise UserError(
            f"'{config.model_type}' models keep more than plain keys and values between tokens (a sliding window, a "
            "recurrent state, an encoder), which this engine does not support",
            where="model.base",
            fix="use a decoder with full attention in every layer, such as Qwen3 or Llama",
        )
