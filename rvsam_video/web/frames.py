"""`FrameReader`: frames of a video file in any order, for a slider."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame
from rvsam_video.sources import open_source

_KEPT = 64
"""Frames held, so that stepping back and forth does not read the file again."""


class FrameReader(ClosesItself):
    """Reads on from where it is, or again from the start for what lies further back.

    Args:
        source: a file or an image folder.

    Raises:
        SourceError: if it cannot be read.
    """

    def __init__(self, source: str) -> None:
        self._opened = open_source(source)
        self._frames: Iterator[Frame] | None = None
        self._next = 0
        self._kept: OrderedDict[int, Frame] = OrderedDict()

    def frame(self, index: int) -> Frame:
        """Return one frame.

        Raises:
            UsageError: if the video has no such frame.
            SourceError: if it cannot be read.
        """
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        # From the start: video can only be decoded forward, and seeking would miscount damaged
        # files.
        if self._frames is None or index < self._next:
            self._frames, self._next = iter(self._opened), 0
        for frame in self._frames:
            self._keep(frame)
            # Numbers of frames that could not be read are missing; the next one is shown instead.
            if frame.index >= index:
                return frame
        self._frames = None
        msg = f"there is no frame {index}; the video has {self._next}"
        raise UsageError(msg)

    def _keep(self, frame: Frame) -> None:
        self._next = frame.index + 1
        self._kept[frame.index] = frame
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()
