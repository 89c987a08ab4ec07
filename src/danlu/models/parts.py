"""Trained parameters of the base itself, saved apart from those that stayed as they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from danlu.recipe.errors import UserError

FILE = "parts.safetensors"


def base_name(name: str) -> str:
    """The name that a parameter has in the plain base, whatever adapters lie around it."""
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def save_parts(parameters: Mapping[str, torch.nn.Parameter], folder: Path) -> None:
    """Write parameters of the base under the names that they have in it."""
    tensors = {base_name(name): parameter.detach().cpu().contiguous() for name, parameter in parameters.items()}
    save_file(tensors, folder / FILE, metadata={"format": "pt"})


def put_parts(model: torch.nn.Module, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Put saved parameters into their base.

    Args:
        model: the base.
        folder: where they were saved.
        dtype: what they are computed in; None: the number format they were trained in.

    Raises:
        UserError: the file names a parameter that the base does not have, or one of another shape.
    """
    known = dict(model.named_parameters())
    for name, value in load_file(folder / FILE).items():
        parameter = known.get(name)
        if parameter is None or parameter.shape != value.shape:
            raise UserError(
                f"the base has no parameter '{name}' of shape {tuple(value.shape)}",
                where=str(folder / FILE),
                fix="use the base model that it was trained on",
            )
        parameter.data = value.to(parameter.device, dtype or value.dtype)
