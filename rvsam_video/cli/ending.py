"""Signals that end a program: Ctrl-C, SIGTERM and a closed terminal are met alike.

Anywhere the first one unwinds the program as Ctrl-C does, so that temporary folders go and locks
are given back. While a run goes on the first one only asks it to stop, so that its files are whole.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

import click

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""The last two exist on some systems only; SIGBREAK is what Windows sends to console programs."""

_SHELL_OFFSET = 128
"""Shells report a program that a signal ended by 128 and its number."""


class Ended(KeyboardInterrupt):
    """A signal that ends programs came.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = _SHELL_OFFSET + number


def exit_code_of(error: BaseException) -> int:
    """Return what to return to the shell after an interruption."""
    return error.exit_code if isinstance(error, Ended) else _SHELL_OFFSET + signal.SIGINT


class Asked:
    """Whether somebody asked to stop, and how."""

    def __init__(self) -> None:
        self._number: int | None = None

    def is_set(self) -> bool:
        """Whether a signal came."""
        return self._number is not None

    def set(self, number: int) -> None:
        """Note the signal."""
        self._number = number

    @property
    def exit_code(self) -> int:
        """What to return to the shell after stopping in order."""
        return _SHELL_OFFSET + (self._number or signal.SIGINT)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn every signal that ends programs into `Ended` while the block runs."""

    def handle(number: int, _frame: FrameType | None) -> None:
        _let_go_of_terminal(number)
        raise Ended(number)

    with _handling(handle):
        yield


@contextmanager
def stop_when_asked(say: Callable[[str], None], step: str = "frame") -> Iterator[Asked]:
    """Let the first signal ask to stop, and the second stop at once.

    Signals reach the main thread only; in another one the block runs without this.

    Args:
        say: takes a sentence for people.
        step: what is still done, in that sentence.
    """
    asked = Asked()

    def handle(number: int, _frame: FrameType | None) -> None:
        _let_go_of_terminal(number)
        if asked.is_set():
            raise Ended(number)
        asked.set(number)
        say(f"stopping after this {step}; press Ctrl-C again to stop at once")

    with _handling(handle):
        yield asked


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # Ignored by the one who started us, as nohup does: that was meant.
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in previous.items():
            # None for a handler that was not set from Python; it cannot be put back.
            signal.signal(number, signal.SIG_DFL if old is None else old)


def _let_go_of_terminal(number: int) -> None:
    """Send what is still printed nowhere when the terminal is gone: it would be an error."""
    if number != getattr(signal, "SIGHUP", None):
        return
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            # A pipe or file is still there, whatever became of the terminal.
            if os.isatty(descriptor) or not _writable(descriptor):
                os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _writable(descriptor: int) -> bool:
    try:
        os.write(descriptor, b"")
    except OSError:
        return False
    return True


def print_nowhere(stream: TextIO) -> None:
    """Send what is still printed to a stream nowhere: whoever read it has gone.

    What stands in for a stream in tests has no descriptor, and is left as it is.
    """
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def tell(text: str, *, err: bool = False) -> None:
    """Print a line; a run must not end because nobody reads what it says.

    Args:
        text: the line.
        err: to standard error instead of standard output.
    """
    try:
        click.echo(text, err=err)
    except OSError:
        print_nowhere(sys.stderr if err else sys.stdout)
