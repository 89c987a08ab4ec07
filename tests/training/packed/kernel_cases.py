"""Cases for danlu's Triton kernels, run by test_kernels.py in a process of its own with Triton's interpreter.

    TRITON_INTERPRET=1 python -m tests.training.packed.kernel_cases FOLDER_OF_A_MODEL

Prints a JSON object: case -> what is wrong with it, or ''. The interpreter is switched on before Triton is imported,
for a whole process.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import torch

from danlu.training.packed import attention, functions
from danlu.training.packed.attention import Rotary, Shape

DEVICE = torch.device(os.environ.get("DANLU_KERNEL_DEVICE", "cpu"))
"""Where the cases run; benchmarks/gpu/run.py runs them on a GPU, in larger sizes too."""
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}
LARGE = DEVICE.type == "cuda"
SIZES = [(5, 48), (3, 33), (1, 7), (0, 16), *([(3001, 4096), (700, 12_288)] if LARGE else [])]
HEADS = [(5, 3, 1, 12), (4, 4, 2, 16), (1, 1, 1, 2), *([(3001, 32, 8, 128)] if LARGE else [])]
"""T, H, G, E."""


def cases(folder: Path | None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every case by its name; that of a whole model where its folder is given."""
    for name, dtype in FORMATS.items():
        for rows, width in SIZES:
            for trains in (True, False):
                kind = f"{name}-{rows}x{width}-{'trains' if trains else 'frozen'}"
                yield f"rms_norm-{kind}", lambda a=(rows, width, dtype, trains): norm_case(*a)  # type: ignore[misc]
            yield f"swiglu-{name}-{rows}x{width}", lambda a=(rows, width, dtype): gate_case(*a)  # type: ignore[misc]
        for sizes in HEADS:
            for way in ("trains", "frozen", "none"):
                kind = f"{name}-{'x'.join(map(str, sizes))}-{way}"
                yield f"turned_heads-{kind}", lambda a=(sizes, dtype, way): heads_case(*a)  # type: ignore[misc]
    yield "rms_norm-many-rows-each", many_rows_case
    if folder is not None:
        yield "model", lambda: model_case(folder)


def norm_case(rows: int, width: int, dtype: torch.dtype, trains: bool) -> None:
    from danlu.training.packed import kernels

    states = apart(rows, width, dtype)
    weight = (made(width) + 1).requires_grad_(trains)
    same(kernels.rms_norm, functions.rms_norm, [states, weight], 1e-5)


def many_rows_case() -> None:
    """Programs that add up several rows each."""
    from danlu.training.packed import kernels

    with patch.object(kernels, "_PROGRAMS", 3):
        norm_case(8, 5, torch.float32, True)
        heads_case((8, 2, 1, 4), torch.float32, "trains")


def plain_swiglu(pair: torch.Tensor) -> torch.Tensor:
    gate, up = pair.chunk(2, dim=-1)
    return torch.nn.functional.silu(gate) * up


def gate_case(rows: int, width: int, dtype: torch.dtype) -> None:
    from danlu.training.packed import kernels

    with patch.object(kernels, "_COLUMNS", 32):  # so that a row is several programs
        same(kernels.swiglu, plain_swiglu, [apart(rows, 2 * width, dtype)])


def heads_case(sizes: tuple[int, int, int, int], dtype: torch.dtype, way: str) -> None:
    from danlu.training.packed import kernels

    tokens, count, groups, size = sizes
    shape = Shape(count, groups, size, 0.5, 1e-5)
    angles = (torch.arange(tokens, device=DEVICE)[:, None] % 9 + 1) * torch.linspace(0.3, 1, size // 2, device=DEVICE)
    rotary = Rotary(*(torch.cat([table, table], 1).to(dtype) for table in (angles.cos(), angles.sin())))
    norms = [(made(size, seed=seed) + 1).requires_grad_(way == "trains") for seed in (1, 2)]

    def by(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda joined, *given: function(joined, given or None, rotary, shape)

    joined = apart(tokens, (count + 2 * groups) * size, dtype)
    same(by(kernels.turned_heads), by(attention.turned_heads), [joined, *(norms if way != "none" else [])])


def model_case(folder: Path) -> None:
    """Loss and gradients of a whole model, by the recipe's switch; last with whole layers computed again."""
    from danlu.recipe.gpu import GpuSection
    from danlu.recipe.objectives import SftObjective
    from danlu.training.activations import set_checkpointing
    from danlu.training.cross_entropy import completion_loss
    from danlu.training.objective import collate
    from danlu.training.objectives.sft import Sft
    from tests.training.making import PAD, made_samples
    from tests.training.packed.test_decoder import prepared

    model, samples = prepared(folder, {"type": "hybrid", "lora": {"rank": 4}}), made_samples(3)
    found: dict[str, list[torch.Tensor]] = {}
    ways: tuple[tuple[str, Literal["torch", "triton"]], ...]
    ways = (("torch", "torch"), ("triton", "triton"), ("again", "triton"))
    for name, kernels in ways:
        set_checkpointing(model, "full" if name == "again" else "off")
        batch = collate(Sft(SftObjective()).examples(samples), PAD, gpu=GpuSection(kernels=kernels))
        model.zero_grad()
        loss = completion_loss(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        found[name] = [loss.detach(), *(p.grad for p in model.parameters() if p.grad is not None)]
    assert len(found["torch"]) > 10
    for ours, wanted in zip(found["triton"], found["torch"], strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)
    for ours, wanted in zip(found["again"], found["triton"], strict=True):
        assert torch.equal(ours, wanted)


def same(ours: Callable[..., Any], wanted: Callable[..., Any], given: list[Any], *more: Any) -> None:
    """Both give the same and, for the same gradient of it, the same gradients."""
    outs, grads = [], []
    for function in (ours, wanted):
        tensors = [t.detach().requires_grad_(t.requires_grad) for t in given]
        found = function(*tensors, *more)
        found = found if isinstance(found, tuple) else (found,)
        outs.append(found)
        pulls = [made(*out.shape, seed=3).to(out.dtype) for out in found]
        trained = [tensor for tensor in tensors if tensor.requires_grad]
        grads.append(torch.autograd.grad(found, trained, pulls, allow_unused=True))
    half = outs[0][0].dtype == torch.bfloat16
    relative, absolute = (2e-2, 4e-2) if half else (1e-5, 1e-5)
    for one, other in zip((*outs[0], *grads[0]), (*outs[1], *grads[1]), strict=True):
        # A weight's gradient is a sum over rows; it is as exact as its largest numbers
        largest = 1.0 if not other.numel() else max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one, other, rtol=relative, atol=absolute * largest)


def made(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))).to(DEVICE)


def apart(rows: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """States whose rows do not lie one behind another."""
    return made(rows, width + 3).to(dtype)[:, 1 : width + 1].requires_grad_()


def run(folder: Path | None, only: str = "") -> dict[str, str]:
    """What each case says, or each that has `only` in its name."""
    said = {}
    for name, case in ((name, case) for name, case in cases(folder) if only in name):
        try:
            case()
            said[name] = ""
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"
    return said


def main() -> None:
    print(json.dumps(run(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
