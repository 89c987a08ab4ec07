"""The whole data stage on many rows: rows per second and peak memory, step by step.

    OMP_NUM_THREADS=1 PYTHONPATH=src:/tmp/peers python benchmarks/data/chain.py [--rows 20000 100000] [--workers 2]

Loading, cleaning, language filter, exact and near duplicates, personal data, split with its proof, contamination of the
training rows by the test split, rendering to tokens and writing. Rows: see `made_rows.py` (two texts of about 110 and
170 characters). The stage is `danlu data` in a process of its own, of which are measured: CPU seconds, its workers'
included, and peak memory, its workers' included (proportional set size, sampled from outside twice a second).
Rendering uses the seedling's tokenizer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from made_rows import write_conversations

RECIPE = """
name: chain
model: {{base: seedling}}
data:
  sources: [{{path: {path}}}]
  clean: [{{type: normalize}}, {{type: language}}, {{type: exact_duplicates}}, {{type: near_duplicates}}]
  redact: {{policy: pseudonym}}
  on_too_long: drop
  runner: {{type: local, workers: {workers}}}
"""


class Peaks:
    """Peak proportional memory of a process alone, and with its children, bytes."""

    def __init__(self) -> None:
        self.alone = self.together = 0

    def watch(self, process: subprocess.Popen[bytes]) -> tuple[float, int]:
        """Sample until it ends; returns CPU seconds and exit status."""
        root = psutil.Process(process.pid)
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return used.ru_utime + used.ru_stime, process.returncode
            sizes = [_size(root), *(_size(child) for child in _children(root))]
            self.alone, self.together = max(self.alone, sizes[0]), max(self.together, sum(sizes))
            time.sleep(0.5)


def _size(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, OSError):
        return 0


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []


def measure(rows: Path, count: int, workers: int) -> None:
    with tempfile.TemporaryDirectory(dir=rows.parent) as place:
        folder = Path(place)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE.format(path=rows, workers=workers), encoding="utf-8")
        command = [sys.executable, "-m", "danlu", "--workspace", str(folder / "ws"), "data", str(recipe)]
        started, peaks = time.perf_counter(), Peaks()
        with (folder / "said").open("wb") as said:
            cpu, status = peaks.watch(subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT))
        wall = time.perf_counter() - started
        if status:
            raise SystemExit((folder / "said").read_text("utf-8"))
        report = json.loads(next((folder / "ws").rglob("report.json")).read_text("utf-8"))
        kept = sum(report["ledger"]["splits"].values())
        print(
            f"| {count:,} | {rows.stat().st_size / 1e6:,.0f} MB | {kept:,} | {wall:,.0f} | {cpu:,.0f} "
            f"| {count / cpu:,.0f} | {peaks.together / 1e6:,.0f} MB | {peaks.alone / 1e6:,.0f} MB |"
        )
        print("  wall seconds: " + ", ".join(f"{step} {took:,.1f}" for step, took in report["seconds"].items()))
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--place", type=Path, help="folder for the rows, which stay there for another run")
    given = parser.parse_args()
    print("| rows | file | left | wall s | CPU s | rows per CPU second | peak memory | of the main process alone |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for count in given.rows:
            rows = (given.place or Path(place)) / f"rows-{count}.jsonl"
            if not rows.is_file():
                write_conversations(rows, count)
            measure(rows, count, given.workers)


if __name__ == "__main__":
    main()
