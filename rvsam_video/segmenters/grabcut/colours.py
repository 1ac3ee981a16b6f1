"""Colour models: how much likelier a colour is on an object than around it, here or anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Map

Histogram = NDArray[np.float32]

_LIGHTNESS_BINS = 16
_CHROMA_BINS = 16
_CHROMA_LOW, _CHROMA_HIGH = 80, 176
"""Lab's a and b of nearly all pixels of natural pictures lie here; the rest goes to the outer
bins. Over the full range of 256 most bins would stay empty."""

_COLOURS = _LIGHTNESS_BINS * _CHROMA_BINS**2

_UNSEEN = 2e-4
"""Probability of a colour never seen, on either side: about that of one bin in 4096, so that a
colour unknown to both sides speaks for neither."""


def colour_indices(lab: Image) -> NDArray[np.intp]:
    """Return for each pixel of an (h, w, 3) Lab picture the bin of its colour, (h, w) int."""
    lightness = _LIGHTNESS_TABLE[lab[..., 0]]
    return np.asarray(lightness + _A_TABLE[lab[..., 1]] + _B_TABLE[lab[..., 2]], np.intp)


def _chroma_bins() -> NDArray[np.intp]:
    share = (np.arange(256) - _CHROMA_LOW) / (_CHROMA_HIGH - _CHROMA_LOW)
    return np.clip((share * _CHROMA_BINS).astype(np.intp), 0, _CHROMA_BINS - 1)


# Tables, since every pixel of a crop is looked up; lightness slow, then a, then b.
_LIGHTNESS_TABLE = np.arange(256) * _LIGHTNESS_BINS // 256 * _CHROMA_BINS**2
_A_TABLE = _chroma_bins() * _CHROMA_BINS
_B_TABLE = _chroma_bins()


@dataclass(frozen=True, slots=True, eq=False)
class ColourModel:
    """The colours of an object and of what surrounds it.

    Attributes:
        on: (bins,) float32, share of the object's pixels with each colour.
        off: (bins,) float32, the same around it.
    """

    on: Histogram
    off: Histogram

    @classmethod
    def learn(cls, colours: NDArray[np.intp], on: Map, off: Map) -> ColourModel:
        """Count colours; `on` and `off` weigh each pixel, (h, w) float32."""
        return cls(*(_shares(colours, weights) for weights in (on, off)))

    def blend(self, other: ColourModel, rate: float) -> ColourModel:
        """Return this model moved towards another by a share of `rate`."""
        pairs = ((self.on, other.on), (self.off, other.off))
        return ColourModel(*((a + np.float32(rate) * (b - a)) for a, b in pairs))

    def evidence(self) -> Histogram:
        """Return (bins,) float32: log of how much likelier each colour is on the object."""
        return np.asarray(np.log((self.on + _UNSEEN) / (self.off + _UNSEEN)), np.float32)


def _shares(colours: NDArray[np.intp], weights: Map) -> Histogram:
    # (L, a, b): blurred along each, so that a shade seen once also speaks for its neighbours.
    counts = np.bincount(colours.ravel(), weights.ravel(), _COLOURS).astype(np.float32)
    cube = counts.reshape(_LIGHTNESS_BINS, _CHROMA_BINS, _CHROMA_BINS)
    for axis in range(3):
        cube = _smooth(cube, axis)
    # At least 1: shares of less than a pixel would make a histogram out of noise.
    return np.asarray(cube.ravel() / max(float(cube.sum()), 1.0), np.float32)


def _smooth(cube: NDArray[Any], axis: int) -> NDArray[Any]:
    """Spread a quarter of every bin to each neighbour along an axis; a shade lies in both."""
    cube = np.moveaxis(cube, axis, 0)
    out = cube / 2
    out[1:] += cube[:-1] / 4
    out[:-1] += cube[1:] / 4
    return np.moveaxis(out, 0, axis)
