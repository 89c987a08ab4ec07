"""An optimizer whose state lives in the computer's memory while the weights train on a GPU (Ren et al., 2021).

ZeRO-Offload, arXiv:2101.06840: gradients go to the host, the step is made there, weights come back. A full fine-tune
holds eight bytes a parameter less on the GPU with AdamW, for one transfer of gradients and one of weights a step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Make = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]


class Offloaded(torch.optim.Optimizer):
    """Groups of parameters on a device, stepped by another optimizer over their twins on the host.

    Args:
        groups: of torch, with the parameters on their device.
        make: the optimizer over groups like these.
    """

    def __init__(self, groups: list[dict[str, Any]], make: Make) -> None:
        super().__init__(groups, {})
        self._twins = [[_twin(p) for p in group["params"]] for group in self.param_groups]
        self._seen = [[-1] * len(twins) for twins in self._twins]
        """Version of each parameter that its twin equals: loading a checkpoint or an average changes it."""
        self.inner = make(
            [{**group, "params": twins} for group, twins in zip(self.param_groups, self._twins, strict=True)]
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch's has overloads for closures
        """One step on the host; returns when the weights are on their way back."""
        if closure is not None:
            raise NotImplementedError("danlu's loop gives no closure")
        for group, own, twins, seen in self._groups():
            own["lr"] = group["lr"]
            for index, (parameter, twin) in enumerate(zip(group["params"], twins, strict=True)):
                if seen[index] != parameter._version:
                    twin.copy_(parameter)
                if parameter.grad is None:
                    twin.grad = None
                    continue
                twin.grad = _host(parameter.grad) if twin.grad is None else twin.grad
                twin.grad.copy_(parameter.grad, non_blocking=True)
        _arrive()
        self.inner.step()
        self._back()

    def _back(self) -> None:
        """The twins' values into the parameters."""
        with torch.no_grad():
            for group, _, twins, seen in self._groups():
                for index, (parameter, twin) in enumerate(zip(group["params"], twins, strict=True)):
                    parameter.copy_(twin, non_blocking=True)
                    seen[index] = parameter._version
        _arrive()

    def _groups(self) -> Any:
        return zip(self.param_groups, self.inner.param_groups, self._twins, self._seen, strict=True)

    def state_dict(self) -> dict[str, Any]:
        """Of the optimizer on the host; the same as if it had run on the device."""
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Into the optimizer on the host."""
        self.inner.load_state_dict(state_dict)


class OffloadedAverage(Offloaded):
    """The same for an optimizer that keeps an average of the weights and puts it in place by `eval()`."""

    def eval(self) -> None:
        """The average into the parameters."""
        inner: Any = self.inner
        inner.eval()
        self._back()

    def train(self) -> None:
        """Back to training; the caller gives the parameters their values."""
        inner: Any = self.inner
        inner.train()


def offloaded(groups: list[dict[str, Any]], make: Make) -> torch.optim.Optimizer:
    """The optimizer of `make`, on the host."""
    probe = make([{**group, "params": [torch.nn.Parameter(torch.zeros(1))]} for group in groups])
    return (OffloadedAverage if hasattr(probe, "eval") else Offloaded)(groups, make)


def _twin(parameter: torch.nn.Parameter) -> torch.nn.Parameter:
    twin = torch.nn.Parameter(_host(parameter))
    with torch.no_grad():
        twin.copy_(parameter)
    return twin


def _host(like: torch.Tensor) -> torch.Tensor:
    """An empty tensor of this shape on the host; pinned where a GPU reads it, so that copies do not wait."""
    return torch.empty(like.shape, dtype=like.dtype, pin_memory=like.device.type == "cuda")


def _arrive() -> None:
    """Until copies have arrived: the host reads gradients, and writes twins again at the next step."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
