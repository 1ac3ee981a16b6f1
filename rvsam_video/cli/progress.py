"""How a run is shown while it goes on: a bar for people, JSON lines for machines."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from rvsam_video.closing import ClosesItself

if TYPE_CHECKING:
    from rich.progress import ProgressColumn, TaskID

JSON_INTERVAL = 1.0
"""Seconds between two progress lines for machines."""


class Reporter(ClosesItself, ABC):
    """Shows a run; leaving its `with` statement puts everything away."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Show one sentence."""

    @abstractmethod
    def start(self, total: int | None, done: int) -> None:
        """Begin, with `done` of `total` frames already there (total None: unknown)."""

    @abstractmethod
    def step(self, done: int) -> None:
        """Show that `done` frames are there."""

    @abstractmethod
    def end(self, summary: Mapping[str, object], lines: list[str]) -> None:
        """Show how it ended: values for machines, lines for people."""


class JsonReporter(Reporter):
    """One JSON object per line on standard output: start, progress, message and done."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._first = 0
        self._began = time.monotonic()
        self._shown = -JSON_INTERVAL

    def close(self) -> None:
        """Nothing to put away."""

    def say(self, text: str) -> None:
        """Print a message event."""
        self._print({"event": "message", "text": text})

    def start(self, total: int | None, done: int) -> None:
        """Print a start event."""
        self._total, self._first, self._began = total, done, time.monotonic()
        self._print({"event": "start", "total": total, "done": done})

    def step(self, done: int) -> None:
        """Print a progress event, at most one per `JSON_INTERVAL`."""
        now = time.monotonic() - self._began
        if now - self._shown < JSON_INTERVAL:
            return
        self._shown = now
        fps = (done - self._first) / max(now, 1e-9)
        self._print({"event": "progress", "done": done, "total": self._total, "fps": round(fps, 2)})

    def end(self, summary: Mapping[str, object], lines: list[str]) -> None:  # noqa: ARG002
        """Print a done event with the whole summary."""
        self._print({"event": "done", **summary})

    @staticmethod
    def _print(event: Mapping[str, object]) -> None:
        click.echo(json.dumps(event))


class BarReporter(Reporter):
    """A bar with frames per second and time left on standard error; sentences around it.

    Args:
        what: is being done.
        unit: of the speed, for what is counted.
    """

    def __init__(self, what: str, unit: str = "fps") -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        # Into a file or pipe a bar would be noise; sentences still go there.
        hidden = not console.is_terminal
        self._bar = Progress(*_columns(unit), console=console, transient=True, disable=hidden)
        self._what = what
        self._task: TaskID | None = None

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print one sentence above the bar."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def start(self, total: int | None, done: int) -> None:
        """Show the bar."""
        self._task = self._bar.add_task(self._what, total=total, completed=done)
        self._bar.start()

    def step(self, done: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=done)

    def end(self, summary: Mapping[str, object], lines: list[str]) -> None:  # noqa: ARG002
        """Print the closing lines on standard output."""
        self._bar.stop()
        for line in lines:
            click.echo(line)


def reporter_for(*, as_json: bool, what: str = "tracking", unit: str = "fps") -> Reporter:
    """Return what shows a run to machines or to people.

    Args:
        as_json: whether to machines.
        what: is being done.
        unit: of the speed, for people.
    """
    return JsonReporter() if as_json else BarReporter(what, unit)


def _columns(unit: str) -> list[ProgressColumn]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class FramesPerSecond(ProgressColumn):
        """Speed of the last seconds."""

        def render(self, task: Task) -> Text:
            """Return the speed, or a dash before it is known."""
            return Text(f"- {unit}" if task.speed is None else f"{task.speed:.1f} {unit}")

    return [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        FramesPerSecond(),
        TimeRemainingColumn(),
    ]
