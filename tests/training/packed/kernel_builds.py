"""Compiles every Triton kernel for real GPUs, which needs none; run by test_kernels.py in a process of its own.

    python -m tests.training.packed.kernel_builds

The interpreter takes more than the compiler does: types that change in a loop, shapes that do not fit. Prints a JSON
object: kernel and GPU -> what the compiler says, or ''.
"""

from __future__ import annotations

import json
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from danlu.training.packed import kernels

STATES, SINGLE, COUNT, NUMBER = "*bf16", "*fp32", "i32", "fp32"
NORM_BACK = [STATES, COUNT, STATES, COUNT, SINGLE, SINGLE, STATES, COUNT, SINGLE, COUNT, COUNT]
TURN = [STATES, COUNT, STATES, COUNT, STATES, STATES, STATES, COUNT, COUNT, SINGLE, COUNT, NUMBER]
TURN_BACK = [STATES, COUNT, STATES, COUNT, STATES, COUNT, STATES, STATES, STATES, COUNT, COUNT]
TURN_BACK += [SINGLE, SINGLE, COUNT, COUNT]
TILE = {"HALF": 64, "HEADS": 32, "BLOCK": 64}
KERNELS: list[tuple[str, list[str], dict[str, Any]]] = [
    ("_norm_forward", [STATES, COUNT, SINGLE, STATES, COUNT, SINGLE, COUNT, NUMBER], {"BLOCK": 4096}),
    ("_norm_backward", NORM_BACK, {"TRAINS": True, "BLOCK": 4096}),
    ("_norm_backward", NORM_BACK, {"TRAINS": False, "BLOCK": 1024}),
    ("_gate_forward", [STATES, COUNT, STATES, COUNT, COUNT], {"BLOCK": 1024}),
    ("_gate_backward", [STATES, COUNT, STATES, COUNT, STATES, COUNT, COUNT], {"BLOCK": 1024}),
    ("_turn_forward", TURN, {"NORMED": True, **TILE}),
    ("_turn_forward", TURN, {"NORMED": False, **TILE}),
    ("_turn_backward", TURN_BACK, {"NORMED": True, "TRAINS": True, **TILE}),
    ("_turn_backward", TURN_BACK, {"NORMED": True, "TRAINS": False, **TILE}),
    ("_turn_backward", TURN_BACK, {"NORMED": False, "TRAINS": False, **TILE}),
]
CAPABILITIES = (80, 90)


def build(name: str, types: list[str], constants: dict[str, Any], capability: int) -> None:
    """To machine code; raises whatever the compiler says."""
    kernel = getattr(kernels, name)
    names, left = list(kernel.arg_names), iter(types)
    signature = {each: "constexpr" if each in constants else next(left) for each in names}
    source = ASTSource(kernel, signature, {(names.index(key),): value for key, value in constants.items()})
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 8})
    assert "cubin" in made.asm


def main() -> None:
    said = {}
    for number, (name, types, constants) in enumerate(KERNELS):
        for capability in CAPABILITIES:
            try:
                build(name, types, constants, capability)
                said[f"{number} {name} sm_{capability}"] = ""
            except Exception as error:
                said[f"{number} {name} sm_{capability}"] = f"{type(error).__name__}: {error}"
    print(json.dumps(said))


if __name__ == "__main__":
    main()
