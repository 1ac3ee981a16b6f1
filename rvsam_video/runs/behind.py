"""`BackwardRun`: the part of a run that is tracked backward, before its first result."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError
from rvsam_video.frame import Frame
from rvsam_video.json_values import Json
from rvsam_video.runs.checkpoint import Checkpoint
from rvsam_video.runs.layout import SPOOL_FILE
from rvsam_video.runs.options import CommonOptions
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.snapshot import Arrays
from rvsam_video.sources.backward import falling_frames
from rvsam_video.sources.prefetching import DECODE_AHEAD, Prefetch, prefetch
from rvsam_video.streaming.both_ways import BackwardPass, JoinedSession, Ways
from rvsam_video.streaming.frame_session import FrameSession
from rvsam_video.streaming.spool import Spool
from rvsam_video.writing import writing

TELL_SECONDS = 20.0
"""Between two words on how far going backward is, which gives no results meanwhile."""

_INFO = "backward"


class BackwardRun(ClosesItself):
    """Goes backward through the source of a run, into a file of its folder.

    A kill loses what came after the last checkpoint: the file is cut back to what that speaks of.

    Args:
        options: how to open the source.
        ways: how it is tracked.
        folder: the run folder.
        checkpoint: where the run goes on; None begins it.

    Attributes:
        done: whether the run can go forward.

    Raises:
        OutputError: if the file cannot be written, or no longer fits the checkpoint.
    """

    def __init__(
        self, options: CommonOptions, ways: Ways, folder: Path, checkpoint: Checkpoint | None
    ) -> None:
        self._options, self._ways = options, ways
        self._path = folder / PARTS_FOLDER / SPOOL_FILE
        info: Any = {} if checkpoint is None else checkpoint.info[_INFO]
        size, self._top = info.get("size", 0), info.get("top", -1)
        self.done = bool(info.get("done", False))
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(
                os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666),
                "r+b",
            )
            if self._file.seek(0, os.SEEK_END) < size:
                self._file.close()
                msg = f"{self._path} is shorter than it was; use --overwrite to start again"
                raise OutputError(msg)
            self._file.truncate(size)
        self._spool = Spool(self._file, size)
        self._pass = BackwardPass(ways, self._spool)
        if checkpoint is not None and not self.done:
            self._pass.restore(checkpoint.state)
        self._frames: Prefetch[Frame] | None = None
        self._told = time.monotonic()

    @property
    def next_frame(self) -> int:
        """Index of the frame that is to come next."""
        return self._pass.begins_at

    def read(self) -> Frame | None:
        """Return the next frame, each before the last one; None when no more is wanted.

        Raises:
            SourceError: if the source cannot be read.
        """
        if self._pass.done:
            return None
        if self._frames is None:
            self._frames = prefetch(self._falling(), DECODE_AHEAD)
        return next(self._frames, None)

    def push(self, frame: Frame | None) -> None:
        """Track a frame, or take what is still to come after the last.

        Raises:
            OutputError: if what is found cannot be written.
        """
        with writing(self._path):
            if frame is not None:
                self._pass.push(frame)
                return
            self._pass.finish()
        self._top, self.done = self._pass.top, True
        self._stop()

    def _falling(self) -> Iterator[Frame]:
        last = self.next_frame
        if self._options.max_frames is not None:
            last = min(last, self._options.max_frames - 1)
        with self._options.open() as source:
            yield from falling_frames(source, last)

    def snapshot(self) -> Arrays:
        """Return the state of going backward; make the file durable that belongs to it.

        Raises:
            OutputError: if it cannot be written.
        """
        with writing(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return {} if self.done else self._pass.snapshot()

    def info(self) -> dict[str, Json]:
        """Return what a checkpoint is to know besides."""
        return {_INFO: {"size": self._spool.size, "top": self._top, "done": self.done}}

    def news(self) -> str | None:
        """Return a sentence for people, now and then."""
        now = time.monotonic()
        if not self.done and now - self._told < TELL_SECONDS:
            return None
        self._told = now
        at = "done" if self.done else f"at frame {self.next_frame}"
        return f"going backward from the prompts: {at}"

    def session(self) -> FrameSession:
        """Begin going forward, with what was found."""
        self._spool.rewind()
        return JoinedSession(self._ways, self._spool, self._top)

    def _stop(self) -> None:
        frames, self._frames = self._frames, None
        if frames is not None:
            frames.close()

    def close(self) -> None:
        """Let go of the source and the file; can be called twice."""
        self._stop()
        self._file.close()
