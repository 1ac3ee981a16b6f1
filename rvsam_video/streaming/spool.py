"""`Spool`: what was found going backward, on disk, to be read back with rising frames."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.results import ObjectResult, PointTable
from rvsam_video.snapshot import nested, prefixed

SPOOL_BYTES = 8 << 20
"""Held in memory before a temporary file is made: short clips need no disk."""

# Behind each record: the index of its frame, and its length, so that the file is read from its end.
_FOOTER = struct.Struct("<qq")


@dataclass(frozen=True, slots=True, eq=False)
class Behind:
    """What going backward found in one frame.

    Attributes:
        objects: those whose masks come from there.
        points: likewise.
    """

    objects: tuple[ObjectResult, ...] = ()
    points: PointTable = field(default_factory=PointTable.empty)


class Spool:
    """Records of frames, written with falling and read with rising indices.

    Masks are kept as run lengths; nothing in memory grows with the number of frames.

    Args:
        file: open for reading and writing; None makes a temporary one.
        size: bytes of it that count.
    """

    def __init__(self, file: IO[bytes] | None = None, size: int = 0) -> None:
        # A file that does not grow large is never made.
        self._file: IO[bytes] = SpooledTemporaryFile(SPOOL_BYTES) if file is None else file  # noqa: SIM115
        self.size = size
        self._end = size

    def append(self, index: int, behind: Behind) -> None:
        """Add a frame; its index is lower than those before."""
        data = _to_bytes(behind)
        self._file.seek(self.size)
        self._file.write(data + _FOOTER.pack(index, len(data)))
        self.size += len(data) + _FOOTER.size
        self.rewind()

    def rewind(self) -> None:
        """Read from the lowest frame on."""
        self._end = self.size

    def at(self, index: int) -> Behind:
        """Return a frame; empty if there is none. Indices of following calls must rise."""
        while self._end > 0:
            self._file.seek(self._end - _FOOTER.size)
            found, length = _FOOTER.unpack(self._file.read(_FOOTER.size))
            if found > index:
                break
            begin = self._end - _FOOTER.size - length
            self._end = begin
            if found == index:
                self._file.seek(begin)
                return _from_bytes(self._file.read(length))
        return Behind()

    def close(self) -> None:
        """Let go of the file; a temporary one is removed."""
        self._file.close()


def _to_bytes(behind: Behind) -> bytes:
    objects = behind.objects
    arrays: dict[str, NDArray[Any]] = {
        "ids": np.array([item.object_id for item in objects], np.int64),
        "scores": np.array([item.score for item in objects], np.float64),
        "prompted": np.array([item.prompted for item in objects], np.bool_),
        "size": np.array(objects[0].mask.shape if objects else (0, 0), np.int64),
        **prefixed("points", behind.points.to_arrays()),
    }
    for item in objects:
        code = encode_mask(item.mask).encode("ascii")
        arrays[f"mask/{item.object_id}"] = np.frombuffer(code, np.uint8)
        if item.logits is not None:
            arrays[f"logits/{item.object_id}"] = item.logits
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _from_bytes(data: bytes) -> Behind:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = dict(stored)
    height, width = arrays["size"].tolist()
    columns = (arrays[name].tolist() for name in ("ids", "scores", "prompted"))
    objects = tuple(
        ObjectResult(
            key,
            decode_mask(arrays[f"mask/{key}"].tobytes().decode("ascii"), height, width),
            score,
            arrays.get(f"logits/{key}"),
            prompted,
        )
        for key, score, prompted in zip(*columns, strict=True)
    )
    return Behind(objects, PointTable.from_arrays(nested("points", arrays)))
