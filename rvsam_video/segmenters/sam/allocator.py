"""Ask the C library to keep the memory that torch frees, for the next map of the same size.

A network's maps are tens of megabytes, and glibc maps such blocks from the kernel anew each time:
every page is faulted in, zeroed and handed back a moment later. Kept memory is reused as it is.
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
"""Parameter numbers of mallopt in glibc's malloc.h."""

_SETTINGS = (
    # Blocks up to 1 GiB come from the heap: far above the largest map of any encoder here.
    (_M_MMAP_THRESHOLD, 1 << 30),
    # The largest value an int holds: free memory at the heap's top is never handed back.
    (_M_TRIM_THRESHOLD, (1 << 31) - 1),
    # The heap grows by at least 64 MiB at a time, about the largest single map.
    (_M_TOP_PAD, 1 << 26),
    # Other threads' arenas are too small for such blocks, so all threads share the first one.
    (_M_ARENA_MAX, 1),
)


def keep_freed_memory() -> bool:
    """Let this process reuse freed memory instead of handing it back to the kernel.

    It changes speed, not results. The price: resident memory stays at its highest level until the
    process ends. It concerns the whole process, so it is for programs to call at their start,
    before they create threads; the library itself never does.

    Returns:
        True if the settings took effect: on Linux with glibc's own allocator.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    # A list, not a generator: one setting that is refused does not keep the others from being made.
    return all([mallopt(parameter, value) == 1 for parameter, value in _SETTINGS])
