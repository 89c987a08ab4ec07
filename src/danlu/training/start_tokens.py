"""The tokens that a learned start begins as: those of a text, or some at random."""

from __future__ import annotations

import random
from typing import Any

from danlu.recipe.errors import UserError
from danlu.training.method import Preparation


def start_tokens(model: Any, count: int, text: str | None, start: Preparation) -> list[int]:
    """`count` token ids: the text's, repeated or cut to that length, or drawn from the vocabulary by the seed.

    Raises:
        UserError: the text has no tokens.
    """
    if text is None:
        vocabulary = int(model.get_input_embeddings().num_embeddings)
        return random.Random(start.seed).choices(range(vocabulary), k=count)
    ids = start.encode(text)
    if not ids:
        raise UserError("has no tokens", where="train.method.text", fix="give a text, or leave it out")
    return [ids[index % len(ids)] for index in range(count)]
