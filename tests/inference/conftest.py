"""An engine over the tiny model."""

from __future__ import annotations

import pytest
from transformers import PreTrainedModel

from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.models.chat import ChatRenderer


@pytest.fixture
def engine(model: PreTrainedModel, renderer: ChatRenderer) -> TransformersEngine:
    return TransformersEngine(model, renderer, max_batch=4)
