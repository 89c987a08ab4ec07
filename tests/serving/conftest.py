"""A tiny model for the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.models.chat import ChatRenderer
from danlu.models.loading import load_renderer
from tests.tiny import build_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def renderer(tiny_folder: Path) -> ChatRenderer:
    return load_renderer(tiny_folder)
