"""What comes before a projection and is made again in the backward pass: dear to keep, cheap to compute.

A norm's output is as wide as the states and the gated activation's as the MLP: kept, they are a third of what training
a layer keeps.

Legend: T tokens, D width, I inner width of the MLP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn.functional import silu

from danlu.training.packed.functions import normed, through_norm

Tensors = Sequence[torch.Tensor]


class Prelude(Protocol):
    """From sources to the states that a projection multiplies, and back."""

    def forward(self, sources: Tensors) -> torch.Tensor:
        """The states [T, ...]."""

    def again(self, sources: Tensors) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The states, and what `backward` needs besides the sources."""

    def backward(
        self, grad: torch.Tensor, sources: Tensors, beside: torch.Tensor | None, trains: bool
    ) -> list[torch.Tensor | None]:
        """Gradients of the sources.

        Args:
            grad: of the states; may be overwritten.
            sources: as they were.
            beside: the second that `again` made; may be overwritten.
            trains: whether a weight among the sources trains.
        """


class Nothing:
    """Sources (states,)."""

    def forward(self, sources: Tensors) -> torch.Tensor:
        return sources[0]

    def again(self, sources: Tensors) -> tuple[torch.Tensor, torch.Tensor | None]:
        return sources[0], None

    def backward(
        self, grad: torch.Tensor, sources: Tensors, beside: torch.Tensor | None, trains: bool
    ) -> list[torch.Tensor | None]:
        return [grad]


@dataclass(frozen=True)
class Normed:
    """Sources (states [T, D], weight [D]): each vector over its root mean square, as `functions.rms_norm`."""

    epsilon: float

    def forward(self, sources: Tensors) -> torch.Tensor:
        return self.again(sources)[0]

    def again(self, sources: Tensors) -> tuple[torch.Tensor, torch.Tensor | None]:
        states, weight = sources
        return normed(states, weight, self.epsilon)

    def backward(
        self, grad: torch.Tensor, sources: Tensors, beside: torch.Tensor | None, trains: bool
    ) -> list[torch.Tensor | None]:
        assert beside is not None
        states, weight = sources
        return list(through_norm(grad, states, beside, weight, trains))


class Gated:
    """Sources (gate [T, I], up [T, I]): silu of the first times the second (Shazeer, 2020, arXiv:2002.05202)."""

    def forward(self, sources: Tensors) -> torch.Tensor:
        gate, up = sources
        return silu(gate).mul_(up)

    def again(self, sources: Tensors) -> tuple[torch.Tensor, torch.Tensor | None]:
        gate, up = sources
        opened = silu(gate)
        return opened * up, opened

    def backward(
        self, grad: torch.Tensor, sources: Tensors, beside: torch.Tensor | None, trains: bool
    ) -> list[torch.Tensor | None]:
        assert beside is not None
        gate, up = sources
        to_up = beside.mul_(grad)
        return [torch.ops.aten.silu_backward(grad.mul_(up), gate), to_up]
