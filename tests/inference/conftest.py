"""A tiny model, its folder and its renderer, loaded once for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from danlu.inference.engines.transformers_engine import TransformersEngine
from danlu.models.chat import ChatRenderer
from danlu.models.loading import load_model, load_renderer
from tests.tiny import build_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def renderer(tiny_folder: Path) -> ChatRenderer:
    return load_renderer(tiny_folder)


@pytest.fixture(scope="session")
def model(tiny_folder: Path) -> PreTrainedModel:
    return load_model(tiny_folder, dtype=torch.float32)


@pytest.fixture
def engine(model: PreTrainedModel, renderer: ChatRenderer) -> TransformersEngine:
    return TransformersEngine(model, renderer, max_batch=4)
