"""Thinning: lines of any width become lines of one pixel, and stay connected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Counter-clockwise from the right, as rows and columns: the order in which the rule counts them.
_AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def _tables() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for both half-steps, by the 8 neighbours as bits, whether a pixel goes: (256,) bool.

    Source: Guo and Hall, "Parallel thinning with two-subiteration algorithms", Communications of
    the ACM 32(3), 1989; the variant and its names are those of MATLAB's `bwmorph(..., 'thin')`.
    """
    bits = np.arange(256)[:, None] >> np.arange(8) & 1 > 0
    x = {number + 1: bits[:, number] for number in range(8)} | {9: bits[:, 0]}
    odd = (1, 3, 5, 7)
    crossings = sum((~x[n] & (x[n + 1] | x[n + 2])).astype(int) for n in odd)
    before = sum((x[n] | x[n + 1]).astype(int) for n in odd)
    behind = sum((x[n + 1] | x[n + 2]).astype(int) for n in odd)
    fewest = np.minimum(before, behind)
    on_border = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    first = on_border & ~((x[2] | x[3] | ~x[8]) & x[1])
    second = on_border & ~((x[6] | x[7] | ~x[4]) & x[5])
    return first, second


_GOES = _tables()


def thinned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a mask until nothing changes any more; the same as `bwmorph(mask, 'thin', Inf)`.

    Args:
        mask: (H, W) bool; outside of it nothing is set.

    Returns:
        (H, W) bool, a part of the mask.
    """
    padded = np.pad(np.asarray(mask, np.bool_), 1)
    flat = padded.astype(np.uint8).ravel()
    offsets = [rows * padded.shape[1] + columns for rows, columns in _AROUND]
    # Lines are few of a picture's pixels, so only those that are set are looked at.
    pixels = np.flatnonzero(flat)
    while True:
        before = len(pixels)
        for goes in _GOES:
            code = np.zeros(len(pixels), np.uint8)
            for bit, offset in enumerate(offsets):
                code |= flat[pixels + offset] << np.uint8(bit)
            gone = goes[code]
            flat[pixels[gone]] = 0
            pixels = pixels[~gone]
        # A half-step that changes nothing is not the end: the other one may still change something.
        if len(pixels) == before:
            return np.asarray(flat.reshape(padded.shape)[1:-1, 1:-1] > 0)
