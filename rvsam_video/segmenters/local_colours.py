"""`LocalColours`: which colours were on and off an object in each small part of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.crop import Map

_BINS = 8
_COLOURS = _BINS**3
_CHROMA_LOW, _CHROMA_HIGH = 96, 160
"""Lab's a and b of most pixels; a small neighbourhood needs fewer and finer bins than all."""

_DOUBT = 1.0
"""Pixels that every colour of every cell starts with on both sides, so that a few pixels of a
rare colour decide nothing."""


def coarse_colours(image: Image) -> NDArray[np.intp]:
    """Return for each pixel of an (h, w, 3) RGB picture one of 512 colours, (h, w) int."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    share = (lab[..., 1:].astype(np.intp) - _CHROMA_LOW) * _BINS // (_CHROMA_HIGH - _CHROMA_LOW)
    chroma = np.clip(share, 0, _BINS - 1)
    lightness = lab[..., 0].astype(np.intp) * _BINS // 256
    return np.asarray((lightness * _BINS + chroma[..., 0]) * _BINS + chroma[..., 1])


@dataclass(frozen=True, slots=True, eq=False)
class LocalColours:
    """A bilateral grid (Chen, Paris and Durand, 2007) of evidence for an object.

    Attributes:
        evidence: (rows, columns, 512) float32, above 0 where a colour was on the object.
        place: (3,) float32, x and y in the picture of the first cell's corner, and the cell's
            side in pixels.
    """

    evidence: NDArray[np.float32]
    place: NDArray[np.float32]

    @classmethod
    def learn(
        cls, colours: NDArray[np.intp], grid: tuple[Map, Map], on: Map, cell: float
    ) -> LocalColours:
        """Count the colours of a crop.

        Args:
            colours: (h, w) int, from `coarse_colours`.
            grid: x and y in the picture of the crop's pixels, (h, w) float32 each.
            on: (h, w) float32 in [0, 1], how much a pixel belongs to the object.
            cell: side of a cell in pixels of the picture.
        """
        place = np.array([grid[0][0, 0], grid[1][0, 0], cell], np.float32)
        columns = int((grid[0][0, -1] - place[0]) / cell) + 1
        rows = int((grid[1][-1, 0] - place[1]) / cell) + 1
        column = ((grid[0] - place[0]) / cell).astype(np.intp)
        row = ((grid[1] - place[1]) / cell).astype(np.intp)
        at = ((row * columns + column) * _COLOURS + colours).ravel()
        counts = [
            np.bincount(at, weights.ravel(), rows * columns * _COLOURS)
            .astype(np.float32)
            .reshape(rows, columns, _BINS, _BINS, _BINS)
            for weights in (on, 1 - on)
        ]
        smooth_on, smooth_off = (_smooth(item) for item in counts)
        evidence = np.log((smooth_on + _DOUBT) / (smooth_off + _DOUBT))
        return cls(evidence.reshape(rows, columns, _COLOURS), place)

    def look_up(self, colours: NDArray[np.intp], x: Map, y: Map) -> Map:
        """Return the evidence of pixels that lay at x, y in the picture learnt from, (h, w)."""
        rows, columns, _ = self.evidence.shape
        column = np.clip((x - self.place[0]) / self.place[2] - 0.5, 0, columns - 1)
        row = np.clip((y - self.place[1]) / self.place[2] - 0.5, 0, rows - 1)
        left, top = column.astype(np.intp), row.astype(np.intp)
        right, below = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
        share_x, share_y = column - left, row - top
        flat = self.evidence.reshape(-1)

        def corner(r: NDArray[np.intp], c: NDArray[np.intp]) -> Map:
            return np.asarray(flat[(r * columns + c) * _COLOURS + colours], np.float32)

        upper = corner(top, left) * (1 - share_x) + corner(top, right) * share_x
        lower = corner(below, left) * (1 - share_x) + corner(below, right) * share_x
        return np.asarray(upper * (1 - share_y) + lower * share_y, np.float32)


def _smooth(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread counts to the neighbours in place and colour."""
    for axis in range(counts.ndim):
        moved = np.moveaxis(counts, axis, 0)
        out = moved / 2
        out[1:] += moved[:-1] / 4
        out[:-1] += moved[1:] / 4
        counts = np.asarray(np.moveaxis(out, 0, axis), np.float32)
    return np.ascontiguousarray(counts)
