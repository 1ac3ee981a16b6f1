"""`LocalColours`: which colours were on and off an object, in each small part of its crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Map

_BINS = 8
_COLOURS = _BINS**3
_CHROMA_LOW, _CHROMA_HIGH = 96, 160
"""Lab's a and b of most pixels; a small neighbourhood needs fewer and finer bins than all."""

_FULL_CELL = 64.0
"""Weight of all pixels of a cell together, so that doubt means the same at any resolution."""

_DOUBT = 2.0
"""Weight of what is known from elsewhere, against that of a full cell: a few pixels of a colour
are enough to know it."""


def coarse_colours(lab: Image) -> NDArray[np.intp]:
    """Return for each pixel of an (h, w, 3) Lab picture one of 512 colours, (h, w) int."""
    lightness = _LIGHTNESS_TABLE[lab[..., 0]]
    return np.asarray(lightness + _A_TABLE[lab[..., 1]] + _B_TABLE[lab[..., 2]], np.intp)


def _chroma_bins() -> NDArray[np.intp]:
    share = (np.arange(256) - _CHROMA_LOW) * _BINS // (_CHROMA_HIGH - _CHROMA_LOW)
    return np.clip(share, 0, _BINS - 1)


_LIGHTNESS_TABLE = np.arange(256) * _BINS // 256 * _BINS**2
_A_TABLE = _chroma_bins() * _BINS
_B_TABLE = _chroma_bins()


@dataclass(frozen=True, slots=True, eq=False)
class LocalColours:
    """A bilateral grid (Chen, Paris and Durand, 2007) of what was seen on and off an object.

    Attributes:
        counts: (rows, columns, 8, 8, 8, 2) float32, how much of each colour was on the object
            and off it.
    """

    counts: NDArray[np.float32]

    @classmethod
    def learn(
        cls,
        colours: NDArray[np.intp],
        place: tuple[Map, Map],
        on: Map,
        shape: tuple[int, int],
    ) -> LocalColours:
        """Count the colours of a crop.

        Args:
            colours: (h, w) int, from `coarse_colours`.
            place: in which column and row of the grid each pixel lies, (h, w) float32 each,
                whole numbers at the cells' centres; what lies beyond counts to the outer cells.
            on: (h, w) float32 in [0, 1], how much of each pixel is on the object.
            shape: rows and columns of the grid.
        """
        rows, columns = shape
        # + 0.5 and cut off: rounded to the nearest cell.
        column = np.clip(place[0] + 0.5, 0, columns - 1).astype(np.intp)
        row = np.clip(place[1] + 0.5, 0, rows - 1).astype(np.intp)
        at = ((row * columns + column) * _COLOURS + colours).ravel()
        width = place[0].shape[1]
        # Cells per pixel; its square is a pixel's share of a cell.
        step = float(place[0][0, -1] - place[0][0, 0]) / max(width - 1, 1)
        unit = np.float32(_FULL_CELL * min(step, 1.0) ** 2)
        bins = rows * columns * _COLOURS
        seen = [np.bincount(at, (weight * unit).ravel(), bins) for weight in (on, 1 - on)]
        counts = np.stack(seen, axis=-1).astype(np.float32)
        return cls(_smooth(counts.reshape(rows, columns, _BINS, _BINS, _BINS, 2)))

    def blend(self, other: LocalColours, rate: float) -> LocalColours:
        """Return these colours moved towards others by a share of `rate`."""
        return LocalColours(self.counts + np.float32(rate) * (other.counts - self.counts))

    def evidence(self, colours: NDArray[np.intp], place: tuple[Map, Map], guess: Map) -> Map:
        """Return how much each pixel looks like the object rather than what was around it here.

        Args:
            colours: (h, w) int.
            place: columns and rows as in `learn`.
            guess: (h, w) float32, evidence from elsewhere; it decides about colours that were
                not seen here.

        Returns:
            (h, w) float32, log of the ratio.
        """
        seen = self._read(colours, place)
        # The guess as a probability, which splits the doubt into counts on and off the object.
        share = np.float32(_DOUBT) / (1 + np.exp(-guess))
        ratio = (seen[..., 0] + share) / (seen[..., 1] + (np.float32(_DOUBT) - share))
        return np.asarray(np.log(ratio), np.float32)

    def _read(self, colours: NDArray[np.intp], place: tuple[Map, Map]) -> NDArray[np.float32]:
        """Return (h, w, 2): the counts of each pixel's colour, between the cells around it."""
        flat = self.counts.reshape(-1, 2)
        rows, columns = self.counts.shape[:2]
        column = np.clip(place[0], 0, columns - 1)
        row = np.clip(place[1], 0, rows - 1)
        left, top = column.astype(np.intp), row.astype(np.intp)
        step_x = np.where(left < columns - 1, _COLOURS, 0)
        step_y = np.where(top < rows - 1, columns * _COLOURS, 0)
        # The colour's own bin: counts were spread to neighbours when they were learnt.
        at = (top * columns + left) * _COLOURS + colours
        share_x = (column - left).astype(np.float32)[..., None]
        share_y = (row - top).astype(np.float32)[..., None]
        # Bilinear by hand: a grid of 512 colours a cell has no picture that could be resized.
        upper = flat[at] * (1 - share_x) + flat[at + step_x] * share_x
        at += step_y
        lower = flat[at] * (1 - share_x) + flat[at + step_x] * share_x
        return np.asarray(upper * (1 - share_y) + lower * share_y, np.float32)


def _smooth(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread counts to the neighbours in place and colour."""
    for axis in range(counts.ndim - 1):
        moved = np.moveaxis(counts, axis, 0)
        out = moved / np.float32(2)
        out[1:] += moved[:-1] / np.float32(4)
        out[:-1] += moved[1:] / np.float32(4)
        counts = np.moveaxis(out, 0, axis)
    # Read row by row from now on, in every frame.
    return np.ascontiguousarray(counts)
