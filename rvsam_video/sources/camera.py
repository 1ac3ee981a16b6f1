"""Cameras of this machine, through OpenCV: the one way that works on Linux, macOS and Windows.

PyAV's wheels come without the capture devices of some systems.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2
import numpy as np

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame, Image
from rvsam_video.sources.base import BadFrames, ReadReport, Tally

MOST_TRIES = 10
"""Cameras may miss a frame, and the first few while they wake up; after so many it is gone."""

TRY_AGAIN_SECONDS = 0.1


class Camera(ClosesItself):
    """A camera by its number, 0 being the first.

    Times are seconds since the first frame by this machine's clock, since not every system tells
    the camera's own. Iterating goes on where the last iteration stopped.

    Args:
        number: which camera.
        on_bad_frame: whether to wait for the next frame if one does not come, or to end there.

    Raises:
        SourceError: if there is no such camera, or it gives no picture.
    """

    live = True
    frame_count = None
    counted = False

    def __init__(self, number: int, *, on_bad_frame: BadFrames = "skip") -> None:
        self.name = f"camera {number}"
        self._stop = on_bad_frame == "stop"
        self._tally = Tally("picture")
        self._closed = False
        # Releasing a camera while another thread reads from it crashes in some drivers.
        self._lock = Lock()
        with _silent_opencv():
            self._capture = cv2.VideoCapture(number)
            # Also with `stop`: a camera that wakes up is not damaged yet.
            image = self._wait_for_image(MOST_TRIES) if self._capture.isOpened() else None
        if image is None:
            self.close()
            msg = (
                f"{self.name} gives no picture; check that it is plugged in, that no other program "
                "uses it and that this one may (cameras are numbered from 0)"
            )
            raise SourceError(msg)
        # Not the clock on the wall, which may be set back.
        self._began = time.monotonic()
        # What was missed while it woke up is no damage.
        self._tally.bad = 0
        # Kept to be given out: it was needed for the size, and some cameras wake up slowly.
        self._first: Frame | None = Frame(0, 0.0, image)
        self.size = self._first.size

    @property
    def report(self) -> ReadReport:
        """How the reading has gone since the camera was opened."""
        return self._tally.report()

    def __iter__(self) -> Iterator[Frame]:
        """Give frames as they come.

        Raises:
            SourceError: if the camera is lost, or was closed.
        """
        while (frame := self._next()) is not None:
            self._tally.frames += 1
            yield frame

    def close(self) -> None:
        """Give the camera free for others."""
        with self._lock:
            self._closed = True
            self._capture.release()

    def _next(self) -> Frame | None:
        with self._lock:
            # Asked under the lock: another thread may close between two frames.
            if self._closed:
                raise SourceError(f"{self.name} was closed; open it again to read from it")
            frame, self._first = self._first, None
            if frame is not None:
                return frame
            image = self._wait_for_image(1 if self._stop else MOST_TRIES)
        if image is not None:
            return Frame(self._tally.frames, time.monotonic() - self._began, image)
        if self._stop:
            self._tally.stopped = True
            return None
        msg = (
            f"{self.name} was lost after frame {self._tally.frames - 1}; "
            "check its cable and run the same command again"
        )
        raise SourceError(msg)

    def _wait_for_image(self, tries: int) -> Image | None:
        for _ in range(tries):
            came, picture = self._capture.read()
            if came:
                return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            self._tally.bad += 1
            time.sleep(TRY_AGAIN_SECONDS)
        return None


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Keep OpenCV's warnings off standard error while a camera is opened.

    Its log level belongs to the whole process, so it is put back as soon as that is done.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
