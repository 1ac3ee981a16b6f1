"""Stretches of a Matroska file that the demuxer had to pass over without a word."""

from __future__ import annotations

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

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
