"""Hypotheses: all that one object may be, grown from guesses of many sizes in several views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.first_mask.colours import PaletteMap
from rvsam_video.segmenters.grabcut.first_mask.growth import grow
from rvsam_video.segmenters.grabcut.first_mask.guesses import clicked_guesses, distance_to
from rvsam_video.segmenters.grabcut.first_mask.ranking import describe
from rvsam_video.segmenters.grabcut.first_mask.sharpening import clicked_parts, fill_holes
from rvsam_video.segmenters.grabcut.first_mask.views import LearnedMaps, colour_gradient, views_of

_MOST_PIXELS = 40_000
"""Pixels of the grid that a mask is sought in: 267 x 150 of a wide picture."""

_NEAR = 0.3
"""Where half of a view's kinds are spent around a click, in shorter sides of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """What a click may mean.

    Attributes:
        crop: the whole picture as a grid.
        on: (N, 2) x, y of the grid that were clicked on the object.
        off: (M, 2) the same beside it.
        views: the first of them by colours.
        edges: (h, w) gradient of the grid.
        masks: (m, h, w) bool, none empty, at least one.
        families: (m,) the view each was grown in.
    """

    crop: Crop
    on: Map
    off: Map
    views: list[PaletteMap]
    edges: Map
    masks: NDArray[np.bool_]
    families: NDArray[np.intp]

    def figures(self) -> NDArray[np.float64]:
        """Return (m, n) what the masks are ranked by."""
        return describe(self.masks, self.families, self.views, self.edges)


def hypotheses(
    image: Image,
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
    features: LearnedMaps | None = None,
) -> Hypotheses:
    """Grow masks from clicks.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, 2) float32, x then y in pixels.
        labels: (N,) 1 for a point on the object, at least one; 0 for a point beside it.
        features: learned ones of the picture, or None.
    """
    size = (image.shape[1], image.shape[0])
    crop = Crop.around(np.array([0, 0, size[0] - 1, size[1] - 1.0]), size, 0.0, _MOST_PIXELS)
    places = crop.points(points)
    on, off = places[labels == 1], places[labels == 0]
    shape = (crop.height, crop.width)
    # The same views for all guesses: their masks are compared with each other.
    views = views_of(image, crop, distance_to(shape, on) < _NEAR * min(shape), features)
    guesses = clicked_guesses(shape, on, off)
    masks, families = [], []
    for family, view in enumerate(views):
        for guess in guesses:
            # Parts that no click is in are other things of the same kind.
            mask = fill_holes(clicked_parts(grow(view, guess), on), off)
            if mask.any():
                masks.append(mask)
                families.append(family)
    if not masks:
        # Clicks so close to others that nothing could grow: they themselves.
        masks, families = [distance_to(shape, on) < 1], [0]
    return Hypotheses(
        crop, on, off, views, colour_gradient(crop.take(image)), np.stack(masks), np.array(families)
    )
