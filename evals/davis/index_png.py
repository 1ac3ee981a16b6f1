"""Reading index maps from PNG files quickly: scoring masks is mostly reading them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError
from ...mask_rle import MAX_SIDE

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_CHUNK = struct.Struct(">I4s")
_CHUNK_FRAME = 12
"""Bytes of a chunk besides its content: length, name, checksum."""

_GREY, _PALETTE = 0, 3
_BEST_RATIO = 1032
"""No deflated data grows by more than this."""

_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)
"""What Pillow and zlib raise for files that are no pictures."""


@dataclass(frozen=True, slots=True)
class IndexMap:
    """The numbers stored in a mask picture.

    Attributes:
        numbers: (H, W) uint8, palette indices or grey values; not to be written to.
        palette: whether they are indices of a palette, and so object numbers for sure.
    """

    numbers: NDArray[np.uint8]
    palette: bool


def read_index_map(path: Path) -> IndexMap:
    """Read a palette or grey PNG of up to 8 bits as numbers; colours play no role.

    Raises:
        SourceError: if the file is missing, damaged, or a picture of another kind.
    """
    try:
        data = path.read_bytes()
        # None of the plain reader means "not of this simple kind", and never "damaged".
        return _read_plain(data) or _read_any(path)
    except _DAMAGED as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        msg = f"the mask {path} cannot be read: {reason}"
        raise SourceError(msg) from error


def _read_plain(data: bytes) -> IndexMap | None:
    """Read the PNG files that nearly all tools write for index maps; None for any other.

    Those are 8 bits deep, not interlaced and not filtered: inflating is all there is to do, and
    takes half of the time of a general decoder.
    """
    if not data.startswith(_SIGNATURE):
        return None
    header, packed = _chunks(data)
    width, height, depth, kind, _, _, interlaced = _HEADER.unpack(header)
    # Before anything is inflated, here and in the general decoder: 5 MB can hold 5 GB.
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        msg = f"it is {width}x{height} pixels; the sides of a mask are 1 to {MAX_SIDE}"
        raise ValueError(msg)
    size = height * (width + 1)
    if (
        depth != 8
        or kind not in {_GREY, _PALETTE}
        or interlaced
        # A header that claims more than the data can hold would only fill the memory.
        or size > len(packed) * _BEST_RATIO
    ):
        return None
    # No more than the header says, whatever the data would inflate to.
    rows = np.frombuffer(zlib.decompressobj().decompress(packed, size + 1), np.uint8)
    # Left to the general decoder, which says what is wrong.
    if len(rows) != size:
        return None
    rows = rows.reshape(height, width + 1)
    # The first byte of a row names its filter.
    return None if rows[:, 0].any() else IndexMap(rows[:, 1:], kind == _PALETTE)


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """Return the content of the header and of all image data of a PNG file."""
    header, packed = b"", []
    place = len(_SIGNATURE)
    while place < len(data):
        length, name = _CHUNK.unpack_from(data, place)
        content = place + _CHUNK.size
        if name == b"IHDR":
            header = data[content : content + length]
        # The data may be cut into any number of chunks; checksums are left to zlib's own.
        elif name == b"IDAT":
            packed.append(data[content : content + length])
        elif name == b"IEND":
            break
        place += _CHUNK_FRAME + length
    return header, b"".join(packed)


def _read_any(path: Path) -> IndexMap:
    """Read a PNG of any kind by a general decoder.

    Raises:
        ValueError: if it holds no numbers.
    """
    from PIL import Image

    try:
        # No other kind: a JPEG under this name would give blurred numbers.
        with Image.open(path, formats=("PNG",)) as picture:
            mode, numbers = picture.mode, np.asarray(picture)
    except Image.DecompressionBombError as error:
        raise ValueError(error) from error
    if mode not in {"P", "L", "1"}:
        msg = (
            f"it is a colour or deep picture (mode {mode}); save one number per pixel, as a "
            "palette or 8-bit grey PNG"
        )
        raise ValueError(msg)
    return IndexMap(np.asarray(numbers, np.uint8), mode == "P")
