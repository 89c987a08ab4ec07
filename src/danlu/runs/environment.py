"""Versions of what a result was made with, read from package metadata so that nothing heavy is imported."""

from __future__ import annotations

import functools
import platform
from importlib import metadata

PACKAGES = ("danlu", "torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "pyarrow", "sacrebleu")


@functools.cache
def library_versions() -> dict[str, str]:
    """Python's version and those of the libraries that results depend on; absent ones are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        version = package_version(package)
        if version is not None:
            versions[package] = version
    return versions


def package_version(package: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
