"""Sentence embeddings from any encoder folder: mean of the last hidden states, length one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from danlu.recipe.errors import UserError

_TOKENS = 512  # what most encoders were trained with; longer texts are cut


def embed(folder: str, batches: Iterable[list[str]]) -> NDArray[np.float32]:
    """The embedding of each text, [texts, dimensions] (Reimers and Gurevych, "Sentence-BERT", 2019: mean pooling).

    Args:
        folder: a model folder with safetensors weights and a tokenizer; no code in it is run.
        batches: texts; each batch is one call of the model.

    Raises:
        UserError: the folder is missing or holds no such model.
    """
    tokenizer, model, device = _load(Path(folder))
    from danlu.models.device import evaluating  # with torch: only where an encoder is asked for

    limit = min(_TOKENS, int(getattr(model.config, "max_position_embeddings", _TOKENS)))
    parts = []
    with evaluating(model):
        for batch in batches:
            inputs = tokenizer(batch, padding=True, truncation=True, max_length=limit, return_tensors="pt").to(device)
            hidden = model(**inputs).last_hidden_state.float()  # [B, T, D]
            mask = inputs["attention_mask"].unsqueeze(-1).float()  # [B, T, 1]
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
            parts.append((mean / mean.norm(dim=1, keepdim=True).clamp(min=1e-12)).cpu().numpy())
    return np.concatenate(parts) if parts else np.empty((0, 1), np.float32)


def _load(folder: Path) -> tuple[Any, Any, Any]:
    if not (folder / "config.json").is_file():
        raise UserError(
            f"no encoder in '{folder}': it has no config.json",
            where="data.clean.semantic_duplicates.encoder",
            fix="name the folder of a sentence encoder (config.json, tokenizer files, *.safetensors), or use 'tfidf'",
        )
    from danlu.models.device import default_device
    from danlu.models.loading import load_encoder, load_tokenizer

    device = default_device()
    return load_tokenizer(folder), load_encoder(folder, device=device), device
