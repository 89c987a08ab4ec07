"""A chat renderer over the tiny tokenizer, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.models.chat import ChatRenderer
from danlu.models.loading import load_renderer
from tests.tiny import build_tiny_tokenizer


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_tiny_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    (folder / "config.json").write_text('{"model_type": "qwen3"}', encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def renderer(tokenizer_folder: Path) -> ChatRenderer:
    return load_renderer(tokenizer_folder)
