"""Video files through decord: frames in any order. An extra: `pip install 'rvsam-video[decord]'`.

For jumping about in ordinary MP4 files. It reads fewer formats than PyAV does and less of damaged
files, and which frames of these it loses differs from one reading to the next. Without a word it
would repeat frames of MPEG-TS, give those that an edit list cuts away, and leave pictures mirrored
or HDR dark; so files are refused of which it gives other frames, times or colours than PyAV. It
writes some of its failures to standard error.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError, UsageError
from rvsam_video.frame import Frame, Image
from rvsam_video.sources.base import BadFrames, ReadReport, Tally, check_index
from rvsam_video.sources.container import open_container, video_stream
from rvsam_video.sources.part import WHOLE, ClipPart, nothing_there
from rvsam_video.sources.place import Place
from rvsam_video.sources.video_file import VideoSource


class DecordVideo(ClosesItself):
    """A video file that decord decodes; every frame can be read at once by its index.

    Opening it silences FFmpeg's log inside decord for the whole process, which decord cannot
    undo; PyAV and OpenCV have their own.

    Args:
        place: the file.
        on_bad_frame: what to do with a frame that cannot be read; passed over, it leaves a gap.
        start: index of the first frame to give; found by seeking.
        part: which frames count.

    Raises:
        UsageError: if decord is not installed.
        SourceError: if decord cannot read the file, or not as PyAV does.
    """

    live = False

    def __init__(
        self,
        place: Place,
        *,
        on_bad_frame: BadFrames = "skip",
        start: int = 0,
        part: ClipPart = WHOLE,
    ) -> None:
        self._start, self._stop = start, on_bad_frame == "stop"
        self.name = place.name
        try:
            self._reader = _decord().VideoReader(place.target)
            # The first frame at once: for its size, and since opening alone does not show that it
            # decodes.
            first = _pixels(self._reader[0])
            times = np.asarray(self._reader.get_frame_timestamp(range(len(self._reader))))[:, 0]
        except _failures() as error:
            msg = f"{self.name} cannot be read by decord; choose the reader 'pyav' instead"
            raise SourceError(msg) from error
        if (difference := _difference(place, first, times)) is not None:
            msg = (
                f"{self.name} is not read alike by decord ({difference}); choose the reader 'pyav'"
            )
            raise SourceError(msg)
        height, width = first.shape[:2]
        self.size = (width, height)
        self._count = len(self._reader)
        self._wanted = self._indices(part)
        if not self._wanted:
            raise nothing_there(self.name, part)
        self.frame_count = len(self._wanted)
        self.counted = part.whole
        self._tally = Tally("frame", self._count)

    @property
    def report(self) -> ReadReport:
        """How the newest iteration has gone so far."""
        return self._tally.report()

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames in order, those before `start` excepted.

        Raises:
            SourceError: if the source was closed.
        """
        tally = self._tally = Tally("frame", self._count)
        # Counted as in a full reading, so that reports and indices agree.
        tally.frames = min(self._start, self._count)
        for index in self._wanted:
            if index < self._start:
                continue
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

    def falling(self, last: int) -> Iterator[Frame]:
        """Read the frames backward, the same as iteration gives at these indices.

        Args:
            last: index of the first frame to give; a shorter video begins with its end.

        Raises:
            SourceError: if the source was closed.
        """
        for index in reversed(self._wanted):
            if index <= last:
                with suppress(*_failures()):
                    yield self._read(index)

    def frame_at(self, index: int) -> Frame:
        """Read one frame, the same as iteration gives at this index.

        Raises:
            IndexError: if there is no frame with this index.
            SourceError: if it cannot be read, or the source was closed.
        """
        check_index(index, self._count, self.name)
        try:
            return self._read(index)
        except _failures() as error:
            msg = f"frame {index} of {self.name} is damaged; the reader 'pyav' may get further"
            raise SourceError(msg) from error

    def close(self) -> None:
        """Let go of the file."""
        self._reader = None

    def _indices(self, part: ClipPart) -> range:
        """Return the indices that count."""
        timed = isinstance(part.start, float) or isinstance(part.end, float)
        # All times at once: asking for each takes a second in a long file.
        every = range(self._count)
        times = self._reader.get_frame_timestamp(every)[:, 0].tolist() if timed else []
        first, last = (
            bisect_left(times, value) if isinstance(value, float) else value
            for value in (part.start, self._count if part.end is None else part.end)
        )
        return range(first, max(first, min(last, self._count)), part.stride)

    def _read(self, index: int) -> Frame:
        if self._reader is None:
            raise SourceError(f"{self.name} was closed; open it again to read it")
        image = _pixels(self._reader[index])
        return Frame(index, float(self._reader.get_frame_timestamp(index)[0]), image)


_MOST_SECONDS = 0.001
"""Differences of times up to this come from rounding."""

_MOST_SHADES = 6.0
"""Mean difference of shades, of 255, that two ways to convert the same colours can have."""


def _difference(place: Place, first: Image, times: NDArray[np.float64]) -> str | None:
    """Say in what decord differs from PyAV; None if it does not."""
    own = _times_of_packets(place)
    if len(own) != len(times):
        return f"{len(times)} frames instead of {len(own)}"
    distance = np.abs(own - times)
    if not (distance <= _MOST_SECONDS).all():
        index = int(distance.argmax())
        return f"frame {index} at {times[index]:.6g} s instead of {own[index]:.6g} s"
    with VideoSource(place) as source:
        image = next(iter(source)).image
    if image.shape != first.shape:
        return "pictures of another size"
    shades = float(np.abs(image.astype(np.int16) - first).mean())
    return "other colours, or mirrored" if shades > _MOST_SHADES else None


def _times_of_packets(place: Place) -> NDArray[np.float64]:
    """Return when the frames are shown, without decoding them."""
    with open_container(place) as container:
        stream = video_stream(container, place.name)
        times = [
            float(packet.pts * packet.time_base)
            for packet in container.demux(stream)
            # An edit list cuts some away.
            if packet.size and packet.pts is not None and not packet.is_discard
        ]
    return np.unique(times)


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
