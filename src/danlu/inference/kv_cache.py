"""Keys and values of a running batch: rows join at the right edge, leave, and the padding they needed goes with them.

Legend: B batch, H key-value heads, T time (padding at the left), E size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from danlu.models.started import KeyValues

# Free columns made whenever a layer is copied: a step then writes one column instead of copying the layer
ROOM = 128


class RoomyLayer(DynamicLayer):
    """A layer [B, H, T, E] in buffers with spare columns at the right; `keys` and `values` are views of them."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor | None = None, values: torch.Tensor | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._buffers: tuple[torch.Tensor, torch.Tensor] | None = None
        if keys is not None and values is not None:
            self.lazy_initialization(keys, values)
            self.keys, self.values = keys, values

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new columns [B, H, T', E]; returns all columns."""
        if not self.is_initialized:  # the prompt: its columns may soon be copied into a larger batch anyway
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return key_states, value_states
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if self._buffers is None or end > self._buffers[0].shape[-2]:
            room = max(end - start, ROOM)
            self._buffers = (_with_room(self.keys, room), _with_room(self.values, room))
        keys, values = self._buffers
        keys[:, :, start:end], values[:, :, start:end] = key_states, value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values


class RowCache:
    """The state of B rows between two steps: the model's cache, its mask [B, T] and each row's number of tokens."""

    def __init__(self, layers: int, mask: torch.Tensor, start: KeyValues | None = None) -> None:
        """
        Args:
            layers: of the model.
            mask: [B, T] of the tokens that are about to be read, 0 for padding at the left.
            start: keys and values [1, H, P, E] of learned positions in front of every sequence, for each layer.
        """
        rows = mask.shape[0]
        spread = [(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in start or ()]
        self._layers = [RoomyLayer(*pair) for pair in spread] or [RoomyLayer() for _ in range(layers)]
        self.mask = torch.nn.functional.pad(mask, (spread[0][0].shape[2] if spread else 0, 0), value=1)
        self.lengths: list[int] = self.mask.sum(1).tolist()

    def put_padding_first(self) -> None:
        """After a prompt behind learned positions: move the padding between the two to the left of both."""
        if bool(self.mask.all()):
            return
        order = self.mask.argsort(dim=1, stable=True)  # [B, T]: padding, then the rest as it was
        self.mask = self.mask.gather(1, order)
        self._layers = [
            RoomyLayer(*(_reordered(tensor, order) for tensor in (layer.keys, layer.values))) for layer in self._layers
        ]

    @property
    def model_cache(self) -> Cache:
        """What the model's forward reads and updates."""
        return Cache(layers=list(self._layers))

    def grow(self) -> torch.Tensor:
        """Count one more token in every row; returns their positions [B, 1]."""
        positions = torch.tensor(self.lengths, device=self.mask.device)[:, None]
        self.mask = torch.nn.functional.pad(self.mask, (0, 1), value=1)
        self.lengths = [length + 1 for length in self.lengths]
        return positions

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all other rows, and the columns that were padding for all that stay."""
        if len(rows) == len(self.lengths):
            return
        self.lengths = [self.lengths[row] for row in rows]
        index = torch.tensor(rows, dtype=torch.long, device=self.mask.device)
        padding = self.mask.shape[1] - max(self.lengths, default=0)
        self.mask = self.mask[index, padding:]
        self._layers = [
            RoomyLayer(*(tensor[:, :, padding:].index_select(0, index) for tensor in (layer.keys, layer.values)))
            for layer in self._layers
        ]

    def join(self, other: RowCache) -> None:
        """Append the rows of another cache; the shorter one is padded at the left."""
        time = max(self.mask.shape[1], other.mask.shape[1])
        self.mask = torch.cat([_left_padded(one.mask, time, axis=1) for one in (self, other)])
        self.lengths = self.lengths + other.lengths
        self._layers = [
            RoomyLayer(_joined(mine.keys, theirs.keys, time), _joined(mine.values, theirs.values, time))
            for mine, theirs in zip(self._layers, other._layers, strict=True)
        ]


def _reordered(tensor: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return tensor.gather(2, order[:, None, :, None].expand(-1, tensor.shape[1], -1, tensor.shape[3]))


def _joined(first: torch.Tensor, second: torch.Tensor, time: int) -> torch.Tensor:
    return torch.cat([_left_padded(first, time, axis=2), _left_padded(second, time, axis=2)])


def _with_room(tensor: torch.Tensor, room: int) -> torch.Tensor:
    """A copy with uninitialised columns behind the present ones; nobody reads them before they are written."""
    batch, heads, time, size = tensor.shape
    buffer = tensor.new_empty(batch, heads, time + room, size)
    buffer[:, :, :time] = tensor
    return buffer


def _left_padded(tensor: torch.Tensor, time: int, axis: int) -> torch.Tensor:
    """Zeros in front along `axis` up to `time`. Zeros, because a masked NaN would still spoil a sum."""
    missing = time - tensor.shape[axis]
    if missing == 0:
        return tensor
    shape = list(tensor.shape)
    shape[axis] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], axis)
