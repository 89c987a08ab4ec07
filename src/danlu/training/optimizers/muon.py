"""Muon on the matrices of hidden layers and AdamW on everything else, as one optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from danlu.recipe.optimizer import MuonOptimizer
from danlu.training.optimizer import Group, fused

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Coefficients of the quintic iteration (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/)."""


class Muon(torch.optim.Optimizer):
    """The optimizer of `{type: muon}`. State and groups of both algorithms are in one state dict.

    For a matrix W with gradient G, momentum m, rate r and decay d, with M kept from step to step:
    M <- m M + (1 - m) G;  U = orthogonal(m M + (1 - m) G);  W <- (1 - r d) W - 0.2 r sqrt(max(rows, columns)) U.
    The factor gives U the root mean square of an AdamW update (Liu et al., 2025, arXiv:2502.16982, section 2.2), so
    both halves share rate and decay. Unlike torch.optim.Muon it takes stacks of matrices: the experts of Qwen3-MoE.
    """

    def __init__(self, groups: list[Group], config: MuonOptimizer) -> None:
        super().__init__(groups, {"momentum": config.momentum, "iterations": config.iterations})
        others = self._of_adamw()
        # it shares the group dicts and the state: what is set, saved and loaded here is its own
        self._adamw = (
            torch.optim.AdamW(others, betas=config.betas, eps=config.epsilon, fused=fused(others)) if others else None
        )
        self._share()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state, for both halves."""
        super().load_state_dict(state_dict)
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient; there is no use for a closure."""
        assert closure is None
        for group in self.param_groups:
            if group["kind"] == "matrix":
                self._update_matrices(group)
        if self._adamw is not None:
            self._adamw.step()

    def _update_matrices(self, group: Group) -> None:
        rate, momentum = group["lr"], group["momentum"]
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            buffer = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
            update = orthogonal(gradient.lerp(buffer, momentum), group["iterations"])
            parameter.mul_(1 - rate * group["weight_decay"])
            parameter.add_(update.to(parameter.dtype), alpha=-rate * 0.2 * math.sqrt(max(parameter.shape[-2:])))

    def _of_adamw(self) -> list[Group]:
        return [group for group in self.param_groups if group["kind"] != "matrix"]

    def _share(self) -> None:
        if self._adamw is not None:
            self._adamw.param_groups = self._of_adamw()
            self._adamw.state = self.state


def orthogonal(matrices: torch.Tensor, iterations: int) -> torch.Tensor:
    """[..., rows, columns] with all singular values moved towards 1 (to about 0.7 to 1.2).

    The iteration X <- a X + (b X X' + c (X X')^2) X, on X divided by its Frobenius norm. In bf16, as its authors do; on
    a CPU in fp32, for without the processor's own bf16 it was 45 times slower (docs/explain/optimizers.md).
    """
    stack = matrices.float() if matrices.device.type == "cpu" else matrices.bfloat16()
    tall = stack.shape[-2] > stack.shape[-1]
    if tall:
        stack = stack.mT
    stack = stack / torch.linalg.matrix_norm(stack, keepdim=True).clamp(min=1e-7)
    added = torch.addmm if stack.ndim == 2 else torch.baddbmm
    for _ in range(iterations):
        gram = stack @ stack.mT
        stack = added(stack, added(gram, gram, gram, beta=_B, alpha=_C), stack, beta=_A)
    return stack.mT if tall else stack
