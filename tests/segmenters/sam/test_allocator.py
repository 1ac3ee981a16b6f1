"""Keeping freed memory: pages are faulted in once, in every thread, and nowhere by surprise."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from rvsam_video.segmenters.sam.allocator import keep_freed_memory

ON_GLIBC = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"

FAULTS = """
import resource, sys, threading
from rvsam_video.segmenters.sam.allocator import keep_freed_memory

took = keep_freed_memory() if sys.argv[1] == "keep" else None

def work():
    for _ in range(3):
        block = bytearray(80 << 20); del block
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        block = bytearray(80 << 20); del block
    print(took, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

if sys.argv[2] == "main":
    work()
else:
    thread = threading.Thread(target=work); thread.start(); thread.join()
"""


def faults(mode: str, where: str) -> tuple[str, int]:
    """Count page faults of five 80 MiB blocks, in a process of their own."""
    command = [sys.executable, "-c", FAULTS, mode, where]
    took, count = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return took, int(count)


@pytest.mark.skipif(not ON_GLIBC, reason="the settings are glibc's")
@pytest.mark.parametrize("where", ["main", "thread"])
def test_freed_blocks_are_reused_without_new_pages(where):
    took, kept = faults("keep", where)
    _, returned = faults("default", where)
    assert took == "True"
    assert kept < 100
    assert returned > 100 * max(kept, 1)


@pytest.mark.parametrize(
    ("system", "library"), [("Darwin", ""), ("Windows", ""), ("Linux", "musl")]
)
def test_other_systems_are_left_alone(monkeypatch, system, library):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "libc_ver", lambda: (library, ""))
    assert keep_freed_memory() is False
