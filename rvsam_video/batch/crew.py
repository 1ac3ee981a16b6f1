"""`Crew`: worker processes of one machine, replaced when they are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Event
from typing import Any

from rvsam_video.batch.loop import Unit, UnitEvent, WorkOrder, work_until_done
from rvsam_video.batch.processors import environment_of, share_processors
from rvsam_video.closing import ClosesItself
from rvsam_video.errors import RvsamError

_LOOK_EVERY = 0.2
"""Seconds between two looks at whether to stop."""

_PATIENCE = 30.0
"""Seconds that workers have to save what there is; then they are ended."""

_MOST_IDLE_DEATHS = 3
"""A worker that dies so often without having begun anything never will."""


def first_place(worker: int, workers: int) -> float:
    """Return where in the list a worker begins, 0 to 1.

    Args:
        worker: its number on this machine.
        workers: how many there are on this machine.
    """
    tasks = int(os.environ.get("SLURM_ARRAY_TASK_COUNT", "0") or 0)
    if tasks:
        # The tasks of an array share the list evenly.
        least = int(os.environ.get("SLURM_ARRAY_TASK_MIN", "0") or 0)
        task = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0") or 0) - least
        return ((task * workers + worker) / (tasks * workers)) % 1.0
    # Machines know nothing of each other: each begins somewhere else.
    host = zlib.crc32(socket.gethostname().encode()) / 2**32
    return (host + worker / workers) % 1.0


def _work(
    units: Sequence[Unit], order: WorkOrder, worker: int, stop: Event, told: Connection
) -> None:
    """Work in a process of its own."""
    # They reach all processes of a terminal or job; the first one decides for all.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    share_processors(order.workers)

    def should_stop() -> bool:
        # Without a parent nobody looks after this process any more.
        return stop.is_set() or (parent is not None and not parent.is_alive())

    begin = first_place(worker, order.workers)
    try:
        work_until_done(units, order, worker, told.send, should_stop, begin)
    except BrokenPipeError:
        return


class Crew(ClosesItself):
    """Processes that work through a list; leaving its `with` block ends them.

    Args:
        units: what is to be done.
        order: how, and by how many.
    """

    def __init__(self, units: Sequence[Unit], order: WorkOrder) -> None:
        self._units, self._order = units, order
        self._context: Any = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._workers: dict[Connection, tuple[int, Any]] = {}
        self._idle_deaths = [0] * order.workers

    def events(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[UnitEvent]:
        """Work, and tell what happens until all processes have ended.

        Args:
            should_stop: asked now and then; once it says yes, all save what there is, and end.

        Raises:
            RvsamError: if a process cannot even begin.
        """
        for worker in range(self._order.workers):
            self._start(worker)
        while self._workers:
            if should_stop():
                self._stop.set()
            for told in wait(list(self._workers), timeout=_LOOK_EVERY):
                event = self._receive(told)  # type: ignore[arg-type]
                if event is not None:
                    yield event

    def _start(self, worker: int) -> None:
        told, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work,
            args=(self._units, self._order, worker, self._stop, theirs),
            name=f"rvsam-worker-{worker}",
            daemon=True,
        )
        # In its environment before it imports anything: libraries look once.
        with _environment(environment_of(worker, self._order.workers)):
            process.start()
        # Only the process itself may hold this end: then its death closes the pipe.
        theirs.close()
        self._workers[told] = (worker, process)

    def _receive(self, told: Connection) -> UnitEvent | None:
        worker, process = self._workers[told]
        try:
            event: UnitEvent = told.recv()
        # Its end of the pipe is closed: it has ended, or was killed.
        except (EOFError, OSError):
            del self._workers[told]
            told.close()
            process.join()
            if process.exitcode and not self._stop.is_set():
                self._replace(worker, process.exitcode)
            return None
        self._idle_deaths[worker] = 0
        return event

    def _replace(self, worker: int, code: int) -> None:
        self._idle_deaths[worker] += 1
        if self._idle_deaths[worker] > _MOST_IDLE_DEATHS:
            msg = (
                f"a worker process ends before it has begun anything (exit code {code}); memory "
                "may be short: run the same command again with fewer --workers"
            )
            raise RvsamError(msg)
        self._start(worker)

    def close(self) -> None:
        """End all processes; those that do not save in time are ended at once."""
        self._stop.set()
        for told, (_, process) in self._workers.items():
            process.join(_PATIENCE)
            process.kill()
            told.close()
        self._workers.clear()


class _environment:  # noqa: N801 (used like a function)
    """Changes the environment of this process for the block."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values, self._before = values, dict[str, str | None]()

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
