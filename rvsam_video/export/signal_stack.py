"""The stack that a thread handles signals on, kept from libraries that change it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BYTES = 64
"""More than a `stack_t` has on any system; what is in it is never looked at here."""


def signal_stack() -> bytes | None:
    """Return the `stack_t` of this thread's alternate signal stack; None where there is no such."""
    if sys.platform == "win32":
        return None
    buffer = ctypes.create_string_buffer(_BYTES)
    ctypes.CDLL(None).sigaltstack(None, buffer)
    return buffer.raw


@contextmanager
def keeping_signal_stack() -> Iterator[None]:
    """Put this thread's alternate signal stack back after the block.

    OpenVINO sets one of its own when it compiles a network, and when that network is let go of it
    puts back what was there before: of two, the second may put back a stack of the first, which is
    gone by then. The next signal, such as Ctrl-C or the end of a child, would then end the process:
    Python's handlers ask for that stack.
    """
    before = signal_stack()
    try:
        yield
    finally:
        if before is not None:
            ctypes.CDLL(None).sigaltstack(before, None)
