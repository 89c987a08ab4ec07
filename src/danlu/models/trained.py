"""Loading what training made: adapters over their base, or full weights; refused when the base is another one."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch

from danlu.models import bottleneck, parts, started
from danlu.models.card import ModelCard, read_card
from danlu.models.heads import put_head
from danlu.models.identity import ModelFolder, resolve_model
from danlu.models.loading import load_model
from danlu.models.quantized import dequantize, read_quantization
from danlu.recipe.errors import UserError

NEEDS_BASE = frozenset({"adapter", "parts"})
"""Kinds of a card whose folder loads only over its base."""


def load_trained(
    folder: Path,
    base: ModelFolder,
    *,
    dtype: torch.dtype | str = "auto",
    device: torch.device | str = "cpu",
    plain: bool = False,
) -> torch.nn.Module:
    """The tuned model: what was trained put over its base, or a folder of full weights.

    Args:
        folder: made by the train stage.
        base: the base model; for an adapter its fingerprint must be the one trained on.
        dtype: number format of all weights; adapters stay in fp32. 'auto': as the files have them.
        device: where the parameters go.
        plain: give a base that was held in 4 bits as the plain weights that these stand for.

    Raises:
        UserError: no model card, or the base's content has changed since training.
    """
    card = trained_card(folder)
    if card.kind not in NEEDS_BASE:
        model: torch.nn.Module = load_model(folder, dtype=dtype, device=device)
        put_head(model, folder)
        return model
    if card.base_fingerprint != base.fingerprint:
        raise UserError(
            f"was trained on a base with fingerprint {card.base_fingerprint[:12]}, but '{base.name}' has "
            f"{base.fingerprint[:12]}",
            where=str(folder),
            fix="restore the base model's files, or train again",
        )
    quantization = read_quantization(folder)
    model = load_model(base.path, dtype=dtype, device=device, quantization=quantization)
    if quantization is not None and plain:
        model = dequantize(model, dtype if isinstance(dtype, torch.dtype) else torch.float32)
    if (folder / parts.FILE).is_file():
        # A model without autocast must not multiply fp32 states by bf16 weights
        parts.put_parts(model, folder, dtype if isinstance(dtype, torch.dtype) else None)
    model = _adapted(model, folder)
    put_head(model, folder)
    return model


def _adapted(model: torch.nn.Module, folder: Path) -> torch.nn.Module:
    """The base with what the folder holds for it: adapters of PEFT, bottlenecks, a learned start, or nothing."""
    if (folder / bottleneck.CONFIG).is_file():
        return bottleneck.put_bottlenecks(model, folder)
    if not (folder / started.CONFIG).is_file():
        return model
    kind = json.loads((folder / started.CONFIG).read_text(encoding="utf-8"))["peft_type"]
    if kind in {started.Prefix.peft_type, started.Prompt.peft_type}:
        return started.put_start(model, folder)
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT asks transformers by a name that transformers has deprecated; the user can do nothing about it
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        tuned: torch.nn.Module = PeftModel.from_pretrained(model, str(folder))
    return tuned


def load_folder(
    folder: Path, *, dtype: torch.dtype | str = "auto", device: torch.device | str = "cpu"
) -> torch.nn.Module:
    """Any model that can be served: one that stands alone, or what was trained over the base that its card names.

    Raises:
        UserError: no model, or its base is not to be had or has changed.
    """
    card = read_card(folder)
    if card is None or card.kind not in NEEDS_BASE:
        model = load_model(folder, dtype=dtype, device=device)
        put_head(model, folder)
        return model
    return load_trained(folder, resolve_model(card.base, card.base_revision or None), dtype=dtype, device=device)


def trained_card(folder: Path) -> ModelCard:
    """The card of a trained folder.

    Raises:
        UserError: danlu did not make this folder.
    """
    card = read_card(folder)
    if card is None:
        raise UserError("has no danlu.json, so danlu did not train it", where=str(folder), fix="name a run's artifact")
    return card
