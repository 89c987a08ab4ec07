"""Products of matrices by the library that is fastest for them on this machine.

torch multiplies fp32 matrices on a CPU by MKL, which keeps to AVX2 on processors that are not Intel's. oneDNN, which is
in torch too and multiplies its bf16 matrices, takes AVX-512 wherever there is one: 250 GFLOP/s in place of 110 on a
core of an AMD EPYC, and just as exact, in another order of summation.

Legend: M, K, N sizes of the matrices.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Literal

import torch

FILLED = 64
"""Numbers of rows are multiples of this on a CPU: oneDNN makes a kernel for each number that it meets."""
BLOCK = 256
"""Tokens of a narrow product that are multiplied at once."""


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """[M, K] x [K, N] -> [M, N]."""
    if by_onednn(left, right):
        found: torch.Tensor = _linear()(left, right.t(), None, "none", [], "")
        return found
    return torch.mm(left, right)


def product_plus(left: torch.Tensor, right: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """[M, K] x [K, N] + [M, N]."""
    if by_onednn(left, right):
        found: torch.Tensor = _linear().binary(left, given, right.t(), None, "add")
        return found
    return torch.addmm(given, left, right)


def filled(rows: torch.Tensor) -> torch.Tensor:
    """[n, ...] -> with zeros up to a multiple of `FILLED` rows."""
    missing = -len(rows) % FILLED
    return torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])]) if missing else rows


def narrow_product(
    left: torch.Tensor, right: torch.Tensor, tokens: Literal["rows", "columns", "inner"]
) -> torch.Tensor:
    """[M, K] x [K, N] -> [M, N], where one size is a number of tokens and another small: in blocks of `BLOCK` tokens.

    An adapter has a dozen such products, and oneDNN would make a kernel of half a megabyte for each at every number of
    tokens. What they give is small, so that it costs little to put the blocks together.

    Args:
        left, right: as for `product`.
        tokens: which size counts them: M, N or K.
    """
    count = {"rows": left.shape[0], "columns": right.shape[1], "inner": left.shape[1]}[tokens]
    if left.device.type != "cpu" or count <= BLOCK:
        return product(left, right)
    blocks = [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]
    if tokens == "rows":
        return torch.cat([product(left[block], right) for block in blocks])
    if tokens == "columns":
        return torch.cat([product(left, right[:, block]) for block in blocks], 1)
    total = product(left[:, blocks[0]], right[blocks[0]])
    for block in blocks[1:]:
        total += product(left[:, block], right[block])
    return total


def by_onednn(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether this product goes to oneDNN by danlu's own choice: fp32 on a CPU with AVX-512.

    The right matrix must lie in one piece, in either order: for a slice of a wider one oneDNN falls back to plain
    loops, some hundred times slower.
    """
    plain = left.dtype == torch.float32 and left.device.type == "cpu" and type(left) is torch.Tensor
    return plain and 1 in left.stride() and (right.is_contiguous() or right.t().is_contiguous()) and _works()


def limit_kernel_cache() -> None:
    """Have oneDNN keep fewer of the kernels that it makes for each shape; to be called before its first product.

    Each takes half a megabyte or more, and its usual 1,024 are mostly kernels that never run again. Fewer than two
    micro-batches need at a time would be slow: each is used once a layer.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")


def _linear() -> Any:
    """torch's own door to oneDNN, which its compiler uses: x W^T + b, with something added to it."""
    return torch.ops.mkldnn._linear_pointwise


@functools.cache
def _works() -> bool:
    """Whether this torch has that door, on a processor where it pays, and what comes out of it is right."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not available or torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    generator = torch.Generator().manual_seed(0)
    left, right, given = (torch.randn(size, generator=generator) for size in ((5, 7), (7, 3), (5, 3)))
    try:
        plain = _linear()(left, right.t(), None, "none", [], "")
        added = _linear().binary(left, given, right.t(), None, "add")
    except (AttributeError, RuntimeError, TypeError):  # a door that is not documented may close
        return False
    expected = left @ right
    return torch.allclose(plain, expected, atol=1e-5) and torch.allclose(added, expected + given, atol=1e-5)
