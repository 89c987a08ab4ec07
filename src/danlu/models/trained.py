"""Loading what training made: adapters over their base, or full weights; refused when the base is another one."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from danlu.models.card import ModelCard, read_card
from danlu.models.identity import ModelFolder
from danlu.models.loading import load_model
from danlu.recipe.errors import UserError


def load_trained(
    folder: Path, base: ModelFolder, *, dtype: torch.dtype | str = "auto", device: torch.device | str = "cpu"
) -> torch.nn.Module:
    """The tuned model: an adapter put over its base, or a folder of full weights.

    Args:
        folder: made by the train stage.
        base: the base model; for an adapter its fingerprint must be the one trained on.
        dtype: number format of the base's (or the full) parameters; adapters stay in fp32.
        device: where the parameters go.

    Raises:
        UserError: no model card, or the base's content has changed since training.
    """
    card = trained_card(folder)
    if card.kind != "adapter":
        return load_model(folder, dtype=dtype, device=device)
    if card.base_fingerprint != base.fingerprint:
        raise UserError(
            f"was trained on a base with fingerprint {card.base_fingerprint[:12]}, but '{base.name}' has "
            f"{base.fingerprint[:12]}",
            where=str(folder),
            fix="restore the base model's files, or train again",
        )
    from peft import PeftModel

    model = load_model(base.path, dtype=dtype, device=device)
    with warnings.catch_warnings():
        # PEFT asks transformers by a name that transformers has deprecated; the user can do nothing about it
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        tuned: torch.nn.Module = PeftModel.from_pretrained(model, str(folder))
    return tuned


def trained_card(folder: Path) -> ModelCard:
    """The card of a trained folder.

    Raises:
        UserError: danlu did not make this folder.
    """
    card = read_card(folder)
    if card is None:
        raise UserError("has no danlu.json, so danlu did not train it", where=str(folder), fix="name a run's artifact")
    return card
