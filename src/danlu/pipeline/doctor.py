"""`danlu doctor`: the environment, and what would not work in it."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib import util

from danlu.recipe.errors import DanluError
from danlu.runs.environment import library_versions, package_version

OPTIONAL = {
    "modelscope": ("danlu[modelscope]", "models by ModelScope id"),
    "openai": ("danlu[dev]", "the official client, to try a server with"),
}


@dataclass(frozen=True)
class Finding:
    """A line of the report: what, its value, whether it is fine, and the fix if not."""

    what: str
    value: str
    fine: bool = True
    fix: str = ""


def examine(workspace: str) -> list[Finding]:
    """Look at Python, torch, device, memory, disk, libraries, optional packages and the shipped model."""
    findings = [Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")]
    findings += _torch()
    findings += [
        Finding(name, version) for name, version in library_versions().items() if name not in {"python", "torch"}
    ]
    for package, (install, purpose) in OPTIONAL.items():
        there = util.find_spec(package) is not None
        value = str(package_version(package)) if there else f"not installed: {purpose}"
        findings.append(Finding(package, value, True, "" if there else f"pip install '{install}'"))
    findings += [_memory(), _disk(workspace), _seedling()]
    return findings


def _torch() -> list[Finding]:
    try:
        import torch

        from danlu.models.device import default_device, native_bf16
    except ImportError as error:
        return [Finding("torch", f"cannot be imported: {error}", False, "pip install torch")]
    device = default_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    bf16 = "bf16 in hardware" if native_bf16(device) else "no bf16 in hardware: 'auto' precision means fp32"
    return [Finding("torch", torch.__version__), Finding("device", f"{device} ({name}); {bf16}")]


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    gib = 1 << 30
    fine = memory.available > gib
    fix = "" if fine else "close other programs: even the shipped model needs about 1 GiB"
    return Finding("memory", f"{memory.available / gib:.1f} of {memory.total / gib:.1f} GiB free", fine, fix)


def _disk(workspace: str) -> Finding:
    place = os.path.abspath(workspace)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    gib = 1 << 30
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    value = f"{workspace}: {free / gib:.1f} GiB free" + ("" if writable else ", not writable")
    fine = writable and free > gib
    return Finding("workspace", value, fine, "" if fine else "--workspace on a disk with room that you may write")


def _seedling() -> Finding:
    from danlu.models.identity import resolve_model

    try:
        model = resolve_model("seedling")
    except DanluError as error:
        return Finding("seedling", error.reason, False, "reinstall danlu: the shipped model is missing")
    size = sum(file.stat().st_size for file in model.path.glob("*.safetensors")) / 1e6
    return Finding("seedling", f"{size:.1f} MB at {model.path}")
