"""Whether a video file is shorter than its own outer structure says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = frozenset(
    b"ftyp moov mdat free skip wide moof mfra sidx styp ssix uuid meta udta pdin emsg prft".split()
)
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
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
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
    more = 8 - first[0].bit_length() if first else 0
    unknown = (1 << (7 * (more + 1))) - 1
    value = int.from_bytes(first + file.read(more), "big") & unknown
    return None if value == unknown else value
