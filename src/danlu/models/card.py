"""danlu.json: what a model or adapter folder says of itself, and the check when it is loaded. No torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from danlu.recipe.errors import UserError

FILE = "danlu.json"
HEAD_CONFIG = "head.json"
"""In a folder whose model answers with the numbers of a head of its own."""


@dataclass(frozen=True)
class ModelCard:
    """Facts stored beside the weights.

    Attributes:
        kind: 'adapter' or 'parts' (of a base that they need), 'weights' (all trained parameters) or 'merged' (stands
            alone).
        base: the recipe's name of the base model.
        base_revision: on its hub; empty for the newest, and for folders.
        base_fingerprint: content hash of the base it was trained on.
        rendering_hash: `ChatRenderer.rendering_hash` of training time.
        thinking: whether it learned to think before it answers.
    """

    kind: str
    base: str
    base_fingerprint: str
    rendering_hash: str
    thinking: bool = False
    base_revision: str = ""

    def save(self, folder: Path) -> None:
        """Write danlu.json into a folder."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, sort_keys=True)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read_card(folder: Path) -> ModelCard | None:
    """The card of a folder, or None when danlu did not write it.

    Raises:
        UserError: danlu.json is not what danlu writes.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        return ModelCard(**json.loads(file.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, TypeError) as error:
        raise UserError(
            f"is not a model card of danlu: {error}", where=str(file), fix="export the model again"
        ) from None


def check_rendering(folder: Path, found: str) -> None:
    """Refuse a model whose chat rendering is not the one it was trained with.

    Raises:
        UserError: the hash on the card differs from `found`.
    """
    card = read_card(folder)
    if card is not None and card.rendering_hash != found:
        raise UserError(
            f"conversations would be rendered differently from training (hash {found[:12]}, trained with "
            f"{card.rendering_hash[:12]})",
            where=str(folder),
            fix="restore the chat template and tokenizer files of the export, or train again with the new ones",
        )
