"""`FrameSession`: what turns the frames of one video into results."""

from __future__ import annotations

from typing import Protocol

from rvsam_video.frame import Frame
from rvsam_video.results import FrameResult
from rvsam_video.snapshot import Arrays


class FrameSession(Protocol):
    """Turns the frames of one video into results; `Session` and `PointSession` are such."""

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that became final."""

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back."""

    def snapshot(self) -> Arrays:
        """Return everything that later results depend on."""

    def restore(self, arrays: Arrays) -> None:
        """Go on where `snapshot` was taken."""
