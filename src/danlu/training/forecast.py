"""Peak memory of training, foretold by running its largest micro-batch on tensors that have shapes and no content.

Every tensor that forward and backward make is counted while it lives, in the order in which they come and go, so
padding, chunks of the head and activation checkpointing are in the figure. What is added by rule is the optimizer's
state and, on a CPU, what its libraries take when they compute for the first time.

Legend: B sequences, T time.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from danlu.models.device import autocast, compute_dtype, default_device
from danlu.models.heads import attach_head
from danlu.models.loading import decoder_and_head, empty_model
from danlu.recipe.train import TrainSection
from danlu.training.activations import set_checkpointing
from danlu.training.adapters import rank_warning
from danlu.training.method import GroupPlan, Method, Preparation, group_plans, hold, hold_for, trainable
from danlu.training.objective import Batch, Example, Objective, collate
from danlu.training.optimizer import check_overrides
from danlu.training.packed.decoder import can_pack

_FOUR_BITS = 0.5 + 1 / 64 * 1.03
"""Bytes of a weight in 4 bits with its share of the scales (one for 64 weights, themselves in 8 bits)."""

STATE_BYTES = {"adamw": 8.0, "adamw_8bit": 2.1, "adafactor": 0.1, "muon": 4.0, "schedule_free": 8.0}
"""Bytes of optimizer state for each parameter that trains; a moving average of the weights takes 4 more."""

_FIRST_USE = {
    "AVX512": {(True, False): 34, (True, True): 48, (False, False): 3, (False, True): 22},
    "AVX2": {(True, False): 15, (True, True): 15, (False, False): 5, (False, True): 8},
}
"""MiB of a CPU's libraries: kernels made for the shapes that are met, and code that is read from disk only then. By
what the processor can do, whether danlu's decoder computes and whether in half precision; medians of
benchmarks/training/memory.py."""


@dataclass(frozen=True)
class Forecast:
    """Bytes that training takes at once, at its peak.

    Attributes:
        weights: parameters and buffers of the model.
        state: of the optimizer and of an average of the weights.
        step: what forward and backward of one micro-batch add at their peak, gradients included.
        batch_tokens: tokens, padding included, of the micro-batch that was looked at.
        groups: what trains in each group of parameters.
        libraries: what those of a CPU take when they compute for the first time.
        packed: whether danlu's own decoder computes.
        at_once: micro-batches that are computed at one time.
        warning: about ranks of adapters, or None.
    """

    weights: int
    state: int
    step: int
    batch_tokens: int
    groups: Sequence[GroupPlan] = ()
    libraries: int = 0
    packed: bool = False
    at_once: int = 1
    warning: str | None = None

    @property
    def total(self) -> int:
        """On the device."""
        return self.weights + self.state + self.step * self.at_once + self.libraries


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all storages that were made inside it and still live; `peak` is the most at one time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf.untyped_storage())
        return result

    def leave_out(self, tensors: Sequence[torch.Tensor]) -> None:
        """Do not count these: they were there before."""
        self._known.update(tensor.untyped_storage()._cdata for tensor in tensors)

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


class _GroupedProducts(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives the products of a mixture's experts their shape in every number format, as the device computes them.

    Torch's own rule for tensors without content knows bf16 alone.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.ops.aten._grouped_mm.default:
            return func(*args, **(kwargs or {}))
        rows, columns = args[0].shape[:-1], args[1].shape[-1:]
        if args[0].ndim == args[1].ndim == 2:  # groups of what is summed over
            groups: torch.Tensor = args[2] if len(args) > 2 else kwargs["offs"]
            rows = (len(groups), *rows)
        elif args[1].ndim == 2:  # groups of columns
            rows = rows[1:]
        return args[0].new_empty((*rows, *columns))


def forecast(
    base: Path,
    method: Method,
    objective: Objective,
    config: TrainSection,
    examples: Sequence[Example],
) -> Forecast:
    """What the heaviest of the given micro-batches takes.

    Args:
        base: the base model's folder; its configuration is read, its weights are not.
        method, objective, config: of the run.
        examples: one micro-batch, the heaviest there is.

    Raises:
        UserError: the recipe does not fit the model.
    """
    dtype = compute_dtype(config.precision, default_device())
    with torch.device("meta"):
        empty = cast(torch.nn.Module, empty_model(base))
    model = _prepared(empty, method, objective, config, dtype)
    groups, warning = group_plans(model), rank_warning(model)
    if objective.needs_reference:  # its numbers do not matter here, their place does
        examples = [replace(e, reference=(0.0,) * (len(e.pieces) + len(e.contrast))) for e in examples]
    batch = collate(examples, 0, config.unpadded)
    with _without_content() as mode:
        model.to_empty(device="cpu")
        _tie(model)
        model.train()
        if method.quantization is not None:
            _keep_apart(model)
        packed = config.unpadded and can_pack(decoder_and_head(model)[0], training=True)
        parameters = list(model.parameters())
        live = LiveBytes()
        live.leave_out([*parameters, *model.buffers()])
        fake = _fake(batch, mode)
        with live:
            with autocast(torch.device("cpu"), dtype):
                loss = objective.loss(model, fake)
            loss.backward()  # type: ignore[no-untyped-call]
        weights = sum({p.untyped_storage()._cdata: p.untyped_storage().nbytes() for p in parameters}.values())
        weights += sum(buffer.untyped_storage().nbytes() for buffer in model.buffers())
        trained = sum(parameter.numel() for parameter in trainable(model).values())
        if method.quantization is not None:
            weights -= _saved_by_four_bits(model)
    away = config.optimizer.offload and default_device().type != "cpu"
    state = (0.0 if away else STATE_BYTES[config.optimizer.type]) + (4.0 if config.optimizer.ema is not None else 0.0)
    on_cpu = default_device().type == "cpu"
    first_use = _FIRST_USE["AVX512" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "AVX2"]
    libraries = first_use[packed, dtype != torch.float32] << 20 if on_cpu else 0
    state_bytes = round(state * trained)
    tokens = batch.input_ids.numel()
    return Forecast(weights, state_bytes, live.peak, tokens, groups, libraries, packed, warning=warning)


def _prepared(
    model: torch.nn.Module, method: Method, objective: Objective, config: TrainSection, dtype: torch.dtype
) -> torch.nn.Module:
    """A model without content as training would have it: with its method, head and checkpointing, held so."""
    with torch.device("meta"):
        model = method.prepare(model, Preparation(0, lambda text: [0]))
        head = objective.head()
        if head is not None:
            attach_head(model, len(head.labels), seed=0)
    set_checkpointing(model, config.checkpointing)
    held = hold_for(model, dtype, config, default_device()) if method.quantization is None else hold(model, dtype)
    check_overrides((*config.optimizer.rates, *method.rates()), trainable(held))
    return held


@contextlib.contextmanager
def _without_content() -> Iterator[FakeTensorMode]:
    """Tensors made inside have shapes and no content; modules can be filled with them."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode, _GroupedProducts():  # type: ignore[no-untyped-call]
            yield mode
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def _fake(batch: Batch, mode: FakeTensorMode) -> Batch:
    """The batch's shapes; what a loss compares with is left as it would be."""
    values = {name: getattr(batch, name) for name in batch.__dataclass_fields__}
    values = {k: mode.from_tensor(v) if isinstance(v, torch.Tensor) else v for k, v in values.items()}
    if batch.contrast is not None:
        values["contrast"] = _fake(batch.contrast, mode)
    return Batch(**values)


def _tie(model: Any) -> None:
    """One storage for embeddings and head again, where the model has it so: emptying parts them."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    inner.tie_weights()


def _in_four_bits(model: torch.nn.Module) -> Iterator[torch.nn.Linear]:
    """The layers that will be held so: frozen linear ones of decoder layers."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and not module.weight.requires_grad and ".layers." in name:
            yield module


def _saved_by_four_bits(model: torch.nn.Module) -> int:
    """Bytes by which these layers are smaller."""
    return round(sum(m.weight.numel() * (m.weight.element_size() - _FOUR_BITS) for m in _in_four_bits(model)))


def _keep_apart(model: torch.nn.Module) -> None:
    """Have transformers' layers compute, as they will: danlu's decoder takes none with hooks, nor any in 4 bits."""
    for module in _in_four_bits(model):
        module.register_forward_pre_hook(lambda module, given: None)
