"""Tokens that go forward at once, where the recipe leaves them open."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from danlu.recipe.train import BatchSection
from danlu.training import allocator
from danlu.training.batch_size import micro_tokens


@pytest.mark.parametrize(("device", "expected"), [("cpu", 1024), ("cuda", 2048), ("mps", 2048)])
def test_it_suits_the_device(device: str, expected: int) -> None:
    assert micro_tokens(BatchSection(), torch.device(device)) == expected
    assert micro_tokens(BatchSection(micro_tokens=7), torch.device(device)) == 7


_TWO_THREADS = """
import sys, threading
from danlu.training.allocator import keep_freed_memory, use_one_arena
if sys.argv[1] == "one": use_one_arena()
keep_freed_memory()
import numpy
def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4096
def work(mine, after):
    held = numpy.ones(1 << 10)  # takes its arena
    both.wait()
    mine.wait()
    held = [numpy.ones(1 << 17) for _ in range(64)]  # 64 MiB in pieces of one
    del held
    after.set()
both, (first, second, end) = threading.Barrier(2), (threading.Event() for _ in range(3))
threads = [threading.Thread(target=work, args=args) for args in ((first, second), (second, end))]
for thread in threads: thread.start()
first.set()
for thread in threads: thread.join()
print(rss() >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_a_thread_frees_serves_the_next() -> None:
    def run(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _TWO_THREADS, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert run("one") < run("each") - 40, "the 64 MiB of one thread are there for the next"


def test_freed_memory_is_asked_for_once() -> None:
    allocator.keep_freed_memory()
    assert allocator.keep_freed_memory.cache_info().currsize == 1
