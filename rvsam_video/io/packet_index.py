"""What a video file says about its own contents: its index, and an estimate of its frames."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.stream import VideoStream

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
