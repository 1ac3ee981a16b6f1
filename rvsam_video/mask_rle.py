"""Masks as compressed run lengths (RLE), the text form that COCO and its tools use.

Column by column, the lengths of the runs of 0 and 1 in turn, starting with 0. From the fourth on,
each is stored as the difference to the one before the last; numbers are written in base 32, low
digits first, one printable character per digit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 16384
"""Largest width and height that is read: twice 8K video, and at most 256 MB per mask."""

_FIRST_CHARACTER = ord("0")
_DIGIT_BITS = 5
_DIGIT = 0b011111
_SIGN = 0b010000
_MORE = 0b100000
_MAX_BITS = 35
"""A run has at most 28 bits (`MAX_SIDE` squared); a difference one more, and its sign."""


def encode_mask(mask: NDArray[np.bool_]) -> str:
    """Return the compressed run lengths of a (H, W) bool mask."""
    from pycocotools import mask as coco

    counts: bytes = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return counts.decode("ascii")


def decode_mask(counts: str, height: int, width: int) -> NDArray[np.bool_]:
    """Return the (height, width) bool mask that these run lengths describe.

    Files may come from strangers: pycocotools trusts what it decodes and reads or writes beyond
    its buffers when it is wrong, so every run is checked here before it is used.

    Args:
        counts: as returned by `encode_mask`.
        height: pixels, 1 to `MAX_SIDE`.
        width: pixels, 1 to `MAX_SIDE`.

    Raises:
        ValueError: if the text is damaged or the runs do not fill the mask.
    """
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        msg = f"the mask is {width}x{height} pixels; both sides must be 1 to {MAX_SIDE}"
        raise ValueError(msg)
    runs = _run_lengths(counts)
    if sum(runs) != height * width:
        msg = f"the runs cover {sum(runs)} pixels, but {width}x{height} has {height * width}"
        raise ValueError(msg)
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


def _run_lengths(counts: str) -> list[int]:
    runs: list[int] = []
    value = bits = 0
    for position, character in enumerate(counts):
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code <= _DIGIT | _MORE or bits >= _MAX_BITS:
            msg = f"character {position} of the runs, {character!r}, cannot stand there"
            raise ValueError(msg)
        value |= (code & _DIGIT) << bits
        bits += _DIGIT_BITS
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << bits
        if len(runs) > 2:
            value += runs[-2]
        if value < 0:
            msg = f"the run that ends at character {position} has a negative length"
            raise ValueError(msg)
        runs.append(value)
        value = bits = 0
    if bits:
        msg = "the runs end in the middle of a number"
        raise ValueError(msg)
    return runs
