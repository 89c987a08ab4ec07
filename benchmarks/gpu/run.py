"""Training speed on one GPU: danlu's ways, one after another, against transformers' decoder with PEFT. One call.

    python benchmarks/gpu/run.py [--models 0.6B 8B 1.7B 4B] [--cases NAME ...] [--seconds 560] [--out FILE] [--dry]

First the Triton kernels and varlen attention are checked against torch on this GPU. Then every model (Qwen3's shapes,
random weights, made on the GPU: nothing is downloaded) is trained by every case in a process of its own, with LoRA of
rank 16 on all seven linear layers, in bf16: a step is eight rows of 2,048 tokens without padding. Printed: a table of
non-padding tokens per second (median of the steps after warm-up), peak memory, loss and gradient norm of the first step
and how far the loss is from the first case's. All of it goes to --out as JSON ($OUT/gpu.json where $OUT is set),
written after every case, so that what is there stays when time runs out.

--dry: tiny models on the CPU, with Triton's interpreter and fakes of what needs a GPU; it proves this script, no speed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

REPOSITORY = Path(__file__).resolve().parents[2]
HIDDEN = {
    "0.6B": (1024, 3072, 28, 16),
    "1.7B": (2048, 6144, 28, 16),
    "4B": (2560, 9728, 36, 32),
    "8B": (4096, 12288, 36, 32),
}
"""Hidden size, inner size, layers, heads of Qwen3; all have 8 key-value heads of size 128 and 151,936 tokens."""
TIED = {"0.6B", "1.7B", "4B"}
CASES: dict[str, dict[str, Any] | None] = {
    "transformers + PEFT": None,
    "danlu, sdpa": {"attention": "sdpa", "kernels": "torch"},
    "danlu, varlen": {"attention": "varlen", "kernels": "torch"},
    "danlu, varlen + triton": {"attention": "varlen", "kernels": "triton"},
    "danlu, varlen + compile": {"attention": "varlen", "kernels": "torch", "compile": True},
}
"""Name -> the recipe's train.gpu; None: train.decoder: transformers."""
TOKENS, ROWS, MICRO_ROWS, WARM, STEPS = 2048, 8, 4, 2, 6
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def environment(dry: bool) -> dict[str, str]:
    paths = [str(REPOSITORY / "src"), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    more = (
        {"TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        if dry
        else {"DANLU_KERNEL_DEVICE": "cuda"}
    )
    offline = {"HF_HUB_OFFLINE": "1", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    return {**os.environ, **offline, **more, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def child(given: dict[str, Any], limit: float) -> dict[str, Any]:
    """What a process of its own measured, or why it did not."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps(given)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment(given["dry"]))
    except subprocess.TimeoutExpired:
        return {"error": f"not done in {limit:.0f} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1], "stderr": done.stderr[-4000:]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def check(given: dict[str, Any]) -> dict[str, Any]:
    """Kernels and varlen attention against torch, on this machine's device."""
    import torch
    from tests.training.packed import kernel_cases

    from danlu.training.packed.attention import by_sequence
    from danlu.training.packed.varlen import Spans, varlen_attention

    wrong = {name: said for name, said in kernel_cases.run(None, "3x33" if given["dry"] else "").items() if said}
    device, lengths = kernel_cases.DEVICE, [5, 700, 1, 300]
    dtype = torch.float32 if given["dry"] else torch.bfloat16
    states = [kernel_cases.made(sum(lengths), heads, 128).to(dtype).requires_grad_() for heads in (16, 8, 8)]
    starts = torch.tensor([0, 5, 705, 706, 1006], dtype=torch.int32, device=device)
    outs = []
    with pretending({}) if given["dry"] else contextlib.nullcontext():
        for found in (
            varlen_attention(*states, Spans(starts, 700), 0.09).flatten(1),
            by_sequence(*states, lengths, 0.09),
        ):
            outs.append((found, *torch.autograd.grad(found.square().sum(), states)))
    near = {"rtol": 2e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-4}
    for name, one, other in zip(("out", "queries", "keys", "values"), *outs, strict=True):
        try:
            torch.testing.assert_close(one, other, **near)
        except AssertionError as error:
            wrong[f"varlen, {name}"] = str(error)
    device_name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, no figures of speed"
    return {"device": device_name, "torch": torch.__version__, "wrong": wrong}


@contextlib.contextmanager
def pretending(ways: dict[str, Any]) -> Iterator[None]:
    """On a CPU: varlen attention by plain attention of each span, and a compiler that only traces."""
    import torch
    from torch.nn.attention import varlen
    from torch.nn.functional import scaled_dot_product_attention

    from danlu.training import cross_entropy
    from danlu.training.packed import compiled, decoder
    from danlu.training.packed.ways import Ways

    def plain(*given: Any, scale: float, window_size: tuple[int, int], enable_gqa: bool) -> Any:
        parts = [[some[a:b].transpose(0, 1)[None] for some in given[:3]] for a, b in pairwise(given[3].tolist())]
        told = {"is_causal": window_size == (-1, 0), "scale": scale, "enable_gqa": enable_gqa}
        return torch.cat([scaled_dot_product_attention(*part, **told)[0].transpose(0, 1) for part in parts])

    with (
        patch.object(varlen, "varlen_attn", plain),
        patch.object(decoder, "halves", lambda: compiled.halves("eager")),
        patch.object(cross_entropy, "ways_for", lambda *given: Ways(**ways)),
    ):
        yield


def make_model(size: str, dry: bool) -> Any:
    """Random weights, the same for every case, and LoRA whose B is not zero, so that every gradient is."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, Qwen3Config

    from danlu.training.method import hold

    hidden, inner, layers, heads = (64, 96, 2, 4) if dry else HIDDEN[size]
    config = Qwen3Config(
        vocab_size=500 if dry else 151_936, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=2 if dry else 8, head_dim=16 if dry else 128,
        tie_word_embeddings=size in TIED, max_position_embeddings=4096,
    )  # fmt: skip
    torch.manual_seed(0)
    dtype = torch.float32 if dry else torch.bfloat16
    with torch.device("cpu" if dry else "cuda"):
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=LINEARS, task_type="CAUSAL_LM"))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.01)
    return hold(model, dtype).train()


def make_rows(vocabulary: int, dry: bool) -> list[Any]:
    """Rows as training sees them, every token learned; random, but with frequent tokens, so that loss falls."""
    import torch

    from danlu.training.objective import Example, Piece

    generator = torch.Generator().manual_seed(0)
    made = []
    for number in range(2 if dry else ROWS):
        length = 24 + number if dry else TOKENS
        ids = (torch.rand(length, generator=generator) ** 4 * vocabulary).long().tolist()
        made.append(Example(f"row:{number}", (Piece(ids, [(1, length)]),), float(length - 1)))
    return made


def measure(given: dict[str, Any]) -> dict[str, Any]:
    """One case: steps with AdamW; micro-batches are halved until they fit."""
    import torch

    model = make_model(given["model"], given["dry"])
    rows = make_rows(model.config.vocab_size, given["dry"])
    micro = MICRO_ROWS
    while True:
        try:
            return {**train(model, rows, micro, given), "micro_rows": micro}
        except torch.OutOfMemoryError:
            if micro == 1:
                raise
        micro //= 2  # outside of the handler, which keeps the failed step's tensors alive
        model.zero_grad()
        torch.cuda.empty_cache()


def train(model: Any, rows: list[Any], micro: int, given: dict[str, Any]) -> dict[str, Any]:
    import torch

    from danlu.models.device import autocast
    from danlu.recipe.gpu import GpuSection
    from danlu.training.cross_entropy import completion_loss
    from danlu.training.micro_batches import learn
    from danlu.training.objective import collate

    dry, ways = given["dry"], given["ways"]
    device = torch.device("cpu" if dry else "cuda")
    gpu = GpuSection() if ways is None or dry else GpuSection.model_validate(ways)
    groups = [rows[start : start + micro] for start in range(0, len(rows), micro)]
    weight = sum(row.weight for row in rows)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=not dry)
    clock: Callable[[], None] = (lambda: None) if dry else torch.cuda.synchronize
    steps: list[dict[str, float]] = []
    if not dry:
        torch.cuda.reset_peak_memory_stats()

    def loss_of(batch: Any) -> Any:
        with autocast(device, torch.float32 if dry else torch.bfloat16):
            return completion_loss(model, batch) / weight

    with pretending(ways or {}) if dry else contextlib.nullcontext():
        for _ in range(2 if dry else WARM + STEPS):
            clock()
            begun = time.perf_counter()
            batches = [collate(group, 0, ways is not None, gpu).to(device) for group in groups]
            loss = learn(model, batches, loss_of)
            norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            clock()
            steps.append({"seconds": time.perf_counter() - begun, "loss": float(loss), "norm": float(norm)})
    timed = [step["seconds"] for step in steps[0 if dry else WARM :]]
    tokens = sum(len(piece.input_ids) for row in rows for piece in row.pieces)
    return {
        "tokens_per_second": tokens / statistics.median(timed),
        "slowest": tokens / max(timed),
        "fastest": tokens / min(timed),
        "peak_gb": 0.0 if dry else torch.cuda.max_memory_allocated() / 1e9,
        "first_step_seconds": steps[0]["seconds"],
        "steps": steps,
    }


def table(found: dict[str, Any]) -> str:
    checked = found["check"]
    said = checked.get("error") or (
        f"{len(checked['wrong'])} WRONG: {checked['wrong']}" if checked["wrong"] else "right"
    )
    lines = [
        f"Device: {checked.get('device', '?')}, torch {checked.get('torch', '?')}. "
        f"Kernels and varlen attention: {said}",
        "",
        "| model | case | tokens/s (slowest to fastest) | against the first | peak GB | rows at once | loss, step 1 | "
        "difference | gradient norm | first step s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for model, cases in found["models"].items():
        first = next((case for case in cases.values() if "error" not in case), None)
        for name, case in cases.items():
            if "error" in case or first is None:
                lines.append(f"| {model} | {name} | {case['error']} | | | | | | | |")
                continue
            step, level = case["steps"][0], first["steps"][0]["loss"]
            lines.append(
                f"| {model} | {name} | "
                f"{case['tokens_per_second']:.0f} ({case['slowest']:.0f} to {case['fastest']:.0f}) | "
                f"{case['tokens_per_second'] / first['tokens_per_second']:.2f} | {case['peak_gb']:.1f} | "
                f"{case['micro_rows']} | {step['loss']:.4f} | {step['loss'] - level:+.5f} | {step['norm']:.4f} | "
                f"{case['first_step_seconds']:.1f} |"
            )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=HIDDEN, default=["0.6B", "8B", "1.7B", "4B"])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seconds", type=float, default=560, help="for everything; what does not fit is named")
    parser.add_argument("--limit", type=float, default=150, help="seconds for one case")
    parser.add_argument("--out", type=Path, help="JSON; default: $OUT/gpu.json where $OUT is set")
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        given = json.loads(asked.child)
        print("\n" + json.dumps(check(given) if given.get("check") else measure(given)))
        return 0
    if asked.out is None and os.environ.get("OUT"):
        asked.out = Path(os.environ["OUT"]) / "gpu.json"
    end = time.monotonic() + asked.seconds
    found: dict[str, Any] = {"check": child({"check": True, "dry": asked.dry}, asked.limit), "models": {}}
    print(table(found).splitlines()[0], file=sys.stderr, flush=True)
    for model in asked.models[:1] if asked.dry else asked.models:
        cases = found["models"].setdefault(model, {})
        for name in asked.cases:
            left = end - time.monotonic()
            given = {"model": model, "ways": CASES[name], "dry": asked.dry}
            cases[name] = child(given, min(left, asked.limit)) if left > 20 else {"error": "no time left"}
            said = cases[name].get("error") or f"{cases[name]['tokens_per_second']:.0f} tokens/s"
            print(f"{model}, {name}: {said}", file=sys.stderr, flush=True)
            if asked.out is not None:
                asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(found))
    failed = (
        "error" in found["check"]
        or found["check"]["wrong"]
        or any("error" in case for cases in found["models"].values() for case in cases.values())
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
