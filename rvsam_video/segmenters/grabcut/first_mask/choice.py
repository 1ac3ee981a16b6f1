"""The first mask of an object from clicks or a box alone, without weights.

A click does not say how large the object is. So masks are grown from guesses of several sizes in
several views of the picture, and ranked; what the better ones agree on is the mask, and the best
unlike ones are its alternatives. In a box, the own mask is held against plain GrabCut's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.first_mask.colours import (
    PaletteMap,
    difference_from_ring,
    palette_map,
)
from rvsam_video.segmenters.grabcut.first_mask.growth import grow
from rvsam_video.segmenters.grabcut.first_mask.guesses import boxed_guesses, distance_to
from rvsam_video.segmenters.grabcut.first_mask.hypotheses import Hypotheses, hypotheses
from rvsam_video.segmenters.grabcut.first_mask.plain import plain_masks
from rvsam_video.segmenters.grabcut.first_mask.ranking import USUAL_SHARE, overlaps, vote
from rvsam_video.segmenters.grabcut.first_mask.sharpening import (
    clicked_parts,
    fill_holes,
    large_parts,
    sharpen,
)
from rvsam_video.segmenters.grabcut.first_mask.views import LearnedMaps, colour_gradient
from rvsam_video.segmenters.grabcut.first_mask.weights import CLICKED, CLICKED_WITH_FEATURES

_MOST_PIXELS = 40_000
"""Pixels of the grid that a mask is sought in within a box."""

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

_BOX_SCORE = 0.8
"""Score of a mask from a box and points: what such masks are worth on average."""

_EXTENT_WEIGHT, _FILL_WEIGHT, _EDGE_WEIGHT = 2.0, 0.5, 0.3
"""What counts between masks of a box, beside the difference of colours: that they reach its sides,
fill it, and end at edges. That they reach its sides counts most: a collapse does not."""

_LEAST_EDGE = 0.1
"""Of the box's mean: below this, edges are noise."""

_AGREED = (0.25, 0.6)
"""From how far three masks of a box agree to the IoU of the one chosen: offset and slope."""

_VOTED = 0.07
"""By how much the mask that most of the better ones hold is better than the one most like it."""

_ALTERNATIVES = 3
"""Masks that are offered, as SAM does."""

_UNLIKE = 0.75
"""IoU from which on two masks count as the same answer."""

_Mask = NDArray[np.bool_]
"""(H, W) or (h, w) bool."""

_Merit = Callable[[_Mask], float]
"""How likely a mask of the grid is an object, the higher the likelier."""


@dataclass(frozen=True, slots=True, eq=False)
class FirstMask:
    """A mask that a prompt may mean.

    Attributes:
        mask: (H, W) bool.
        score: its estimated intersection over union with the truth, in [0, 1].
    """

    mask: _Mask
    score: float


def masks_from_clicks(
    image: Image,
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
    features: LearnedMaps | None = None,
    most: int = _ALTERNATIVES,
) -> list[FirstMask]:
    """Return what a click may mean, the likeliest first: 1 to `most` masks that are unlike.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (N, 2) float32, x then y in pixels.
        labels: (N,) 1 for a point on the object, at least one; 0 for a point beside it.
        features: learned ones of the picture, or None.
        most: how many are wanted.
    """
    found = hypotheses(image, points, labels, features)
    shape = found.masks.shape[1:]
    # Compared in pixels of the grid: the same for every size of picture.
    denied = distance_to(shape, found.off) < np.minimum(_AROUND_CLICK, distance_to(shape, found.on))
    against = np.array([_SWALLOWED_WEIGHT * _share(mask, denied) for mask in found.masks])
    weights = CLICKED if features is None else CLICKED_WITH_FEATURES
    estimates = weights.estimate(found.figures())
    ranks = estimates - against
    agreed = fill_holes(clicked_parts(vote(found.masks, ranks), found.on), found.off)
    order = np.argsort(-ranks, kind="stable")
    # Where nothing is held by most, no mask speaks for all: the best one counts.
    first = agreed if agreed.any() else found.masks[order[0]]
    # As a voter it was not there: what it is worth is what those say that it is made of.
    alike = overlaps(np.concatenate([first[None], found.masks]))[0, 1:]
    score = min(float(estimates[int(alike.argmax())]) + _VOTED, 1.0)
    chosen = [(first, score)]
    for index in order:
        mask = found.masks[index]
        others = overlaps(np.stack([mask, *(item for item, _ in chosen)]))[0, 1:]
        if len(chosen) < most and float(others.max()) < _UNLIKE:
            chosen.append((mask, float(estimates[index])))
    return [
        FirstMask(_sharpened(image, found, mask, points, labels, denied), score)
        for mask, score in chosen
    ]


