"""Training speed of danlu and of three peers: same model, rows, adapters and optimizer, each in its own environment.

    python benchmarks/training/speed.py [--rows 64] [--rounds 3] [--precision fp32 bf16] [--only NAME ...] [--out FILE]

Makes what is missing under ~/.cache/danlu-bench: the workload (by `shared/bench/make_workload.py`, see --maker) and an
environment for each tool (registry packages at the versions below). Then every contestant runs once in each round, one
after another, so that a busy machine is busy for all. Printed: medians over the rounds with their spread, and ratios.

Figures are of the training loop after its first step: tokens that are no padding, per CPU second of the process and per
wall second. The peak memory is that of the process tree. `step 1` is the time from the start of the process to the end
of the first optimizer step. Rows are given to all in the order in which danlu trains them, so that unpacked contestants
have the same rows in every step and their losses can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CACHE = Path.home() / ".cache" / "danlu-bench"
HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
PACKAGES = {
    "danlu": ["-c", str(REPOSITORY / "constraints.txt"), "-e", str(REPOSITORY)],
    "trl": ["trl==1.16.0", "peft", "psutil"],
    "llamafactory": ["llamafactory==0.9.5", "psutil"],
}
TORCH, PER_STEP = "torch==2.13.0", 8


@dataclass
class Contestant:
    """A tool and a configuration of it.

    Attributes:
        name: in the table.
        given: told to contestant.py.
        environment: where it runs.
        runs: what each round measured, by precision.
    """

    name: str
    given: dict[str, Any]
    environment: str
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def contestants() -> list[Contestant]:
    return [
        Contestant("danlu", {"tool": "danlu", "best": True}, "danlu"),
        Contestant("danlu, decoder: transformers", {"tool": "danlu", "best": False}, "danlu"),
        Contestant("Trainer, batch 8", {"tool": "trainer", "best": False}, "trl"),
        Contestant("Trainer, 8 x 1", {"tool": "trainer", "best": True}, "trl"),
        Contestant("TRL default", {"tool": "trl", "best": False}, "trl"),
        Contestant("TRL packing", {"tool": "trl", "best": True}, "trl"),
        Contestant("TRL 8 x 1", {"tool": "trl", "best": True, "unpacked": True}, "trl"),
        Contestant("LLaMA-Factory default", {"tool": "llamafactory", "best": False}, "llamafactory"),
        Contestant("LLaMA-Factory neat packing", {"tool": "llamafactory", "best": True}, "llamafactory"),
    ]


def make_environment(name: str) -> Path:
    """The interpreter of a tool's environment; installed if it is not there."""
    python = CACHE / name / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(CACHE / name)], check=True)
        for packages in ([TORCH], [TORCH, *PACKAGES[name]]):
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
        if name == "llamafactory":
            _without_sound_and_pictures(python)
    return python


def _without_sound_and_pictures(python: Path) -> None:
    """The registry's torchvision and torchaudio do not load beside a CPU build of torch, and text needs neither.

    LLaMA-Factory imports torchaudio whatever it trains on, so an empty module takes its place.
    """
    pip = [str(python), "-m", "pip", "uninstall", "-q", "-y", "torchvision", "torchaudio"]
    subprocess.run(pip, check=True)
    site = next((python.parents[1] / "lib").glob("python3*/site-packages"))
    (site / "torchaudio.py").write_text('"""Empty; see benchmarks/training/speed.py."""\n')


def make_workload(maker: Path, rows: int) -> tuple[Path, Path]:
    """(folder with model/ and model-fp32/, file of the rows in danlu's order)."""
    folder, python = CACHE / "workload", make_environment("danlu")
    if not (folder / "train.jsonl").exists():
        subprocess.run([str(python), str(maker), str(folder)], check=True, env=environment())
    if not (folder / "model-fp32" / "config.json").exists():
        code = (
            "import sys, torch; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T;"
            "M.from_pretrained(sys.argv[1], dtype=torch.float32).save_pretrained(sys.argv[2]);"
            "T.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])"
        )
        arguments = [str(folder / "model"), str(folder / "model-fp32")]
        subprocess.run([str(python), "-c", code, *arguments], check=True, env=environment())
    sys.path.insert(0, str(REPOSITORY / "src"))
    from danlu.data.batches import plan_epoch

    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[:rows]
    plan = plan_epoch([1] * rows, seed=0, epoch=0, step_tokens=1, micro_tokens=PER_STEP, step_rows=PER_STEP)
    order = [index for step in plan for micro in step.micro_batches for index in micro]
    (folder / f"file-{rows}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / f"order-{rows}.jsonl").write_text("".join(lines[index] for index in order), encoding="utf-8")
    return folder, folder / f"order-{rows}.jsonl"


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG"}}
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return kept | offline | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "WANDB_DISABLED": "true"}


