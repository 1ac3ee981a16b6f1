"""Encoded packets on disk, in files that can be cut back to an earlier state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rvsam_video.writing import AppendFile


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One encoded frame: its bytes, its time stamp in ticks, and whether decoding can start."""

    data: bytes
    pts: int
    key: bool


class PacketLog:
    """Packets on disk: a playable `.h264` stream, and an index of where each packet stands.

    Args:
        stream: path of the `.h264` file; the index stands beside it.
    """

    _RECORD = np.dtype([("pts", "<i8"), ("offset", "<i8"), ("size", "<i4"), ("key", "<i4")])
    _RECORDS_PER_READ = 4096

    def __init__(self, stream: Path) -> None:
        self._stream = AppendFile(stream)
        self._index = AppendFile(stream.with_suffix(".index"))

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes of the stream and of the index, to go on from."""
        return self._stream.size, self._index.size

    def open(self, stream_size: int = 0, index_size: int = 0) -> None:
        """Begin anew, or go on behind the sizes given; the rest is cut off."""
        self._stream.open(stream_size)
        self._index.open(index_size)

    def add_header(self, header: bytes) -> None:
        """Write parameter sets, which players of the bare stream need and the index skips."""
        self._stream.write(header)

    def add(self, packets: Sequence[EncodedPacket]) -> None:
        """Append packets."""
        for packet in packets:
            record = (packet.pts, self._stream.size, len(packet.data), packet.key)
            self._index.write(np.array(record, self._RECORD).tobytes())
            self._stream.write(packet.data)

    def sync(self) -> None:
        """Wait for the disk to have all packets."""
        self._stream.sync()
        self._index.sync()

    def close(self) -> None:
        """Close both files."""
        self._stream.close()
        self._index.close()

    def read(self) -> Iterator[EncodedPacket]:
        """Yield all packets, a few in memory at a time."""
        self._stream.flush()
        self._index.flush()
        block = self._RECORDS_PER_READ * self._RECORD.itemsize
        with self._stream.path.open("rb") as stream, self._index.path.open("rb") as index:
            while data := index.read(block):
                for pts, offset, size, key in np.frombuffer(data, self._RECORD).tolist():
                    stream.seek(offset)
                    yield EncodedPacket(stream.read(size), pts, bool(key))
