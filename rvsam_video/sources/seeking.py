"""Finding places in a video file without decoding what lies before, to the exact frame.

A container is sought by time, but results count frames. So the number of the frame that decoding
begins with is counted: from the file's index where it lists every packet (MP4, MOV, AVI), else by
reading the packets before it without decoding them. Where either is not certain, there is no
landing, and the file is decoded from its beginning. Pieces that were decoded before are found
again by their time stamps, each from the key picture before it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from rvsam_video.frame import Frame, Image
from rvsam_video.sources.backward import frames_at_a_time
from rvsam_video.sources.container import open_container, video_stream
from rvsam_video.sources.damage import read_index
from rvsam_video.sources.part import Moment
from rvsam_video.sources.place import Place

_MOST_REORDERED = 64
"""Pictures that a packet may be sent ahead of those shown before it; codecs allow 16."""


@dataclass(frozen=True, slots=True)
class Landing:
    """A picture from which on everything can be decoded exactly.

    Attributes:
        pts: its time stamp, in the stream's time base.
        index: how many pictures are shown before it.
        seek: the time stamp to seek to.
    """

    pts: int
    index: int
    seek: int


def find_landing(place: Place, start: Moment) -> Landing | None:
    """Return the last key picture that is not behind a moment.

    Args:
        place: a file.
        start: index of a frame, or seconds.

    Returns:
        None where nothing is certain, or the beginning of the file is just as near.

    Raises:
        SourceError: if it cannot be opened.
    """
    if place.kind != "file" or not start:
        return None
    container = open_container(place)
    try:
        stream = video_stream(container, place.name)
        if stream.time_base is None:
            return None
        tick = float(stream.time_base)
        # Half a tick of tolerance: times were computed from ticks, and must lead back to them.
        wanted = int(start / tick + 0.5) if isinstance(start, float) else None
        if read_index(container, stream).listed:
            return _by_index(container, stream, start, wanted)
        return _by_packets(container, stream, start, wanted)
    except FFmpegError:
        return None
    finally:
        container.close()


def _by_index(
    container: InputContainer, stream: VideoStream, start: Moment, wanted: int | None
) -> Landing | None:
    """Use the list of all packets; what it does not say is when they are shown."""
    keys: list[tuple[int, int]] = []
    shown = 0
    for entry in stream.index_entries:
        if entry.size <= 0:
            continue
        # A picture is never shown before its packet's place in the list, so later ones are behind.
        behind = shown > start if wanted is None else entry.timestamp > wanted
        if behind:
            break
        if entry.is_keyframe and not entry.is_discard:
            keys.append((shown, entry.timestamp))
        shown += not entry.is_discard
    # The first key picture is the beginning, which needs no seeking.
    for before, timestamp in reversed(keys[1:]):
        landing = _counted(container, stream, before, timestamp)
        if landing is None:
            return None
        if (landing.index <= start) if wanted is None else (landing.pts <= wanted):
            return landing
    return None


def _counted(
    container: InputContainer, stream: VideoStream, before: int, timestamp: int
) -> Landing | None:
    """Add those pictures that are sent after a key picture, and shown before it."""
    container.seek(timestamp, stream=stream, backward=True, any_frame=False)
    pts: int | None = None
    leading = 0
    packet: Any
    for packet in container.demux(stream):
        if not packet.size or packet.pts is None or packet.dts is None:
            return None if pts is None else Landing(pts, before + leading, timestamp)
        if pts is None:
            # Some formats land on an earlier key picture.
            if packet.dts < timestamp:
                continue
            if packet.dts != timestamp or not packet.is_keyframe:
                return None
            pts = packet.pts
        elif packet.dts >= pts:
            return Landing(pts, before + leading, timestamp)
        else:
            leading += packet.pts < pts and not packet.is_discard
    return None if pts is None else Landing(pts, before + leading, timestamp)


def _by_packets(
    container: InputContainer, stream: VideoStream, start: Moment, wanted: int | None
) -> Landing | None:
    """Count the packets before the moment."""
    shown, keys = array("q"), []
    fewest = _MOST_REORDERED + (start if wanted is None else 0)
    packet: Any
    for packet in _shown_packets(container, stream):
        # A packet without a time, or a broken one: decoding may give other numbers.
        if packet.pts is None or packet.is_corrupt:
            return None
        # Matroska leaves it out in the first packets.
        due = packet.pts if packet.dts is None else packet.dts
        shown.append(packet.pts)
        if packet.is_keyframe:
            keys.append((packet.pts, min(due, packet.pts)))
        # No later packet is shown before this one is due, and few are sent so much too early.
        if len(shown) > fewest and (wanted is None or due > wanted):
            break
    order = sorted(shown)
    if any(one == two for one, two in pairwise(order)):
        return None
    for pts, seek in reversed(keys[1:]):
        index = bisect_left(order, pts)
        if (index <= start) if wanted is None else (pts <= wanted):
            return Landing(pts, index, seek)
    return None


def _shown_packets(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """Read the packets of a stream that are shown, in the order of decoding."""
    packet: Any
    for packet in container.demux(stream):
        # To a decoder an empty packet means the end.
        if not packet.size:
            return
        if not packet.is_discard:
            yield packet


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
