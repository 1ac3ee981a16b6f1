"""Video files through PyAV: frames in order, past damage, from any frame on."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from weakref import WeakSet

from av.error import FFmpegError
from av.video.frame import VideoFrame

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.sources.base import BadFrames, ReadReport, Tally
from rvsam_video.sources.container import lost, open_container, video_stream
from rvsam_video.sources.conversion import Converter, displayed_size
from rvsam_video.sources.decoding import VideoDecoder
from rvsam_video.sources.place import Place


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
        # Opened and decoded once already, so the first iteration takes this one over.
        self._next_reading: Reading | None = reading
        # Weak: an iteration that was forgotten closes its file when it is collected.
        self._open = WeakSet([reading])
        self._tally = reading.tally
        self._closed = False
        self.name = place.name
        self.size = reading.size
        # A recording at an address ends by itself and loses nothing while nobody reads.
        self.live = place.kind == "stream" and reading.endless
        self.frame_count = self._tally.expected
        self.counted = self._tally.counted

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
                # Decoded from the beginning, not sought: seeking gives other indices in damaged
                # files.
                if index >= self._start:
                    image = convert(picture)
                    for sentence in convert.said:
                        self._tally.note(sentence)
                    yield Frame(index, time, image)
        finally:
            # Kept open where it cannot be read again, so that the next iteration goes on.
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


class Reading:
    """An iterator over the decoded pictures of a video.

    The first picture is decoded at once, so that everything that keeps a video from being read
    comes out when it is opened.

    Args:
        place: where the video comes from.
        stop: end at the first damage.

    Attributes:
        tally: the account of this pass.
        size: (width, height) of the first picture in pixels, as displayed.
        endless: whether the video does not say when it will end, as a live stream.
        ended: whether all pictures were taken, or the video was lost.

    Raises:
        SourceError: if it cannot be opened, or not one frame can be decoded.
    """

    def __init__(self, place: Place, *, stop: bool) -> None:
        self._place = place
        self._container = open_container(place)
        # Closing a container in which another thread reads would end in freed memory.
        self._lock = Lock()
        self._closed = self.ended = False
        self._index = -1
        try:
            stream = video_stream(self._container, place.name)
            decoder = VideoDecoder(self._container, stream, stop=stop, path=place.path)
            self.tally = decoder.tally
            self._pictures = decoder.pictures()
            first = self._next()
        except BaseException:
            self.close()
            raise
        self.endless = not self._container.duration
        if first is None:
            self.close()
            raise SourceError(_nothing_in(place.name, self.tally))
        self._first: tuple[float, VideoFrame] | None = first
        self.size = displayed_size(first[1])

    def __iter__(self) -> Iterator[tuple[int, float, VideoFrame]]:
        """Return the reading itself."""
        return self

    def __next__(self) -> tuple[int, float, VideoFrame]:
        """Return the index, time in seconds and decoded picture of the next frame.

        Raises:
            SourceError: if the reading was closed, or the disk or connection fails.
        """
        with self._lock:
            first, self._first = self._first, None
            item = first if first is not None and not self._closed else self._next()
        if item is None:
            raise StopIteration
        self._index += 1
        return self._index, *item

    def _next(self) -> tuple[float, VideoFrame] | None:
        if self._closed:
            msg = f"{self._place.name} was closed; open it again to read it"
            raise SourceError(msg)
        try:
            item = next(self._pictures, None)
        except FFmpegError as error:
            self.ended = True
            raise lost(self._place, self.tally.frames, error) from error
        self.ended = item is None
        return item

    def close(self) -> None:
        """Close the file or connection, as soon as no other thread reads from it."""
        with self._lock:
            self._closed = True
            self._container.close()


def _nothing_in(name: str, tally: Tally) -> str:
    if tally.stopped:
        return (
            f"{name} is damaged before its first whole frame; "
            "copy it again, or pass over bad frames instead of stopping at them"
        )
    if tally.bad:
        return f"no frame of {name} can be decoded, all of it is damaged; copy it again"
    return f"{name} holds no frames; copy or record it again"
