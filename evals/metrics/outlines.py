"""Boundaries of many masks at once, one bit of a byte per mask, and what lies close to them.

A boundary measure needs, per mask, its boundary pixels and the pixels within some distance of them.
With eight masks in the bits of a byte image, both come from whole-image XOR and OR, which cost the
same for eight masks as for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

PLANES = 8
"""Masks in one byte."""

_BITS = ((np.arange(256)[:, None] >> np.arange(PLANES)) & 1).astype(np.int64)
"""(256, 8): which masks a byte stands for."""


@dataclass(frozen=True, slots=True)
class Outlines:
    """The boundaries of up to eight masks of one picture; bit k of a byte belongs to mask k.

    Attributes:
        positions: (K,) int, the pixels that are on any boundary, as indices into `near`.
        bits: (K,) uint8, the boundaries that each of them is on.
        near: (N,) uint8, the boundaries within the radius of each pixel. Two of these fit together
            if the pictures have the same size and the radius was the same.
    """

    positions: NDArray[np.intp]
    bits: NDArray[np.uint8]
    near: NDArray[np.uint8]

    def counts(self) -> NDArray[np.int64]:
        """Return the number of boundary pixels of each mask, (8,) int64."""
        # How often each of the 256 combinations occurs, then which masks it stands for.
        return np.bincount(self.bits, minlength=256) @ _BITS

    def matched(self, other: Outlines) -> NDArray[np.int64]:
        """Count the boundary pixels of each mask that are near the same mask of `other`, (8,)."""
        return np.bincount(self.bits & other.near[self.positions], minlength=256) @ _BITS

    def matched_pairs(self, other: Outlines) -> NDArray[np.int64]:
        """Count the boundary pixels of each mask that are near each mask of `other`.

        Returns:
            (8, 8) int64; the row is the mask of this, the column that of `other`.
        """
        # Pairs of combinations in one count; only boundary pixels take part, which are few.
        codes = self.bits.astype(np.intp) * 256 + other.near[self.positions]
        counts = np.bincount(codes, minlength=256 * 256).reshape(256, 256)
        return _BITS.T @ counts @ _BITS


def outlines_of(planes: NDArray[np.uint8], radius: int) -> Outlines:
    """Find the boundaries of up to eight masks, and the pixels near them.

    Args:
        planes: (H, W) uint8; bit k of a pixel says whether it belongs to mask k.
        radius: distance in pixels that still counts as near, from 0.
    """
    height, width = planes.shape
    # Kept flat, with as much nothing behind every row as the disk is wide on one side: then a shift
    # by rows and columns is one slice, and nothing wraps into the next row.
    stride = width + radius
    flat = np.zeros(radius + height * stride + radius, np.uint8)
    rows = flat[radius : radius + height * stride].reshape(height, stride)
    rows[:, :width] = boundary_planes(planes)
    positions = np.flatnonzero(flat != 0)
    return Outlines(positions, flat[positions], _spread(flat, stride, radius))


def planes_of(labels: NDArray[np.uint8], first: int, last: int) -> NDArray[np.uint8]:
    """Return bit planes of the objects `first` to `last` (at most eight) of an index map.

    Args:
        labels: (H, W) uint8 object numbers.
        first: the object that becomes bit 0.
        last: the last object, included.
    """
    planes = np.zeros(labels.shape, np.uint8)
    for number in range(first, last + 1):
        # NumPy multiplies bytes 32 at a time, but shifts them one by one.
        planes |= (labels == number).view(np.uint8) * np.uint8(1 << (number - first))
    return planes


def boundary_planes(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark the pixels that differ from their right, lower or lower right neighbour, bit by bit.

    The boundary so defined lies half a pixel towards the origin. The last row and column look along
    the edge only: a mask that is cut off by the frame has no boundary there. This is the definition
    of the DAVIS evaluation, which took it from the Berkeley segmentation benchmark.

    Args:
        planes: (H, W) uint8; bit k of a pixel says whether it belongs to mask k.

    Returns:
        (H, W) uint8; bit k is set on the boundary of mask k.
    """
    found = np.zeros_like(planes)
    # Set, and the next two added: the last column of the first stays 0 for the edge rule.
    found[:, :-1] = planes[:, :-1] ^ planes[:, 1:]
    found[:-1] |= planes[:-1] ^ planes[1:]
    found[:-1, :-1] |= planes[:-1, :-1] ^ planes[1:, 1:]
    return found


def _spread(flat: NDArray[np.uint8], stride: int, radius: int) -> NDArray[np.uint8]:
    """Spread every bit over the digital disk dx² + dy² <= radius² around it.

    The disk is made of rows, and a row of n pixels is the OR of two overlapping shorter ones, so
    all widths come from few shifts. `flat` is used up.
    """
    near, spare = np.zeros_like(flat), np.zeros_like(flat)
    runs, length = flat, 1
    for row in range(radius, -1, -1):
        # In whole numbers: a rounded root would lose pixels at the rim of the disk.
        half = isqrt(radius * radius - row * row)
        while length <= 2 * half:
            step = min(length, 2 * half + 1 - length)
            np.bitwise_or(runs[:-step], runs[step:], out=spare[:-step])
            runs, spare = spare, runs
            length += step
        # A set: for row 0 both are one.
        for shift in {row * stride - half, -row * stride - half}:
            _or_shifted(near, runs, shift)
    return near


def _or_shifted(target: NDArray[np.uint8], source: NDArray[np.uint8], shift: int) -> None:
    """OR `source[i + shift]` into `target[i]` wherever both exist."""
    if abs(shift) >= len(target):
        return
    if shift < 0:
        target, source = target[-shift:], source[:shift]
    elif shift:
        target, source = target[:-shift], source[shift:]
    np.bitwise_or(target, source, out=target)
