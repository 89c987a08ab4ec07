"""Hashes: of plain data (for keys) and of files (for manifests)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def hash_data(value: Any) -> str:
    """SHA-256 (hexadecimal) of plain data; equal data give equal hashes in every process and on every machine."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
