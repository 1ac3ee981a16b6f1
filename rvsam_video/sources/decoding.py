"""From an open video to its pictures: past damage, in order, with rising times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from rvsam_video.sources.base import RisingClock, Tally
from rvsam_video.sources.damage import (
    HoleFinder,
    declared_seconds,
    estimate_frames,
    is_cut_off,
    read_index,
)

MOST_FAILURES = 1000
"""So many failures to find the next packet, one after the other, are taken for the end."""

_UNFINDABLE = (av.error.InvalidDataError, av.error.MemoryError, av.error.BlockingIOError)
"""What the demuxers say of a packet that cannot be found, or claims an absurd size."""

_AnyPacket: TypeAlias = "Packet[Any]"


class VideoDecoder:
    """Decodes one stream from beginning to end, and keeps account in a `Tally`.

    Damage is passed over: broken packets are left out, and the pictures that build on them are
    given but counted. Only a picture that comes too late, behind one that belongs after it, is
    dropped.

    Args:
        container: the open video.
        stream: the stream to decode.
        stop: end at the first damage instead, with all that was read before it.
        path: the file, if it is one, to tell whether it was cut off.
        sought: whether reading begins in the middle, so that what comes before is not missed.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        *,
        stop: bool,
        path: Path | None = None,
        sought: bool = False,
    ) -> None:
        self._container, self._stream, self._stop, self._path = container, stream, stop, path
        self._sought = sought
        self._index = read_index(container, stream)
        self._clock = RisingClock(float(stream.average_rate or stream.guessed_rate or 0))
        self._holes = HoleFinder(container, stream)
        self._packets = 0
        self._position = self._newest = -1
        # Since damage, and until a picture comes that builds on no other: where it began, in pts.
        self._doubtful_from: int | None = None
        expected = estimate_frames(container, stream, self._index)
        self.tally = Tally(expected=expected, about=not self._index.listed)
        # With frame threads the decoder hides that a file broke off.
        stream.thread_type = "SLICE"

    def pictures(self) -> Iterator[tuple[float, VideoFrame]]:
        """Give the time in seconds and the decoded picture of every frame, in order.

        Raises:
            FFmpegError: if the disk or the connection fails.
        """
        for pictures in self._decoded():
            for picture in pictures:
                doubtful = self._is_doubtful(picture)
                if doubtful and self._stop:
                    self.tally.stopped = True
                    return
                if not self._is_late(picture):
                    self.tally.frames += 1
                    self.tally.damaged += doubtful
                    yield self._clock.read(picture.time), picture
            if self.tally.stopped:
                return
        # Only here: a reading that was left early proves nothing about the file's end.
        self._note_missing()

    def _decoded(self) -> Iterator[list[VideoFrame]]:
        try:
            for packet in self._packets_and_gaps():
                yield self._decode(packet)
        except av.error.FFmpegError:
            # The source is lost, but not the pictures that came before.
            yield self._held_back()
            raise
        yield self._held_back()

    def _packets_and_gaps(self) -> Iterator[_AnyPacket | None]:
        """Give the packets of the stream, and None where some could not be found."""
        failures = 0
        packets = self._container.demux()
        # Not for ever: some demuxers fail at the same place each time.
        while failures < MOST_FAILURES:
            try:
                for packet in packets:
                    failures = 0
                    if (hole := self._holes.see(packet)) is not None:
                        self.tally.note(
                            "nothing could be read from the file "
                            f"between {hole[0]:.2f} s and {hole[1]:.2f} s"
                        )
                        yield None
                    # To a decoder an empty packet means the end, also one from the middle.
                    if packet.size and packet.stream_index == self._stream.index:
                        yield packet
                return
            except IndexError:
                # At the end PyAV (up to 19) trips over streams that appeared while reading.
                return
            except _UNFINDABLE:
                failures += 1
                # Once for a run of failures: they are one hole.
                if failures == 1:
                    yield None
                # The generator ended with its error; a new one goes on where the file stands.
                packets = self._container.demux()

    def _decode(self, packet: _AnyPacket | None) -> list[VideoFrame]:
        # A packet marked as corrupt still goes to the decoder, which may conceal the damage.
        broken = packet is None or packet.is_corrupt
        pictures = None
        if packet is not None and not (broken and self._stop):
            self._follow(packet)
            pictures = self._try(packet)
        if pictures is not None and not broken:
            return pictures
        self._damage(packet)
        # What was read before the damage is given in full.
        return self._held_back() if self._stop else pictures or []

    def _try(self, packet: _AnyPacket) -> list[VideoFrame] | None:
        try:
            return self._stream.decode(packet)
        except av.error.FFmpegError:
            # Whatever the decoder's reason, this packet is no good; the next one may be.
            return None

    def _follow(self, packet: _AnyPacket) -> None:
        self._packets += 1
        self._position = max(self._position, packet.pos or -1)
        self._newest = max(self._newest, packet.pts or -1)

    def _damage(self, packet: _AnyPacket | None) -> None:
        self.tally.bad += 1
        self.tally.stopped = self._stop
        begin = None if packet is None else packet.pts
        # Pictures up to the newest packet had been decoded by then; doubt begins behind it.
        begin = self._newest + 1 if begin is None else begin
        self._doubtful_from = min(
            begin, begin if self._doubtful_from is None else self._doubtful_from
        )

    def _held_back(self) -> list[VideoFrame]:
        """Give the pictures that the decoder still holds, when no more packets come."""
        flush: _AnyPacket = Packet()
        if self._stream.time_base:
            # Taken from the packet; without it the pictures have no time.
            flush.time_base = self._stream.time_base
        return self._try(flush) or []

    def _is_doubtful(self, picture: VideoFrame) -> bool:
        """Whether a picture is damaged or builds on one that is."""
        # It builds on no other: whatever was wrong before is over.
        if picture.key_frame:
            self._doubtful_from = None
        if picture.is_corrupt or self._doubtful_from is None:
            return picture.is_corrupt
        # Pictures that are shown before the damage were whole, though they come out after it.
        return picture.pts is None or picture.pts >= self._doubtful_from

    def _is_late(self, picture: VideoFrame) -> bool:
        """Whether damage has held a picture back until one was given that belongs after it."""
        if self._doubtful_from is None or picture.time is None or self._clock.last is None:
            return False
        return picture.time <= self._clock.last

    def _note_missing(self) -> None:
        """At the end, say so if there should have been more, but only on proof.

        Counts and lengths in headers prove nothing by themselves: variable frame rates, edit
        lists and longer sound tracks make honest files disagree with them.
        """
        missing = self._index.listed - self._packets
        if self._sought:
            # What was passed over is not missing, and counts only if the end was not reached.
            missing = int(self._index.listed > 0 and self._position < self._index.last)
        # The last packet was seen, so the file is whole and the missing ones lay in the middle.
        if missing > 0 and self._position >= self._index.last:
            self.tally.note(f"{missing} of {self._index.listed} packets could not be found")
        elif missing > 0 or (not self._index.listed and self._broke_off()):
            self.tally.note(
                f"ended early: {self.tally.of_expected()}; the file is cut off or damaged"
            )

    def _broke_off(self) -> bool:
        try:
            if self._path is None or not is_cut_off(self._path):
                return False
        except OSError:
            # The file was removed while it was read; nothing can be said about its length.
            return False
        begin = float((self._stream.start_time or 0) * (self._stream.time_base or 0))
        seconds = declared_seconds(self._container, self._stream)
        # One interval of tolerance: headers round lengths. Without a length, cut off is proof
        # enough.
        return seconds == 0 or self._clock.next() - begin < seconds - self._clock.interval
