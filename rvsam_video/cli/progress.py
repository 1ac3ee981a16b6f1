"""How a run is shown while it goes on: a bar for people, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rvsam_video.cli.ending import tell
from rvsam_video.closing import ClosesItself

if TYPE_CHECKING:
    from rich.progress import ProgressColumn, TaskID

JSON_INTERVAL = 1.0
"""Seconds between two progress lines for machines."""

LINE_INTERVAL = 10.0
"""Seconds between two progress lines for people, where there is no terminal."""


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
    def part(self, number: int, name: str, done: int) -> None:
        """Show how many frames of a clip one of several workers has done."""

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
        self._parts: dict[int, float] = {}

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

    def part(self, number: int, name: str, done: int) -> None:
        """Print a progress event of a worker, at most one per `JSON_INTERVAL` and worker."""
        now = time.monotonic()
        if now - self._parts.get(number, -JSON_INTERVAL) >= JSON_INTERVAL:
            self._parts[number] = now
            self._print({"event": "progress", "worker": number, "clip": name, "done": done})

    def end(self, summary: Mapping[str, object], lines: list[str]) -> None:  # noqa: ARG002
        """Print a done event with the whole summary."""
        self._print({"event": "done", **summary})

    @staticmethod
    def _print(event: Mapping[str, object]) -> None:
        tell(json.dumps(event))


class BarReporter(Reporter):
    """A bar with the speed and the time left on standard error; sentences around it.

    Args:
        what: is being done.
        frames: whether to frames of a video, of which there are several a second; else to
            pictures, which may take minutes.
    """

    def __init__(self, what: str, *, frames: bool = True) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(*_columns(frames=frames), console=console, transient=True)
        self._what = what
        self._task: TaskID | None = None
        self._parts: dict[int, TaskID] = {}

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

    def part(self, number: int, name: str, done: int) -> None:
        """Move the line of a worker."""
        if number not in self._parts:
            self._parts[number] = self._bar.add_task("", total=None)
            self._bar.start()
        self._bar.update(
            self._parts[number], description=f"worker {number}: {name}", completed=done
        )

    def end(self, summary: Mapping[str, object], lines: list[str]) -> None:  # noqa: ARG002
        """Print the closing lines on standard output."""
        self._bar.stop()
        for line in lines:
            tell(line)


class LineReporter(Reporter):
    """Sentences on standard error, and now and then a line that says how far it is.

    For files and pipes, where a bar would be noise and silence looks like a program that hangs.

    Args:
        what: as for `BarReporter`.
        frames: likewise.
    """

    def __init__(self, what: str, *, frames: bool = True) -> None:
        self._what, self._unit = what, "frames" if frames else "pictures"
        self._total: int | None = None
        self._first = 0
        self._began = self._shown = time.monotonic()

    def close(self) -> None:
        """Nothing to put away."""

    def say(self, text: str) -> None:
        """Print one sentence."""
        tell(text, err=True)

    def start(self, total: int | None, done: int) -> None:
        """Begin to count."""
        self._total, self._first = total, done
        self._began = self._shown = time.monotonic()

    def step(self, done: int) -> None:
        """Print a line, at most one per `LINE_INTERVAL`."""
        now = time.monotonic()
        if now - self._shown < LINE_INTERVAL:
            return
        self._shown = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        line = f"{self._what}: {done}"
        line += f" {self._unit}" if self._total is None else f" of {self._total} {self._unit}"
        line += f", {rate:.2f} a second"
        if self._total is not None and rate > 0:
            line += f", {max(0, self._total - done) / rate:.0f} s left"
        self.say(line)

    def part(self, number: int, name: str, done: int) -> None:
        """Print a line, at most one per `LINE_INTERVAL` for all workers."""
        now = time.monotonic()
        if now - self._shown >= LINE_INTERVAL:
            self._shown = now
            self.say(f"worker {number}: {name}, {done} {self._unit}")

    def end(self, summary: Mapping[str, object], lines: list[str]) -> None:  # noqa: ARG002
        """Print the closing lines on standard output."""
        for line in lines:
            tell(line)


def reporter_for(*, as_json: bool, what: str = "tracking", frames: bool = True) -> Reporter:
    """Return what shows a run to machines or to people; the rest is as for `BarReporter`."""
    if as_json:
        return JsonReporter()
    kind = BarReporter if sys.stderr.isatty() else LineReporter
    return kind(what, frames=frames)


def _columns(*, frames: bool) -> list[ProgressColumn]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        """Speed of the last seconds."""

        def render(self, task: Task) -> Text:
            """Return the speed, or a dash before it is known."""
            if frames:
                return Text("- fps" if task.speed is None else f"{task.speed:.1f} fps")
            return Text(f"{1 / task.speed:.1f} s each" if task.speed else "- s each")

    return [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
    ]
