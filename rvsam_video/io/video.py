"""Videos read with PyAV: files, network streams, pipes and standard input."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakSet

from av.video.frame import VideoFrame

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.io.base import BadFrames, ReadReport
from rvsam_video.io.conversion import Converter, displayed_size
from rvsam_video.io.place import Place
from rvsam_video.io.reading import Reading


class VideoSource(ClosesItself):
    """A video that PyAV decodes.

    Frames that cannot be decoded are missing, and the index counts those that can: it is the
    same in every reading. Times come from the file. Should the size change in the middle, later
    frames are scaled to the size of the first, since prompts and masks hold for that one; the
    report says so.

    Args:
        place: where the video comes from.
        on_bad_frame: what to do with damage.
        start: index of the first frame to give; those before it are decoded, but not given.

    Raises:
        SourceError: if it cannot be opened, or not one frame can be decoded.
    """

    def __init__(self, place: Place, *, on_bad_frame: BadFrames = "skip", start: int = 0) -> None:
        self._place, self._start, self._stop = place, start, on_bad_frame == "stop"
        reading = Reading(place, stop=self._stop)
        self._next_reading: Reading | None = reading
        self._open = WeakSet([reading])
        self._tally = reading.tally
        self._closed = False
        self.name = place.name
        self.size = reading.size
        self.live = place.kind == "stream" and reading.endless
        self.frame_count = self._tally.expected

    @property
    def report(self) -> ReadReport:
        """How the newest iteration has gone so far."""
        return self._tally.report()

    def __iter__(self) -> Iterator[Frame]:
        """Read the frames; files from the beginning, other videos from where they are.

        Raises:
            SourceError: if the video is lost, was closed, or ended and cannot be read again.
        """
        reading = self._begin()
        self._tally = reading.tally
        convert = Converter(self.size)
        try:
            for index, time, picture in reading:
                self._note_size(picture, index)
                if index >= self._start:
                    yield Frame(index, time, convert(picture))
        finally:
            if self._next_reading is not reading:
                reading.close()

    def _begin(self) -> Reading:
        reading, once = self._next_reading, self.live or self._place.kind in ("pipe", "stdin")
        if self._closed or (once and reading is not None and reading.ended):
            reason = "was closed" if self._closed else "has ended and cannot be read a second time"
            msg = f"{self.name} {reason}; open it again"
            raise SourceError(msg)
        if reading is None:
            reading = Reading(self._place, stop=self._stop)
            self._open.add(reading)
        elif not once:
            self._next_reading = None
        return reading

    def _note_size(self, picture: VideoFrame, index: int) -> None:
        size = displayed_size(picture)
        if size != self.size and not self._tally.resized:
            self._tally.resized = True
            (width, height), (new_width, new_height) = self.size, size
            self._tally.note(
                f"the picture changes from {width}x{height} to {new_width}x{new_height} pixels "
                f"at frame {index}; from there on it is scaled to {width}x{height}"
            )

    def close(self) -> None:
        """Close the file or connection; iterations that are under way end with an error."""
        self._closed = True
        for reading in list(self._open):
            reading.close()
