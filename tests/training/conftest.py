"""A tiny model folder, built once, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.models.identity import ModelFolder, fingerprint


@pytest.fixture(scope="session")
def base(tiny_folder: Path) -> ModelFolder:
    return ModelFolder(str(tiny_folder), tiny_folder, fingerprint(tiny_folder))
