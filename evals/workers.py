"""Doing independent pieces of work in this process, or in several at once."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Literal, Protocol, TypeVar

from ..errors import RvsamError

Item = TypeVar("Item")
Result = TypeVar("Result")
Done_contra = TypeVar("Done_contra", contravariant=True)
Tick = Callable[[], None]
Start = Literal["fork", "spawn"]

_LOOK_EVERY = 0.1
"""Seconds between two looks at how far the processes are."""
_PATIENCE = 5.0
"""Seconds that a process has to notice that it should stop."""


class Watch(Protocol[Done_contra]):
    """Is told how far the work is."""

    def ticked(self, count: int) -> None:
        """All pieces together have ticked `count` times."""

    def finished(self, index: int, result: Done_contra) -> None:
        """The piece of this index is done."""


class Unwatched:
    """Looks away."""

    def ticked(self, count: int) -> None:
        """Ignore it."""

    def finished(self, index: int, result: object) -> None:
        """Ignore it."""


def each(
    function: Callable[[Item, Tick], Result],
    items: Sequence[Item],
    *,
    workers: int = 1,
    watch: Watch[Result] | None = None,
    start: Start | None = None,
) -> list[Result]:
    """Call a function for every item and return its results in the items' order.

    Args:
        function: gets an item, and something to call now and then, by which the work is watched
            and, in another process, stopped. With several processes it must be picklable.
        items: the pieces of work.
        workers: processes; 1 works in this one.
        watch: is told how far it is, from this thread.
        start: how processes are made. By default by `fork` where that is quick and safe: on Linux,
            from a process without other threads. `spawn` is for functions that use libraries with
            threads of their own.

    Raises:
        RvsamError: what the function raised, or if a process was killed. The others are stopped.
    """
    watch = watch or Unwatched()
    # Without processes errors and debuggers work as anywhere.
    if min(workers, len(items)) <= 1:
        return _here(function, items, watch)
    crew = _Crew(function, items, min(workers, len(items)), start or _quickest())
    try:
        return crew.results(watch)
    finally:
        crew.dismiss()


def _here(
    function: Callable[[Item, Tick], Result], items: Sequence[Item], watch: Watch[Result]
) -> list[Result]:
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        watch.ticked(ticks)

    results = []
    for index, item in enumerate(items):
        results.append(function(item, tick))
        watch.finished(index, results[-1])
    return results


def _quickest() -> Start:
    alone = threading.active_count() == 1
    # A forked copy of a lock that some other thread holds would never be released.
    return "fork" if sys.platform == "linux" and alone else "spawn"


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all processes see: the next piece, the ticks so far, and whether to stop."""

    next: Any
    ticks: Any
    stop: Any

    def take(self, count: int) -> Iterator[int]:
        """Yield the indices of pieces that nobody else has."""
        while True:
            # One counter for all: whoever is free takes the next, so long and short pieces even
            # out.
            with self.next.get_lock():
                index = int(self.next.value)
                self.next.value += 1
            if index >= count:
                return
            yield index

    def tick(self) -> None:
        """Count; end this process if it should stop, or nobody waits for it any more."""
        with self.ticks.get_lock():
            self.ticks.value += 1
        parent = multiprocessing.parent_process()
        # Without a parent nobody reads the answers; a killed evaluation leaves no processes behind.
        if self.stop.value or (parent is not None and not parent.is_alive()):
            sys.exit(1)


def _work(
    function: Callable[[Item, Tick], Result],
    items: Sequence[Item],
    shared: _Shared,
    answers: Connection,
) -> None:
    """Work in a process of its own."""
    # Ctrl-C and a closed terminal reach all processes of it, and service managers send SIGTERM to
    # all of a service; the first process decides for all.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        for index in shared.take(len(items)):
            answers.send((index, function(items[index], shared.tick)))
    except RvsamError as error:
        answers.send((None, error))
    except Exception as error:
        # Not every error can be sent; its words can.
        answers.send((None, RuntimeError(f"{type(error).__name__}: {error}")))


class _Crew:
    """Processes at work on the same pieces."""

    def __init__(
        self,
        function: Callable[[Item, Tick], Result],
        items: Sequence[Item],
        workers: int,
        start: Start,
    ) -> None:
        context: Any = multiprocessing.get_context(start)
        self._shared = _Shared(context.Value("q", 0), context.Value("q", 0), context.RawValue("b"))
        self._pieces = len(items)
        self._processes: dict[Connection, Any] = {}
        for _ in range(workers):
            answers, ours = context.Pipe(duplex=False)
            # A daemon: it ends with this process, even where the ticks are far apart.
            process = context.Process(
                target=_work, args=(function, items, self._shared, ours), daemon=True
            )
            process.start()
            # Only the process itself may hold this end: then its death closes the pipe.
            ours.close()
            self._processes[answers] = process

    def results(self, watch: Watch[Any]) -> list[Any]:
        """Wait for all pieces."""
        results: dict[int, Any] = {}
        while len(results) < self._pieces:
            # Not for ever: ticks bring no message, and are looked at now and then.
            ready = wait(list(self._processes), timeout=_LOOK_EVERY)
            for answers in [answers for answers in self._processes if answers in ready]:
                self._receive(answers, results, watch)
            watch.ticked(int(self._shared.ticks.value))
        return [results[index] for index in range(self._pieces)]

    def _receive(self, answers: Connection, results: dict[int, Any], watch: Watch[Any]) -> None:
        try:
            index, result = answers.recv()
        # Its end of the pipe is closed, so it has ended: done, or killed.
        except EOFError:
            process = self._processes.pop(answers)
            process.join()
            if process.exitcode:
                msg = (
                    f"a worker process was ended from outside (exit code {process.exitcode}); "
                    "memory may be short: run the same command again with fewer --workers"
                )
                raise RvsamError(msg) from None
            return
        if index is None:
            raise result
        results[index] = result
        watch.finished(index, result)

    def dismiss(self) -> None:
        """End all processes."""
        self._shared.stop.value = 1
        for answers, process in self._processes.items():
            process.join(_PATIENCE)
            # Those that have not noticed in time.
            process.kill()
            answers.close()
