"""A camera that is faster than the engine: latency, dropped frames and memory over minutes.

    python benchmarks/live.py --minutes 10

A stand-in for a camera gives pictures by the clock, at 30 per second unless told otherwise. The
run is that of `rvsam-video track 0 --live`, from the camera's frames to the files of the run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import psutil

from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.frame import Image
from rvsam_video.results import FrameResult
from rvsam_video.runs.latency import Latencies
from rvsam_video.runs.objects import RunOptions, RunSummary, run

_MIB = 1024**2


class ClockCamera:
    """Has OpenCV's `VideoCapture` interface; plays pictures there and back, by the clock."""

    pictures: Sequence[Image] = ()
    rate = 30.0
    began = 0.0

    def __init__(self, _number: int) -> None:
        self._next: float | None = None
        self._count = 0

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        """Return that it is there."""
        return True

    def read(self) -> tuple[bool, Image]:
        """Wait for the next tick; a reader that was late gets the picture of now."""
        now = time.monotonic()
        if self._next is None:
            self._next = ClockCamera.began = now
        if now < self._next:
            time.sleep(self._next - now)
        ticks = max(1, int((time.monotonic() - self._next) * self.rate) + 1)
        self._next += ticks / self.rate
        self._count += ticks
        around = self._count % (2 * len(self.pictures) - 2)
        place = min(around, 2 * len(self.pictures) - 2 - around)
        return True, self.pictures[place]

    def release(self) -> None:
        """Do nothing."""


class Watch:
    """Prints a line a minute, and ends the run in time.

    Args:
        seconds: how long to run.
    """

    def __init__(self, seconds: float) -> None:
        self._process = psutil.Process()
        self._began = self._line = time.monotonic()
        self._seconds = seconds
        self._latencies = Latencies()
        self._frames = 0
        self.memory: list[float] = []

    def message(self, text: str) -> None:
        """Print what the run says."""
        print(text)

    def started(self, total: int | None, done: int) -> None:
        """Print the head of the table."""
        del total, done
        print("minute  frames/s  latency median  95 %     worst    resident")

    def result(self, result: FrameResult) -> None:
        """Count a result; how old it is follows from the camera's own clock."""
        now = time.monotonic()
        self._latencies.add(now - ClockCamera.began - result.time)
        self._frames += 1
        if now - self._line >= 60:
            self._print(now)

    def _print(self, now: float) -> None:
        memory = self._process.memory_info().rss / _MIB
        self.memory.append(memory)
        latencies = self._latencies
        print(
            f"{(now - self._began) / 60:6.1f}  {self._frames / (now - self._line):8.1f}  "
            f"{1000 * latencies.quantile(0.5):11.0f} ms {1000 * latencies.quantile(0.95):5.0f} ms "
            f"{1000 * latencies.worst:6.0f} ms {memory:6.1f} MiB",
            flush=True,
        )
        self._line, self._frames, self._latencies = now, 0, Latencies()

    def over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() - self._began > self._seconds


def measure(minutes: float, rate: float, size: tuple[int, int], out: Path) -> RunSummary:
    """Do the run and print what was seen."""
    clip = SyntheticClip(frames=72, size=size)
    ClockCamera.pictures = [
        np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), np.uint8) for frame in clip
    ]
    ClockCamera.rate = rate
    cv2.VideoCapture = ClockCamera  # type: ignore[misc, assignment]
    watch = Watch(60 * minutes)
    options = RunOptions(source="0", out=out, prompts=clip.prompts(), live="drop")
    summary = run(options, watch, watch.over)
    seen = summary.frames + summary.counts["dropped"]
    print(
        f"{summary.frames} frames tracked, {summary.counts['dropped']} dropped of {seen}; "
        f"resident size {watch.memory[0]:.1f} MiB after a minute, {watch.memory[-1]:.1f} MiB at "
        "the end"
        if watch.memory
        else f"{summary.frames} frames tracked, {summary.counts['dropped']} dropped of {seen}"
    )
    return summary


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--size", default="640x360")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        measure(given.minutes, given.rate, (width, height), Path(folder) / "run")


if __name__ == "__main__":
    main()
