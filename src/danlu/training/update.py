"""The end of a step: judge loss and gradient, clip, change the weights."""

from __future__ import annotations

import math
from typing import Any

import torch

from danlu.recipe.errors import UserError
from danlu.training.optimizer import set_rate
from danlu.training.state import TrainingState
from danlu.training.watchdog import BadStep


def update(state: TrainingState, rate: float, loss: float, max_norm: float | None) -> dict[str, Any]:
    """Clip, step, forget the gradients.

    Where the loss is scaled (fp16) and the scaled gradient overflows, the weights stay as they are and the scale is
    halved; that belongs to the method and is noted as 'overflow'.

    Returns:
        Figures for the record: the loss, and the gradient norm before clipping.

    Raises:
        BadStep: loss or gradient cannot be right; weights, optimizer and loss scale are as before.
        UserError: the optimizer's own state does not fit into memory.
    """
    optimizer, scaler = state.optimizer, state.scaler
    scaler.unscale_(optimizer)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, max_norm if max_norm is not None else math.inf))
    figures: dict[str, Any] = {"loss": loss, "grad_norm": norm}
    if math.isfinite(loss) and not math.isfinite(norm) and scaler.is_enabled() and scaler.get_scale() > 1:
        figures = {"loss": loss, "overflow": True}
    else:
        try:
            state.watchdog.judge(loss, norm)
        except BadStep:
            optimizer.zero_grad(set_to_none=True)
            scaler.update(scaler.get_scale())  # the scale stays; what it noted of this step is forgotten
            raise
        set_rate(optimizer, rate)
        try:
            optimizer.step()  # not through the scaler: the gradient is unscaled and known to be finite
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"the optimizer's state does not fit into memory ({str(error).splitlines()[0]})",
                where="train.optimizer.type",
                fix="adamw_8bit or adafactor need less, and so does train.method: {type: lora}",
            ) from error
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return figures
