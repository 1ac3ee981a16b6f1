"""Pieces of a video file that are decoded again, each from the key picture before it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from av.error import FFmpegError
from av.video.frame import VideoFrame

from rvsam_video.frame import Frame, Image
from rvsam_video.sources.backward import frames_at_a_time
from rvsam_video.sources.container import open_container, video_stream
from rvsam_video.sources.place import Place

EARLY_SECONDS, LONG_BEFORE_SECONDS = 1.0, 10.0
"""How much too early a picture is sought when it was not found by its own time."""


class Plan:
    """Which picture has which number, from one reading of a part of a video.

    Some twenty bytes a frame: all that grows with the video when it is read backward.
    """

    def __init__(self) -> None:
        self.base = 0
        self._first: int | None = None
        self._stamps, self._times = array("q"), array("d")
        self._keys = array("q")

    def add(self, index: int, time: float, picture: VideoFrame, *, counted: bool) -> bool:
        """Take the next picture; False if it cannot be found again by its time stamp.

        Args:
            index: of the frame; they follow each other.
            time: in seconds.
            picture: decoded.
            counted: whether the frame belongs to what is wanted.
        """
        if picture.pts is None or (self._stamps and picture.pts <= self._stamps[-1]):
            return False
        if not self._stamps:
            self.base = index
        self._stamps.append(picture.pts)
        self._times.append(time)
        if picture.key_frame:
            self._keys.append(index)
        if counted and self._first is None:
            self._first = index
        return True

    def stamp(self, index: int) -> int:
        """Return the time stamp of a frame."""
        return self._stamps[index - self.base]

    def time(self, index: int) -> float:
        """Return the time of a frame in seconds."""
        return self._times[index - self.base]

    def pieces(self, size: tuple[int, int], stride: int) -> Iterator[range]:
        """Cut what is wanted into pieces of few frames, the last one first.

        Args:
            size: (width, height) of the frames in pixels.
            stride: every so many frames one is wanted.
        """
        if self._first is None:
            return
        wanted = range(self._first, self.base + len(self._stamps), stride)
        most = frames_at_a_time(size)
        for end in range(len(wanted), 0, -most):
            yield wanted[max(0, end - most) : end]

    def beginnings(self, index: int) -> Iterator[tuple[int, float]]:
        """Yield frames from which on a frame can be decoded, the nearest first.

        With each come the seconds by which it is sought too early: MPEG-TS is sought by bytes, and
        lands behind the picture that was asked for.
        """
        before = bisect_right(self._keys, index)
        for key in reversed(self._keys[max(0, before - 2) : before]):
            yield key, 0.0
            yield key, EARLY_SECONDS
        yield self.base, LONG_BEFORE_SECONDS


class PieceReader:
    """Decodes pieces of a file that stays open.

    Args:
        place: the file.
        convert: from a decoded picture to pixels.

    Raises:
        SourceError: if it cannot be opened.
    """

    def __init__(self, place: Place, convert: Callable[[VideoFrame], Image]) -> None:
        self._container, self._convert = open_container(place), convert
        try:
            self._stream = video_stream(self._container, place.name)
        except BaseException:
            self.close()
            raise
        self._stream.thread_type = "SLICE"

    def read(self, plan: Plan, wanted: Sequence[int]) -> list[Frame]:
        """Return frames in order; what cannot be decoded this time is left out.

        Args:
            plan: of the same file.
            wanted: indices, rising.
        """
        found: dict[int, Frame] = {}
        for begin, early in plan.beginnings(wanted[0]):
            found = self._from(begin, early, plan, wanted)
            if len(found) == len(wanted):
                break
        return [found[index] for index in wanted if index in found]

    def _from(
        self, begin: int, early: float, plan: Plan, wanted: Sequence[int]
    ) -> dict[int, Frame]:
        numbers = {plan.stamp(index): index for index in wanted}
        last, first = plan.stamp(wanted[-1]), plan.stamp(begin)
        found: dict[int, Frame] = {}
        sound = False
        for picture in self._pictures(first - round(early / float(self._stream.time_base or 1))):
            stamp = picture.pts
            if stamp is None or stamp < first:
                continue
            # Only from there on nothing builds on pictures that were passed over.
            sound = sound or stamp == first
            if not sound or stamp > last:
                break
            if stamp in numbers:
                index = numbers[stamp]
                found[index] = Frame(index, plan.time(index), self._convert(picture))
        return found

    def _pictures(self, stamp: int) -> Iterator[VideoFrame]:
        """Decode from a time stamp on, or from somewhere before it; broken packets are left out."""
        container, stream = self._container, self._stream
        try:
            container.seek(stamp, stream=stream, backward=True, any_frame=False)
            for packet in container.demux(stream):
                with suppress(FFmpegError):
                    yield from stream.decode(packet)
        except FFmpegError:
            # The end, as far as it can be read.
            return

    def close(self) -> None:
        """Close the file."""
        self._container.close()
