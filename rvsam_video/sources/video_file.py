"""Video files through PyAV: frames in order, past damage, from any frame on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from threading import Lock
from weakref import WeakSet

from av.error import FFmpegError
from av.video.frame import VideoFrame

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import SourceError
from rvsam_video.frame import Frame
from rvsam_video.sources.backward import falling_again
from rvsam_video.sources.base import DEFAULT_RATE, BadFrames, FrameSource, ReadReport, Tally
from rvsam_video.sources.container import lost, open_container, video_stream
from rvsam_video.sources.decoding import VideoDecoder
from rvsam_video.sources.part import WHOLE, ClipPart, Moment, PartCounter, nothing_there
from rvsam_video.sources.pixels.conversion import Converter, displayed_size, orientation_of
from rvsam_video.sources.place import Place
from rvsam_video.sources.seeking import Landing, PieceReader, Plan, find_landing


class VideoSource(ClosesItself):
    """A video that PyAV decodes.

    Frames that cannot be decoded are missing, and the index counts those that can: it is the
    same in every reading. Before the start of a part nothing is decoded, so there it counts all
    that the file holds. Times come from the file. Should the size change in the middle, later
    frames are scaled to the size of the first, since prompts and masks hold for that one; the
    report says so.

    Args:
        place: where the video comes from.
        on_bad_frame: what to do with damage.
        start: index of the first frame to give; those of the part that lie before it are decoded,
            but not given.
        part: which frames count; its beginning is sought.

    Raises:
        SourceError: if it cannot be opened, or not one frame can be decoded.
    """

    def __init__(
        self,
        place: Place,
        *,
        on_bad_frame: BadFrames = "skip",
        start: int = 0,
        part: ClipPart = WHOLE,
    ) -> None:
        self._place, self._start, self._stop = place, start, on_bad_frame == "stop"
        self._part = part
        reading = Reading(place, stop=self._stop, start=part.start)
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
        self.frame_count = part.expected(self._tally.expected, reading.rate)
        # How many of them lie in a part is an estimate in any case.
        self.counted = self._tally.counted and part.whole
        self.pixel_aspect = reading.pixel_aspect

    @property
    def rereadable(self) -> bool:
        """Whether the video can be read again, and so backward."""
        return self._place.kind == "file" or (self._place.kind == "stream" and not self.live)

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
        convert, counter = Converter(self.size), PartCounter(self._part)
        try:
            for index, time, picture in reading:
                self._note_size(picture, index)
                if self._part.over(index, time):
                    break
                # Decoded from the beginning of the part, not sought: seeking gives other indices
                # in damaged files.
                if counter.takes(index, time) and index >= self._start:
                    image = convert(picture)
                    for sentence in convert.said:
                        self._tally.note(sentence)
                    yield Frame(index, time, image)
            if counter.first is None and not self._part.whole:
                raise nothing_there(self.name, self._part)
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
            reading = Reading(self._place, stop=self._stop, start=self._part.start)
            self._open.add(reading)
        elif not once:
            self._next_reading = None
        return reading

    def falling(self, last: int) -> Iterator[Frame]:
        """Read the frames of the part backward, the same as iteration gives at these indices.

        The part is decoded once to number its frames, then again piece by piece from key pictures
        on; few frames are held at a time.

        Args:
            last: index of the first frame to give; a video that ends before begins with its end.

        Raises:
            SourceError: if the video is lost, or cannot be read again.
        """
        if not self.rereadable:
            msg = f"{self.name} can be read only once, and not backward; save it as a file"
            raise SourceError(msg)
        plan = self._plan(last)
        if plan is None:
            # Without time stamps a piece cannot be found again.
            yield from falling_again(self, last)
            return
        with closing(PieceReader(self._place, Converter(self.size))) as pieces:
            for wanted in plan.pieces(self.size, self._part.stride):
                frames = pieces.read(plan, wanted)
                while frames:
                    yield frames.pop()

    def _plan(self, last: int) -> Plan | None:
        """Number the frames of the part up to this one; None if they cannot be told by time."""
        plan, counter = Plan(), PartCounter(self._part)
        with closing(Reading(self._place, stop=self._stop, start=self._part.start)) as reading:
            for index, time, picture in reading:
                if index > last or self._part.over(index, time):
                    break
                if not plan.add(index, time, picture, counted=counter.takes(index, time)):
                    return None
        return plan

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


def pixel_aspect_of(source: FrameSource) -> Fraction:
    """Return how wide the displayed pixels of a source are, their height being 1."""
    return source.pixel_aspect if isinstance(source, VideoSource) else Fraction(1)


class Reading:
    """An iterator over the decoded pictures of a video.

    The first picture is decoded at once, so that everything that keeps a video from being read
    comes out when it is opened.

    Args:
        place: where the video comes from.
        stop: end at the first damage.
        start: begin near this frame or time, and never behind it.

    Attributes:
        tally: the account of this pass.
        rate: frames per second, roughly.
        size: (width, height) of the first picture in pixels, as displayed.
        pixel_aspect: width of a displayed pixel, its height being 1.
        endless: whether the video does not say when it will end, as a live stream.
        ended: whether all pictures were taken, or the video was lost.

    Raises:
        SourceError: if it cannot be opened, or not one frame can be decoded.
    """

    def __init__(self, place: Place, *, stop: bool, start: Moment = 0) -> None:
        self._place = place
        # Closing a container in which another thread reads would end in freed memory.
        self._lock = Lock()
        self._closed = self.ended = False
        self._first: tuple[float, VideoFrame] | None = None
        landing = find_landing(place, start)
        if landing is None or not self._land(landing, stop=stop):
            self._begin(stop=stop)
            self._first = self._opening()
        if self._first is None:
            self.close()
            raise SourceError(_nothing_in(place.name, self.tally))
        self.size = displayed_size(self._first[1])
        # Turned by a quarter, pixels that were wide are high.
        turned = orientation_of(self._first[1]).transpose
        self.pixel_aspect = 1 / self._aspect if turned and self._aspect > 0 else self._aspect

    def _begin(self, landing: Landing | None = None, *, stop: bool) -> None:
        """Open the video and stand before its first picture, or near a landing."""
        self._index = -1 if landing is None else landing.index - 1
        self._container = open_container(self._place)
        try:
            stream = video_stream(self._container, self._place.name)
            sought = landing is not None
            decoder = VideoDecoder(
                self._container, stream, stop=stop, path=self._place.path, sought=sought
            )
            if landing is not None:
                self._container.seek(landing.seek, stream=stream, backward=True, any_frame=False)
        except BaseException:
            self.close()
            raise
        self._aspect = stream.sample_aspect_ratio or Fraction(1)
        self.rate = float(stream.average_rate or stream.guessed_rate or DEFAULT_RATE)
        self.endless = not self._container.duration
        self.tally, self._pictures = decoder.tally, decoder.pictures()

    def _opening(self) -> tuple[float, VideoFrame] | None:
        try:
            return self._next()
        except BaseException:
            self.close()
            raise

    def _land(self, landing: Landing, *, stop: bool) -> bool:
        """Stand at a landing; False, and closed, if what is found there is something else."""
        self._begin(landing, stop=stop)
        item = self._opening()
        # Seeking may stop early, and pictures that build on what was passed over are broken.
        while item is not None and (item[1].pts is None or item[1].pts < landing.pts):
            item = self._opening()
        if item is None or item[1].pts != landing.pts:
            self._container.close()
            return False
        self.tally.begin_at(landing.index)
        self._first = item
        return True

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
    """Say that nothing of a video can be shown, and what to do."""
    if tally.stopped:
        return (
            f"{name} is damaged before its first whole frame; "
            "copy it again, or pass over bad frames instead of stopping at them"
        )
    if tally.bad:
        return f"no frame of {name} can be decoded, all of it is damaged; copy it again"
    return f"{name} holds no frames; copy or record it again"
