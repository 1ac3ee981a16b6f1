"""What the pixels of annotations and results mean in DAVIS 2016 and 2017."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .index_png import read_index_map
from .layout import DavisSequence, Year

VOID = 255
"""Number of annotated pixels that belong to nobody."""

_BRIGHT = 128
"""A grey mask of one object is cut above this value."""


class DavisMasks(Protocol):
    """Reads the masks of one sequence as (H, W) uint8 object numbers."""

    def truth(self, path: Path) -> NDArray[np.uint8]:
        """Read an annotation; `VOID` is left in."""

    def prediction(self, path: Path) -> NDArray[np.uint8]:
        """Read a result."""


class NumberedMasks:
    """DAVIS 2017: a pixel's number is its object."""

    def truth(self, path: Path) -> NDArray[np.uint8]:
        """Read an annotation; `VOID` is left in."""
        return read_index_map(path).numbers

    def prediction(self, path: Path) -> NDArray[np.uint8]:
        """Read a result."""
        return read_index_map(path).numbers


class SingleObjectMasks:
    """DAVIS 2016: all objects together are object 1.

    Annotations may be those of 2017, where 255 is void, or those of 2016, where it is the object.
    Results may be palette pictures, where every number is the object, or grey ones, which are cut
    above half brightness unless they only hold 0 and 1.

    Args:
        first: the first annotation of the sequence, which tells the two kinds apart.
    """

    def __init__(self, first: Path) -> None:
        numbers = read_index_map(first).numbers
        # Beside other numbers 255 is void; alone it is the white of a 2016 annotation.
        self._white_is_void = bool(((numbers != 0) & (numbers != VOID)).any())

    def truth(self, path: Path) -> NDArray[np.uint8]:
        """Read an annotation; void is background."""
        numbers = read_index_map(path).numbers
        return _as_numbers((numbers != 0) & ~(self._white_is_void & (numbers == VOID)))

    def prediction(self, path: Path) -> NDArray[np.uint8]:
        """Read a result."""
        picture = read_index_map(path)
        numbers = picture.numbers
        # 0 and 1 in a grey picture are numbers that somebody forgot to give a palette.
        if picture.palette or numbers.max(initial=0) <= 1:
            return _as_numbers(numbers != 0)
        # Strictly, as the public evaluation of 2016 results does.
        return _as_numbers(numbers > _BRIGHT)


def masks_of(sequence: DavisSequence, year: Year) -> DavisMasks:
    """Return what reads the masks of a sequence."""
    return SingleObjectMasks(sequence.truth[0]) if year == 2016 else NumberedMasks()


def _as_numbers(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return mask.astype(np.uint8)


def without_void(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return object numbers with background in place of void."""
    return np.where(numbers == VOID, np.uint8(0), numbers)


def first_objects(sequence: DavisSequence, year: Year) -> NDArray[np.uint8]:
    """Return the objects that the first annotation shows, (H, W) uint8."""
    return without_void(masks_of(sequence, year).truth(sequence.truth[0]))
