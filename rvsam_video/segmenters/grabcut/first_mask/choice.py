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
from rvsam_video.segmenters.grabcut.crop import Crop
from rvsam_video.segmenters.grabcut.first_mask.colours import difference_from_ring, palette_map
from rvsam_video.segmenters.grabcut.first_mask.growth import grow
from rvsam_video.segmenters.grabcut.first_mask.guesses import (
    boxed_guesses,
    clicked_guesses,
    distance_to,
)
from rvsam_video.segmenters.grabcut.first_mask.sharpening import (
    clicked_parts,
    fill_holes,
    large_parts,
    sharpen,
)

_MOST_PIXELS = 40_000
"""Pixels of the grid that a mask is sought in: 267 x 150 of a wide picture."""

_NEAR = 0.3
"""Where the palette is spent on around a click, in shorter sides of the picture."""

_USUAL_SHARE = 0.045
"""Share of the picture that a tracked object usually covers."""

_SIZE_WEIGHT = 0.08
"""What it costs a mask to be e (2.7) times as large or small as usual, of at most 1 for its
colours. With less, specks win: nothing stands out like a freckle from the skin around it."""

_SWALLOWED_WEIGHT = 1.0
"""What it costs a mask to close around the clicks beside the object: as much as its colours can
win, since a person has said that this is not it."""

_AROUND_CLICK = 6.0
"""Pixels of the grid around a click beside the object in which a mask counts as closing in."""

_BOX_MARGIN = 0.4
"""Surroundings of a box that are looked at, in its longer sides."""

_CLICK_SLACK = 0.1
"""How much less merit a sharpened mask may have; with still less, sharpening lost the object."""

_BOX_SLACK = 0.8
"""The same in a box. It says where the object is, so only a collapse is refused."""

_Mask = NDArray[np.bool_]
"""(H, W) or (h, w) bool."""

_Merit = Callable[[_Mask], float]
"""How likely a mask of the grid is an object, the higher the likelier."""


def mask_from_clicks(image: Image, points: NDArray[np.float32], labels: NDArray[np.int8]) -> _Mask:
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
    # One palette for all guesses: their merits are compared with each other.
    colours = palette_map(crop.take(image), distance_to(shape, on) < _NEAR * min(shape))
    grown = [grow(colours, guess) for guess in clicked_guesses(shape, on, off)]
    # Parts that no click is in are other things of the same colour.
    masks = [fill_holes(clicked_parts(mask, on), off) for mask in grown]
    denied = distance_to(shape, off) < np.minimum(_AROUND_CLICK, distance_to(shape, on))

    def merit(mask: _Mask) -> float:
        # Squared logs: twice as large costs as much as half as large, and the usual range little.
        oddity = float(np.log(mask.mean() / _USUAL_SHARE))
        against = _SIZE_WEIGHT * oddity**2 + _SWALLOWED_WEIGHT * _share(mask, denied)
        return difference_from_ring(colours, mask) - against

    anywhere = np.ones(image.shape[:2], np.bool_)
    return _finish(image, crop, masks, merit, anywhere, points, labels, _CLICK_SLACK)


def mask_from_box(
    image: Image, box: NDArray[np.float32], points: NDArray[np.float32], labels: NDArray[np.int8]
) -> _Mask:
    """Return the mask of the object in a box.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (4,) float32 x0, y0, x1, y1 in pixels, corners included.
        points: (N, 2) float32, x then y in pixels; may be none.
        labels: (N,) 1 for a point on the object, 0 for a point beside it.
    """
    margin = float(max((box[2:] - box[:2]).max() * _BOX_MARGIN, 8))
    size = (image.shape[1], image.shape[0])
    crop = Crop.around(box.astype(np.float64), size, margin, _MOST_PIXELS)
    places, corners = crop.points(points), crop.points(box.reshape(2, 2))
    on, off = places[labels == 1], places[labels == 0]
    guesses = boxed_guesses((crop.height, crop.width), corners, on, off)
    # Within the largest ellipse is where the object may be.
    colours = palette_map(crop.take(image), guesses[-1].reach < 1)
    masks = [fill_holes(large_parts(grow(colours, guess)), off) for guess in guesses]
    shape = (crop.height, crop.width)
    denied = distance_to(shape, off) < np.minimum(_AROUND_CLICK, distance_to(shape, on))

    def merit(mask: _Mask) -> float:
        _, _, *extent = cv2.boundingRect(mask.astype(np.uint8))
        # A person draws a box around all of an object: a mask that leaves a side empty missed a
        # part.
        filled = np.minimum(1, extent / (corners[1] - corners[0] + 1)).prod()
        against = _SWALLOWED_WEIGHT * _share(mask, denied)
        return difference_from_ring(colours, mask) + float(filled) - against

    # Rounded outwards: a pixel that the box touches may belong to the object.
    (x0, y0), (x1, y1) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
    inside = np.zeros(image.shape[:2], np.bool_)
    inside[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
    return _finish(image, crop, masks, merit, inside, points, labels, _BOX_SLACK)


def _share(mask: _Mask, region: _Mask) -> float:
    """Share of a region that a mask covers; 0 of an empty one."""
    return float(mask[region].mean()) if region.any() else 0.0


def _finish(
    image: Image,
    crop: Crop,
    masks: list[_Mask],
    merit: _Merit,
    allowed: _Mask,
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
    slack: float,
) -> _Mask:
    """Choose the best of the masks of the grid, and sharpen it if that does it good."""
    # Ties go to the smaller guess, which comes first.
    merits = [merit(mask) if mask.any() else -np.inf for mask in masks]
    best = int(np.argmax(merits))
    whole = crop.paste(masks[best].astype(np.float32), allowed.shape[::-1], 0.0) > 0.5
    if not whole.any():
        return whole
    sharp = sharpen(image, whole, allowed, points, labels)
    # Judged on the grid, where the merits of the others were measured.
    seen = crop.take_map(sharp.astype(np.float32)) > 0.5
    return sharp if seen.any() and merit(seen) >= merits[best] - slack else whole
