"""`Reconnecting`: a live source that comes back after it was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event, Lock

import cv2
import numpy as np

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.sources.base import FrameSource, ReadReport

RECONNECT_SECONDS = 60.0
"""How long a lost source is tried again, unless told otherwise."""

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0
"""Each wait is twice the one before: a cable that is back is noticed soon, and a server that
restarts is not flooded."""


class Reconnecting(ClosesItself):
    """Opens a camera or stream again whenever it is lost.

    Indices go on, times run on by this machine's clock, and pictures of another size are scaled
    to that of the first, so whoever reads sees one video with a gap in it.

    Args:
        source: the source, open.
        reopen: opens it again.
        patience: seconds of trying after which it is given up; a source that ended without an
            error then simply ends.
    """

    live = True
    frame_count = None
    counted = False

    def __init__(
        self, source: FrameSource, reopen: Callable[[], FrameSource], patience: float
    ) -> None:
        self.name, self.size = source.name, source.size
        self._source, self._reopen, self._patience = source, reopen, patience
        self._lock = Lock()
        self._closed = Event()
        self._frames = self._lost = 0
        self._before = ReadReport()

    @property
    def report(self) -> ReadReport:
        """How the reading has gone, over all connections."""
        now, before = self._source.report, self._before
        messages = [*before.messages, *now.messages]
        if self._lost:
            times = "once" if self._lost == 1 else f"{self._lost} times"
            messages.append(f"{self.name} was lost {times} and came back")
        return ReadReport(
            frames=self._frames,
            bad_packets=before.bad_packets + now.bad_packets,
            damaged_frames=before.damaged_frames + now.damaged_frames,
            messages=tuple(dict.fromkeys(messages)),
        )

    def __iter__(self) -> Iterator[Frame]:
        """Give frames as they come, over all connections.

        Raises:
            SourceError: if the source is lost and does not come back in time, or was closed.
        """
        began: float | None = None
        index, last = -1, -1.0
        while True:
            error: SourceError | None = None
            first: Frame | None = None
            offset = 0.0
            try:
                for frame in self._source:
                    now = time.monotonic()
                    # The source's own clock starts the common one, which runs on while it is lost.
                    began = now - frame.time if began is None else began
                    if first is None:
                        # A millisecond at least: times must rise, also if the two clocks disagree.
                        first, offset = frame, max(now - began, last + 0.001) - frame.time
                    # A new connection counts from 0 again; what a source itself leaves out stays
                    # left out.
                    index, last = max(index + 1, frame.index), frame.time + offset
                    self._frames += 1
                    yield self._fitted(Frame(index, last, frame.image))
            except SourceError as raised:
                error = raised
            if self._closed.is_set() or not self._come_back():
                if error is not None:
                    raise error
                return

    def _fitted(self, frame: Frame) -> Frame:
        if frame.size == self.size:
            return frame
        image = cv2.resize(frame.image, self.size, interpolation=cv2.INTER_AREA)
        return replace(frame, image=np.asarray(image, np.uint8))

    def _come_back(self) -> bool:
        """Try until the source is there again; False when patience is at its end."""
        # Taken before closing, and added only if it comes back: until then it is the newest one.
        report = self._source.report
        self._source.close()
        until = time.monotonic() + self._patience
        wait = FIRST_WAIT_SECONDS
        # Waits first: whatever failed a moment ago mostly fails at once again.
        while time.monotonic() < until and not self._closed.wait(wait):
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
            try:
                source = self._reopen()
            except SourceError:
                continue
            # `close` may have come while it was being opened.
            with self._lock:
                if self._closed.is_set():
                    source.close()
                    return False
                self._before = _sum(self._before, report)
                self._source = source
                self._lost += 1
            return True
        return False

    def close(self) -> None:
        """Let go of the source, and stop waiting for it."""
        with self._lock:
            self._closed.set()
            self._source.close()


def _sum(one: ReadReport, other: ReadReport) -> ReadReport:
    return ReadReport(
        bad_packets=one.bad_packets + other.bad_packets,
        damaged_frames=one.damaged_frames + other.damaged_frames,
        messages=(*one.messages, *other.messages),
    )
