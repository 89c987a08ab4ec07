"""What `danlu init` writes: a starter recipe and a small set of real rows (see NOTICE)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from danlu.recipe.errors import UserError

FILES = ("recipe.yaml", "reviews.jsonl")


def write_starter(folder: Path, *, force: bool = False) -> list[Path]:
    """Copy the starter files into a folder.

    Raises:
        UserError: a file is there already and `force` is not given.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise UserError(
            f"'{there[0]}' is there already", where=str(folder), fix="another folder, or --force to overwrite"
        )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in FILES:
        target = folder / name
        target.write_bytes(resources.files(__name__).joinpath(name).read_bytes())
        written.append(target)
    return written
