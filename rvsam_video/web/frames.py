"""`FrameReader`: frames of a video file in any order, for a slider."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame
from rvsam_video.sources import open_source

KEPT_BYTES = 96 * 1024**2
"""Of decoded frames: fifty of 640 x 1024 pixels, or three of 4K. Always at least one frame."""

_READ_ON = 48
"""Frames that are read over rather than opening the file anew at the one wanted."""


class FrameReader(ClosesItself):
    """Reads on from where it is, or opens the file anew at the frame that is wanted.

    Args:
        source: a file or an image folder.
        kept_bytes: of decoded frames, held so that stepping back and forth reads nothing again.

    Raises:
        SourceError: if it cannot be read.
    """

    def __init__(self, source: str, kept_bytes: int = KEPT_BYTES) -> None:
        self._source, self._limit = source, kept_bytes
        self._opened = open_source(source)
        self._frames: Iterator[Frame] | None = None
        self._next = 0
        self._kept: OrderedDict[int, Frame] = OrderedDict()
        self._bytes = 0

    def frame(self, index: int) -> Frame:
        """Return one frame.

        Raises:
            UsageError: if the video has no such frame.
            SourceError: if it cannot be read.
        """
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        if self._frames is None or not self._next <= index <= self._next + _READ_ON:
            self._stand_at(index)
        for frame in self._frames or ():
            self._keep(frame)
            # Numbers of frames that could not be read are missing; the next one is shown instead.
            if frame.index >= index:
                return frame
        self._frames = None
        msg = f"there is no frame {index}; the video has {self._next}"
        raise UsageError(msg)

    def _stand_at(self, index: int) -> None:
        self._opened.close()
        # The source knows best how to get there: by key frames where its index can be trusted.
        self._opened = open_source(self._source, start=index)
        self._frames, self._next = iter(self._opened), index

    def _keep(self, frame: Frame) -> None:
        self._next = frame.index + 1
        self._kept[frame.index] = frame
        self._bytes += frame.image.nbytes
        # By bytes: sixty-four frames are 60 MB of a small video, and 2 GB of a large one.
        while self._bytes > self._limit and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].image.nbytes

    def close(self) -> None:
        """Close the file."""
        self._opened.close()