def tree_memory(process: int) -> int:
    """Bytes resident in a process and all below it."""
    total, waiting = 0, [process]
    while waiting:
        number = waiting.pop()
        try:
            total += int(Path(f"/proc/{number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for thread in Path(f"/proc/{number}/task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text().split()]
        except (OSError, ValueError):
            continue
    return total


def run(contestant: Contestant, precision: str, folder: Path, rows: Path, log: Path) -> dict[str, Any]:
    """One run; what it measured."""
    work = tempfile.mkdtemp(prefix="danlu-speed-")
    own = contestant.given["tool"] == "danlu"
    model = folder / ("model-fp32" if precision == "fp32" and not own else "model")
    given = {"precision": precision, "model": str(model), "out": work + "/out", "rows_per_step": PER_STEP}
    given["rows"] = str(rows.with_name(rows.name.replace("order", "file")) if own else rows)
    command = [str(CACHE / contestant.environment / "bin" / "python"), str(HERE.with_name("contestant.py"))]
    peak = 0
    with log.open("w") as said:
        process = subprocess.Popen(
            [*command, json.dumps(contestant.given | given)],
            stdout=subprocess.PIPE, stderr=said, text=True, cwd=work, env=environment(),
        )  # fmt: skip

        def watch() -> None:
            nonlocal peak
            while process.poll() is None:
                peak = max(peak, tree_memory(process.pid))
                time.sleep(0.1)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        out, _ = process.communicate()
        watcher.join()
    shutil.rmtree(work, ignore_errors=True)
    if process.returncode:
        raise RuntimeError(f"{contestant.name} ended with {process.returncode}; see {log}")
    return measured(json.loads(out.strip().splitlines()[-1]), peak)


def measured(found: dict[str, Any], peak: int) -> dict[str, Any]:
    first, last = found["steps"][0], found["steps"][-1]
    tokens = sum(step["tokens"] for step in found["steps"][1:])
    return {
        "per_cpu": tokens / (last["cpu"] - first["cpu"]),
        "per_wall": tokens / (last["wall"] - first["wall"]),
        "peak": max(peak, found["peak"]) / 1e9,
        "first": first["wall"],
        "first_cpu": first["cpu"],
        "steps": len(found["steps"]),
        "tokens": sum(step["tokens"] for step in found["steps"]),
        "loss": first["loss"],
        "last_loss": last["loss"],
        "norm": first["norm"],
    }


def table(made: list[Contestant], precision: str) -> str:
    """Medians (lowest to highest), and ratios to the best peer."""
    ran = [contestant for contestant in made if contestant.runs.get(precision)]
    middle = {c.name: statistics.median(r["per_cpu"] for r in c.runs[precision]) for c in ran}
    peers = [c for c in ran if c.given["tool"] != "danlu"]
    best = max(peers, key=lambda c: middle[c.name], default=None)
    lines = [
        f"\n### {precision}\n",
        "| contestant | tokens per CPU second | ratio to best peer | per wall second | peak GB | "
        "step 1: wall s (CPU s) | loss, steps 1 and last | gradient norm, step 1 | steps, tokens | runs |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for c in ran:
        runs = c.runs[precision]

        def pick(key: str, runs: list[dict[str, Any]] = runs) -> float:
            return float(statistics.median(r[key] for r in runs))

        low, high = min(r["per_cpu"] for r in runs), max(r["per_cpu"] for r in runs)
        ratio = f"{middle[c.name] / middle[best.name]:.2f}" if best else "-"
        lines.append(
            f"| {c.name} | {middle[c.name]:.0f} ({low:.0f} to {high:.0f}) | {ratio} | {pick('per_wall'):.0f} | "
            f"{pick('peak'):.2f} | {min(r['first'] for r in runs):.1f} ({pick('first_cpu'):.1f}) | "
            f"{runs[0]['loss']:.4f}, {runs[0]['last_loss']:.4f} | {runs[0]['norm']:.4f} | "
            f"{runs[0]['steps']}, {runs[0]['tokens']} | {len(runs)} |"
        )
    if best is not None and "danlu" in middle:
        per_round = [
            own["per_cpu"] / other["per_cpu"]
            for own, other in zip(ran[0].runs[precision], best.runs[precision], strict=False)
        ]
        lines.append(
            f"\nBest peer: {best.name}. Ratio of danlu in each round: {', '.join(f'{r:.2f}' for r in per_round)}."
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--only", nargs="+", choices=[c.name for c in contestants()], metavar="NAME")
    parser.add_argument("--maker", type=Path, default=REPOSITORY.parent / "shared" / "bench" / "make_workload.py")
    parser.add_argument("--out", type=Path, help="all measurements as JSON, written after every run")
    arguments = parser.parse_args()
    made = [c for c in contestants() if not arguments.only or c.name in arguments.only]
    for name in dict.fromkeys(["danlu", *(c.environment for c in made)]):
        make_environment(name)
    folder, rows = make_workload(arguments.maker, arguments.rows)
    logs = CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.rounds):
        for precision in arguments.precision:
            for contestant in made:
                log = logs / f"{contestant.name.replace(' ', '_')}-{precision}.log"
                found = run(contestant, precision, folder, rows, log)
                contestant.runs.setdefault(precision, []).append(found)
                print(f"round {number + 1}: {precision} {contestant.name}: {found['per_cpu']:.0f}", file=sys.stderr)
                if arguments.out is not None:
                    arguments.out.write_text(json.dumps({c.name: c.runs for c in made}, indent=1) + "\n")
    for precision in arguments.precision:
        print(table(made, precision))


if __name__ == "__main__":
    main()
