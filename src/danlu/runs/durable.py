"""Writing so that a crash leaves the old or the new state, never half of one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """fsync every file below a folder and the folders themselves."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def publish(temporary: Path, final: Path) -> None:
    """Rename a finished, synced folder to its final name and sync the parent: the moment it comes to exist."""
    sync_folder(temporary)
    os.rename(temporary, final)
    _sync(final.parent)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: to a temporary name, synced, then renamed."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    replace_file(temporary, path)


def replace_file(temporary: Path, final: Path) -> None:
    """Give a file its final name, in place of what has it, with its content on the disk before."""
    _sync(temporary)
    os.replace(temporary, final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