def mask_from_clicks(
    image: Image,
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
    features: LearnedMaps | None = None,
) -> FirstMask:
    """Return the mask that a click means most likely; arguments as of `masks_from_clicks`."""
    return masks_from_clicks(image, points, labels, features, most=1)[0]


def _sharpened(
    image: Image,
    found: Hypotheses,
    mask: _Mask,
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
    denied: _Mask,
) -> _Mask:
    colours = found.views[0]

    def merit(mask: _Mask) -> float:
        # Squared logs: twice as large costs as much as half as large, and the usual range little.
        oddity = float(np.log(mask.mean() / USUAL_SHARE))
        against = _SIZE_WEIGHT * oddity**2 + _SWALLOWED_WEIGHT * _share(mask, denied)
        return difference_from_ring(colours, mask) - against

    anywhere = np.ones(image.shape[:2], np.bool_)
    return _finish(image, found.crop, [mask], merit, anywhere, points, labels, _CLICK_SLACK)


def mask_from_box(
    image: Image, box: NDArray[np.float32], points: NDArray[np.float32], labels: NDArray[np.int8]
) -> FirstMask:
    """Return the mask of the object in a box: the own one, plain GrabCut's, or what most hold.

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
    own = _finish(image, crop, masks, merit, inside, points, labels, _BOX_SLACK)
    # Those know nothing of points: a person who gave some has chosen among all masks already.
    if len(points):
        return FirstMask(own, _BOX_SCORE)
    return _best_in_box(image, crop, colours, corners, [own, *plain_masks(image, box)])


def _best_in_box(
    image: Image, crop: Crop, colours: PaletteMap, corners: Map, masks: list[_Mask]
) -> FirstMask:
    """Choose between three masks of a box and what two of them hold.

    Args:
        image: (H, W, 3) uint8 RGB.
        crop: of the box and its surroundings.
        colours: of that crop.
        corners: (2, 2) of the box in the crop's grid.
        masks: three of (H, W); any may be empty.
    """
    masks = [*masks, np.sum(masks, axis=0) >= 2]
    edges = colour_gradient(crop.take(image))
    (x0, y0), (x1, y1) = np.floor(corners + 0.5).astype(int)
    window = slice(max(y0, 0), y1 + 1), slice(max(x0, 0), x1 + 1)
    usual = max(float(edges[window].mean()), 1e-6)

    def merit(mask: _Mask) -> float:
        small = crop.take_map(mask.astype(np.float32)) > 0.5
        if not small.any():
            return -np.inf
        binary = small.astype(np.uint8)
        _, _, *extent = cv2.boundingRect(binary)
        filled = float(np.minimum(1, extent / (corners[1] - corners[0] + 1)).prod())
        rim = cv2.morphologyEx(binary, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        edge = float(np.log(edges[rim].mean() / usual + _LEAST_EDGE)) if rim.any() else 0.0
        return (
            difference_from_ring(colours, small)
            + _EXTENT_WEIGHT * filled
            + _FILL_WEIGHT * float(small[window].mean())
            + _EDGE_WEIGHT * edge
        )

    merits = [merit(mask) for mask in masks]
    best = int(np.argmax(merits))
    # If all are empty there is nothing to compare, and the own one is as good as any.
    if not masks[best].any():
        return FirstMask(masks[0], 0.0)
    alike = [region for region in masks[:3] if region.any()]
    agreed = overlaps(np.stack([masks[best], *alike]))[0, 1:].mean()
    return FirstMask(masks[best], float(_AGREED[0] + _AGREED[1] * agreed))


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
