"""Videos that come as a stream of bytes, some of which can be read from a file only."""

from __future__ import annotations

import shutil
import tempfile
from typing import BinaryIO

from rvsam_video.errors import SourceError

MOST_SPOOLED = 16 << 30
"""Bytes that are kept in a temporary file at most: hours of ordinary video."""

SPARED = 1 << 30
"""Bytes of the disk that are left to others."""

_CHUNK = 1 << 20
_BEFORE_INDEX = frozenset((b"ftyp", b"free", b"skip", b"wide", b"uuid", b"styp", b"pdin", b"sidx"))
_MOST_BEFORE_INDEX = 1 << 20


class _Spliced:
    """Bytes that were read already, and those that are still to come."""

    def __init__(self, begin: bytes, rest: BinaryIO) -> None:
        self._begin, self._rest = begin, rest

    def read(self, size: int) -> bytes:
        """Return up to so many bytes; none at the end."""
        if self._begin:
            part, self._begin = self._begin[:size], self._begin[size:]
            return part
        return self._rest.read(size)


def readable(stream: BinaryIO, name: str) -> BinaryIO:
    """Return something that a video can be read from as it comes.

    An MP4 file whose index stands at its end, where most programs put it, says nothing of its
    frames until then. It is kept in a temporary file, which vanishes with the process.

    Args:
        stream: where the bytes come from.
        name: what to call it.

    Raises:
        SourceError: if it would have to be kept, and is too large.
    """
    if stream.seekable():
        return stream
    head = _head(stream)
    if not _needs_file(head):
        return _Spliced(head, stream)  # type: ignore[return-value]
    file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the video)
    room = min(MOST_SPOOLED, shutil.disk_usage(tempfile.gettempdir()).free - SPARED)
    chunk = head
    while chunk:
        room -= len(chunk)
        if room < 0:
            file.close()
            msg = (
                f"{name} is an MP4 file with its index at the end, and there is no room to keep it "
                "until then; send it with its index in front (ffmpeg -movflags faststart), or save "
                "it to a file and give that"
            )
            raise SourceError(msg)
        file.write(chunk)
        chunk = stream.read(_CHUNK)
    file.seek(0)
    return file


def _head(stream: BinaryIO) -> bytes:
    """Read the boxes of an MP4 file up to the first that matters; of others a few bytes."""
    head = _exactly(stream, 8)
    position = 0
    while head[position + 4 : position + 8] in _BEFORE_INDEX:
        length = int.from_bytes(head[position : position + 4], "big")
        if not 8 <= length <= _MOST_BEFORE_INDEX:
            break
        position += length
        head += _exactly(stream, position + 8 - len(head))
    return head


def _needs_file(head: bytes) -> bool:
    # The last box whose name was read decides: the index itself, or pictures without it.
    return head[4:8] in _BEFORE_INDEX | {b"mdat"} and head[-4:] == b"mdat"


def _exactly(stream: BinaryIO, size: int) -> bytes:
    parts = []
    # A pipe gives what there is, which may be less.
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
