"""A tiny model folder, its tokenizer and renderer, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.models.chat import ChatRenderer
from danlu.models.loading import load_renderer
from tests.tiny import build_tiny_model, build_tiny_tokenizer


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder; tests that change it copy it first."""
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Qwen3's template and a tokenizer in its shape."""
    return build_tiny_tokenizer(tmp_path_factory.mktemp("models") / "tokenizer")


@pytest.fixture(scope="session")
def renderer(tiny_tokenizer: Path) -> ChatRenderer:
    """The renderer of that folder."""
    return load_renderer(tiny_tokenizer)
