"""danlu's Triton kernels against torch's operations, in Triton's interpreter: numbers are right without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from danlu.recipe.errors import UserError
from danlu.training.packed import decoder
from danlu.training.packed.ways import Ways
from tests.training.packed import kernel_cases

ROOT = Path(__file__).resolve().parents[3]
NAMES = [name for name, _ in kernel_cases.cases(Path())]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Triton is for Linux")


@pytest.fixture(scope="module")
def said(tiny_folder: Path) -> dict[str, str]:
    """What all cases said; one process for all, because the interpreter is switched on for a whole process."""
    return told("kernel_cases", str(tiny_folder), TRITON_INTERPRET="1")


def told(module: str, *arguments: str, **more: str) -> dict[str, str]:
    """What a neighbouring script prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    command = [sys.executable, "-m", f"tests.training.packed.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_computes_what_torch_computes(said: dict[str, str], name: str) -> None:
    assert said[name] == ""


def test_the_compiler_for_gpus_takes_every_kernel(tmp_path: Path) -> None:
    said = told("kernel_builds", TRITON_CACHE_DIR=str(tmp_path))
    assert len(said) == 20 and not [f"{name}: {what}" for name, what in said.items() if what]


def test_without_triton_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    decoder._functions.cache_clear()
    with pytest.raises(UserError, match=r"pip install 'danlu\[gpu\]'"):
        decoder._functions(Ways(kernels="triton"))


def test_triton_is_not_imported_before_it_is_used() -> None:
    code = "import sys, danlu.training.loop, danlu.cli; print('triton' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "False"
