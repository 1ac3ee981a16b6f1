"""The first mask of an object from clicks or a box alone, without weights.

A click does not say how large the object is. So it is grown from guesses of several sizes, and
the mask wins whose colours differ most from those around it, if its size is not far-fetched.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.crop import Crop, Map
from rvsam_video.segmenters.first_mask_colours import (
    PaletteMap,
    difference_from_ring,
    palette_map,
)
from rvsam_video.segmenters.first_mask_growth import Guess, grow
from rvsam_video.segmenters.first_mask_guesses import boxed_guesses, clicked_guesses, distance_to
from rvsam_video.segmenters.first_mask_parts import clicked_parts, fill_holes, large_parts

_MOST_PIXELS = 40_000
"""Pixels of the grid that a mask is sought in: 267 x 150 of a wide picture."""

_NEAR = 0.3
"""Where the palette is spent on around a click, in shorter sides of the picture."""

_USUAL_SHARE = 0.045
"""Share of the picture that a tracked object usually covers."""

_SIZE_WEIGHT = 0.08
"""What it costs a mask to be e (2.7) times as large or small as usual, of at most 1 for its
colours. With less, specks win: nothing stands out like a freckle from the skin around it."""

_BOX_WEIGHT = 1.0
"""What it gains a mask to fill its box from edge to edge."""

_BOX_MARGIN = 0.4
"""Surroundings of a box that are looked at, in its longer sides."""

Mask = NDArray[np.bool_]
"""(H, W) or (h, w) bool."""


def mask_from_clicks(image: Image, points: NDArray[np.float32], labels: NDArray[np.int8]) -> Mask:
    """Return the mask of the object that was clicked.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, 2) float32, x then y in pixels.
        labels: (N,) 1 for a point on the object, at least one; 0 for a point beside it.
    """
    size = (image.shape[1], image.shape[0])
    crop = Crop.around(np.array([0, 0, size[0] - 1, size[1] - 1.0]), size, 0.0, _MOST_PIXELS)
    places = crop.points(points)
    on, off = places[labels == 1], places[labels == 0]
    shape = (crop.height, crop.width)
    colours = palette_map(crop.take(image), distance_to(shape, on) < _NEAR * min(shape))

    def clean(mask: Mask) -> Mask:
        return fill_holes(clicked_parts(mask, on), off)

    mask = _best(colours, clicked_guesses(shape, on, off), clean, _merit)
    return crop.paste(mask.astype(np.float32), size, 0.0) > 0.5


def mask_from_box(
    image: Image, box: NDArray[np.float32], points: NDArray[np.float32], labels: NDArray[np.int8]
) -> Mask:
    """Return the mask of the object in a box.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (4,) float32 x0, y0, x1, y1 in pixels, corners included.
        points: (N, 2) float32, x then y in pixels; may be none.
        labels: (N,) 1 for a point on the object, 0 for a point beside it.
    """
    size = (image.shape[1], image.shape[0])
    margin = float(max((box[2:] - box[:2]).max() * _BOX_MARGIN, 8))
    crop = Crop.around(box.astype(np.float64), size, margin, _MOST_PIXELS)
    places, corners = crop.points(points), crop.points(box.reshape(2, 2))
    on, off = places[labels == 1], places[labels == 0]
    guesses = boxed_guesses((crop.height, crop.width), corners, on, off)
    colours = palette_map(crop.take(image), guesses[-1].reach < 1)

    def clean(mask: Mask) -> Mask:
        return fill_holes(large_parts(mask), off)

    def merit(colours: PaletteMap, mask: Mask) -> float:
        fills = _filling(mask, corners)
        return difference_from_ring(colours, mask) + _BOX_WEIGHT * fills

    mask = _best(colours, guesses, clean, merit)
    return crop.paste(mask.astype(np.float32), size, 0.0) > 0.5


def _best(
    colours: PaletteMap,
    guesses: list[Guess],
    clean: Callable[[Mask], Mask],
    merit: Callable[[PaletteMap, Mask], float],
) -> Mask:
    masks = [clean(grow(colours, guess)) for guess in guesses]
    merits = [merit(colours, mask) if mask.any() else -np.inf for mask in masks]
    return masks[int(np.argmax(merits))]


def _merit(colours: PaletteMap, mask: Mask) -> float:
    oddity = np.log(mask.mean() / _USUAL_SHARE)
    return difference_from_ring(colours, mask) - _SIZE_WEIGHT * float(oddity) ** 2


def _filling(mask: Mask, corners: Map) -> float:
    """How much of a box ((x0, y0), (x1, y1)) the bounding box of a mask takes up, 0 to 1."""
    _, _, width, height = cv2.boundingRect(mask.astype(np.uint8))
    across, down = corners[1] - corners[0] + 1
    return float(min(1.0, width / across) * min(1.0, height / down))
