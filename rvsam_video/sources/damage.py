"""Damage that decoders pass over without a word: files cut off, holes, packets that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

_MP4_BOXES = frozenset(
    b"ftyp moov mdat free skip wide moof mfra sidx styp ssix uuid meta udta pdin emsg prft".split()
)
# Matroska's names of its two outermost parts, with their length bits.
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def is_cut_off(path: Path) -> bool:
    """Whether an MP4, Matroska or AVI file ends before its last part does; else False."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return any(end > size for end in _ends_of_parts(file))


def _ends_of_parts(file: BinaryIO) -> Iterator[int]:
    head = file.read(8)
    file.seek(0)
    if head[:4] == b"RIFF":
        # The length leaves out name and length themselves.
        yield 8 + int.from_bytes(head[4:8], "little")
    elif int.from_bytes(head[:4], "big") == _EBML:
        yield _end_of_segment(file)
    else:
        yield from _ends_of_boxes(file)


def _ends_of_boxes(file: BinaryIO) -> Iterator[int]:
    """Walk the outer boxes of an MP4 file; ISO/IEC 14496-12, section 4.2."""
    start = 0
    # Other names are no boxes but something that was appended: nothing follows from them.
    while (head := file.read(16))[4:8] in _MP4_BOXES:
        length = int.from_bytes(head[:4], "big")
        # 1 says that the true length follows in 64 bits.
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        # 0 says "to the end of the file", so nothing is missing by definition.
        if length < 8:
            return
        start += length
        yield start
        file.seek(start)


def _end_of_segment(file: BinaryIO) -> int:
    """Return where Matroska's one segment ends, 0 if it does not say; RFC 8794, section 6."""
    file.read(4)
    file.seek(_variable_length(file) or 0, 1)
    if int.from_bytes(file.read(4), "big") != _SEGMENT:
        return 0
    length = _variable_length(file)
    return 0 if length is None else file.tell() + length


def _variable_length(file: BinaryIO) -> int | None:
    """Read a number whose leading zero bits tell its length; all ones mean "unknown"."""
    first = file.read(1)
    # As many zero bits in front, as many bytes follow.
    more = 8 - first[0].bit_length() if first else 0
    unknown = (1 << (7 * (more + 1))) - 1
    value = int.from_bytes(first + file.read(more), "big") & unknown
    return None if value == unknown else value


HOLE_BYTES = 512
"""More bytes than Matroska puts between two packets (cluster heads, checksums)."""

HOLE_FRAMES = 2.5
"""Shortest pause, in frame intervals, that goes with a hole; rounded times stay below two."""


class HoleFinder:
    """Notices stretches of bytes that held something, but brought no packet.

    Matroska puts packet behind packet. So a long stretch of bytes between two of them, together
    with a pause in the video, means that what was there could not be read. A pause alone proves
    nothing: the frame rate may vary.

    Args:
        container: the open file; holes are found in Matroska and WebM only.
        stream: the video; packets of the other streams fill the stretches between its own.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._active = container.format.name.startswith("matroska")
        self._stream = stream.index
        # At an unknown rate of 1 only pauses of seconds count: rather no hole than one too many.
        self._shortest_pause = HOLE_FRAMES / float(stream.average_rate or 1)
        self._begin = self._end = -1
        self._newest: float | None = None
        self._jumped = False

    def see(self, packet: Packet[Stream]) -> tuple[float, float] | None:
        """Take the next packet of any stream; return a hole's (begin, end) in seconds, or None."""
        if not self._active or packet.pos is None:
            return None
        self._follow(packet.pos, packet.size)
        if packet.stream_index != self._stream or packet.pts is None:
            return None
        time = packet.pts * float(packet.time_base)
        # Packets do not come in the order of display, so the newest counts, not the last.
        newest = time if self._newest is None else self._newest
        self._newest = max(newest, time)
        jumped, self._jumped = self._jumped, False
        return (newest, time) if jumped and time - newest > self._shortest_pause else None

    def _follow(self, position: int, size: int) -> None:
        if position == self._begin:
            # Several packets of sound in one block all tell the position of the block.
            self._end += size
            return
        if self._end >= 0 and position - self._end > HOLE_BYTES:
            self._jumped = True
        self._begin, self._end = position, position + size


_INDEXED_FORMATS = ("mov", "avi")
"""Formats whose index lists every packet; in others it lists key frames only."""


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """The packets of a stream that its file lists.

    Attributes:
        listed: how many packets are to be found in the file; 0 if nothing is listed.
        shown: how many of them are shown; an edit list cuts the others away.
        last: position of the last of them in the file, in bytes.
    """

    listed: int = 0
    shown: int = 0
    last: int = 0


def read_index(container: InputContainer, stream: VideoStream) -> PacketIndex:
    """Read the index of a file that was just opened; empty if the format keeps none."""
    # Empty entries bring no packet: AVI repeats a frame in this way.
    entries = [entry for entry in stream.index_entries if entry.size > 0]
    # One entry is what probing the file found, not an index.
    if len(entries) < 2 or not container.format.name.startswith(_INDEXED_FORMATS):
        return PacketIndex()
    # What an edit list cuts away is decoded, but never shown.
    shown = sum(not entry.is_discard for entry in entries)
    return PacketIndex(len(entries), shown, max(entry.pos for entry in entries))


def estimate_frames(
    container: InputContainer, stream: VideoStream, index: PacketIndex
) -> int | None:
    """Return how many frames the file says it has; None if it does not say."""
    if index.shown or stream.frames:
        return index.shown or stream.frames
    return round(declared_seconds(container, stream) * float(stream.average_rate or 0)) or None


def declared_seconds(container: InputContainer, stream: VideoStream) -> float:
    """Return how long the file says the video lasts, in seconds; 0 if it does not say."""
    # The header of AVI states a number of frames, whatever is left of the file.
    if stream.frames and stream.average_rate:
        return stream.frames / float(stream.average_rate)
    track = _seconds(stream.metadata.get("DURATION", ""))
    return track or (container.duration or 0) / av.time_base


def _seconds(text: str) -> float:
    """Read Matroska's own length of one track, e.g. "00:01:06.600000000"; 0 if it is none."""
    with suppress(ValueError):
        hours, minutes, seconds = map(float, text.split(":"))
        return hours * 3600 + minutes * 60 + seconds
    return 0.0
