"""The ways in which the packed decoder computes on a device: what the recipe asks for, and what is there."""

from __future__ import annotations

import functools
import importlib.util
import os
from dataclasses import dataclass
from typing import Literal

import torch

from danlu.models.device import native_bf16
from danlu.recipe.choices import optional
from danlu.recipe.errors import UserError
from danlu.recipe.gpu import GpuSection

_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Ways:
    """How a layer is computed.

    Attributes:
        attention: sdpa: sequence by sequence, on a CPU by danlu's own step; varlen: all sequences in one call.
        kernels: of norms, rotary positions and activation.
        compile: whether torch.compile makes what is before and behind attention.
    """

    attention: Literal["sdpa", "varlen"] = "sdpa"
    kernels: Literal["torch", "triton"] = "torch"
    compile: bool = False


PLAIN = Ways()


@functools.cache
def ways_for(asked: GpuSection, device: torch.device, dtype: torch.dtype) -> Ways:
    """What `train.gpu` comes to on a device, for computation in `dtype`.

    Raises:
        UserError: a way was asked for by name and this device, number format or environment has not got it.
    """
    if device.type != "cuda":
        return _without_gpu(asked, device)
    return Ways(_attention(asked, device, dtype), _kernels(asked), asked.compile)


def interpreting() -> bool:
    """Whether Triton's interpreter stands in for a GPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def _without_gpu(asked: GpuSection, device: torch.device) -> Ways:
    if asked.kernels == "triton" and interpreting():
        optional("triton", "gpu")
        return Ways(kernels="triton")
    wanted = {"attention": asked.attention == "varlen", "kernels": asked.kernels == "triton", "compile": asked.compile}
    for field in (name for name, asks in wanted.items() if asks):
        value = str(getattr(asked, field)).lower()
        raise UserError(
            f"'{value}' needs a CUDA GPU, and training runs on '{device.type}'",
            where=f"train.gpu.{field}",
            fix=f"remove train.gpu.{field}: a {device.type} has a fast way of its own"
            if device.type == "cpu"
            else f"remove train.gpu.{field}",
        )
    return PLAIN


def _attention(asked: GpuSection, device: torch.device, dtype: torch.dtype) -> Literal["sdpa", "varlen"]:
    lacks = ""
    if not native_bf16(device):  # compute capability 8.0, as the kernel asks
        lacks = "a GPU of compute capability 8.0 or more"
    elif dtype not in _HALF:
        lacks = f"bf16 or fp16, and the computation is in {str(dtype).removeprefix('torch.')}"
    elif importlib.util.find_spec("torch.nn.attention.varlen") is None:
        lacks = f"torch 2.11 or later, and this is {torch.__version__}"
    if asked.attention == "varlen" and lacks:
        raise UserError(f"'varlen' needs {lacks}", where="train.gpu.attention", fix="set it to auto")
    return "sdpa" if asked.attention == "sdpa" or lacks else "varlen"


def _kernels(asked: GpuSection) -> Literal["torch", "triton"]:
    if asked.kernels == "triton":
        optional("triton", "gpu")
        return "triton"
    there = importlib.util.find_spec("triton") is not None
    return "triton" if asked.kernels == "auto" and there and not asked.compile else "torch"
