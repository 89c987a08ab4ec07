"""How the C library (glibc) hands out memory while a CPU trains; elsewhere nothing happens. Imports no torch.

A step frees and takes the same pages again and again. Left alone, glibc gives each thread an arena of its own, and
between what lives long (kernels, objects) and what lives for a step there stay holes that fit neither: with steps of
300 MB two threads came to hold 500.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools

# Parameters of mallopt(3)
_TRIM_THRESHOLD, _MAP_THRESHOLD, _MOST_ARENAS = -1, -3, -8


@functools.cache
def use_one_arena() -> None:
    """What one thread has freed is of use to the others. Has to come before threads take memory."""
    _set(_MOST_ARENAS, 1)


@functools.cache
def keep_freed_memory() -> None:
    """Keep freed pages: with pages of their own that go back each time, large tensors cost a twentieth of the time."""
    _set(_TRIM_THRESHOLD, 1 << 30)
    _set(_MAP_THRESHOLD, 1 << 30)


def _set(parameter: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(parameter, value)
