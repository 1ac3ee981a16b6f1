"""Video files through decord: frames in any order. An extra: `pip install 'rvsam-video[decord]'`.

For jumping about in ordinary MP4 files. It reads fewer formats than PyAV does and less of damaged
files, and which frames of these it loses differs from one reading to the next. Without a word, it
repeats frames of MPEG-TS and gives those that an edit list cuts away. Pictures stay mirrored. It
writes some of its failures to standard error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError, UsageError
from rvsam_video.frame import Frame, Image
from rvsam_video.sources.base import BadFrames, ReadReport, Tally
from rvsam_video.sources.place import Place


class DecordVideo(ClosesItself):
    """A video file that decord decodes; every frame can be read at once by its index.

    Opening it silences FFmpeg's log inside decord for the whole process, which decord cannot
    undo; PyAV and OpenCV have their own.

    Args:
        place: the file.
        on_bad_frame: what to do with a frame that cannot be read; passed over, it leaves a gap.
        start: index of the first frame to give; found by seeking.

    Raises:
        UsageError: if decord is not installed.
        SourceError: if decord cannot read the file.
    """

    live = False
    counted = True

    def __init__(self, place: Place, *, on_bad_frame: BadFrames = "skip", start: int = 0) -> None:
        self._start, self._stop = start, on_bad_frame == "stop"
        self.name = place.name
        try:
            self._reader = _decord().VideoReader(place.target)
            # The first frame at once: for its size, and since opening alone does not show that it
            # decodes.
            height, width = _pixels(self._reader[0]).shape[:2]
        except _failures() as error:
            msg = f"{self.name} cannot be read by decord; choose the reader 'pyav' instead"
            raise SourceError(msg) from error
        self.size = (width, height)
        self.frame_count = len(self._reader)
        self._tally = Tally("frame", self.frame_count)

    @property
    def report(self) -> ReadReport:
        """How the newest iteration has gone so far."""
        return self._tally.report()

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames in order, those before `start` excepted.

        Raises:
            SourceError: if the source was closed.
        """
        tally = self._tally = Tally("frame", self.frame_count)
        # Counted as in a full reading, so that reports and indices agree.
        tally.frames = min(self._start, self.frame_count)
        for index in range(self._start, self.frame_count):
            try:
                frame = self._read(index)
            except _failures():
                tally.bad += 1
                tally.note("the reader 'pyav' may get more out of this damaged file")
                if self._stop:
                    tally.stopped = True
                    return
            else:
                tally.frames += 1
                yield frame

    def frame_at(self, index: int) -> Frame:
        """Read one frame, the same as iteration gives at this index.

        Raises:
            IndexError: if there is no frame with this index.
            SourceError: if it cannot be read, or the source was closed.
        """
        if not 0 <= index < self.frame_count:
            msg = f"{self.name} has frames 0 to {self.frame_count - 1}, not {index}"
            raise IndexError(msg)
        try:
            return self._read(index)
        except _failures() as error:
            msg = f"frame {index} of {self.name} is damaged; the reader 'pyav' may get further"
            raise SourceError(msg) from error

    def close(self) -> None:
        """Let go of the file."""
        self._reader = None

    def _read(self, index: int) -> Frame:
        if self._reader is None:
            raise SourceError(f"{self.name} was closed; open it again to read it")
        image = _pixels(self._reader[index])
        return Frame(index, float(self._reader.get_frame_timestamp(index)[0]), image)


def _decord() -> Any:  # noqa: ANN401 (decord has no types)
    try:
        import decord
    except ImportError as error:
        msg = (
            "the reader 'decord' is not installed; "
            "run: pip install 'rvsam-video[decord]', or choose the reader 'pyav'"
        )
        raise UsageError(msg) from error
    # FFmpeg inside it would write every broken packet to standard error.
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def _failures() -> tuple[type[Exception], ...]:
    """Return what decord raises when it cannot read something."""
    return (_decord().DECORDError, RuntimeError, AssertionError, StopIteration)


def _pixels(picture: Any) -> Image:  # noqa: ANN401
    # A program may have told decord to give tensors of another library instead of its own.
    pixels = picture.asnumpy() if hasattr(picture, "asnumpy") else picture
    return np.ascontiguousarray(pixels, np.uint8)
