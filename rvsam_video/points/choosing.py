"""Query points from a mask: by k-medoids, Shi-Tomasi corners, at random, or a mix.

The methods are those of SAM-PT (its `query_points` module). `select_points` repairs what is odd
there; `select_points_sam_pt` keeps it, to reproduce published numbers:

| | `select_points` | `select_points_sam_pt` |
|---|---|---|
| mask without pixels | no points | `count` points (0, 0) |
| fewer pixels than `count` | every pixel once | pixels repeated up to `count` |
| mixed | all different | parts may hold the same pixel |
| eroding square of even side, or 0 | one pixel smaller; none | lopsided; 3x3 |
| k-medoids | of 1000 pixels: 16 take about 15 ms | of 1800 or 2000 pixels: about 0.1 s |

Points are pixels of the mask, never between them. All randomness comes from the generator that
the caller passes, so that one object's points do not depend on another's; see `object_rng`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame, Image
from rvsam_video.points.kmedoids import kmedoids
from rvsam_video.settings import PointSelection, SegmentationSettings

_Mask = NDArray[np.bool_]
Points = NDArray[np.float32]

EROSION_SHARES = (0.06, 0.02, 0.01)
"""Sides of the eroding square, tried in turn, as shares of the mask's diagonal (SAM-PT)."""

MIN_ERODED_PIXELS = 10
"""An eroded mask with fewer pixels is given up for a weaker erosion (SAM-PT)."""

CORNER_QUALITY = 0.001
"""Weakest corner kept, as a share of the strongest one's score (SAM-PT)."""

CORNER_BLOCK = 3
"""Side of the neighbourhood, and of the gradient filter, of the corner score (SAM-PT)."""


class Selection(Protocol):
    """What `select_points` and `select_points_sam_pt` have in common."""

    def __call__(
        self,
        mask: _Mask,
        count: int,
        method: PointSelection,
        *,
        image: Image | None = None,
        rng: np.random.Generator,
    ) -> Points:
        """Choose `count` points from a mask."""


@dataclass(frozen=True, slots=True)
class _Manner:
    """What the two ways of choosing points differ in.

    The first two are random pixels of a mask that are clustered; the cost rises with the square.
    """

    kmedoids: int
    corner_fill: int
    sam_pt: bool


_QUICK = _Manner(1000, 1000, sam_pt=False)
# 1800 and, to fill up missing corners, 2000 pixels, as SAM-PT.
_SAM_PT = _Manner(1800, 2000, sam_pt=True)


def object_rng(seed: int, object_id: int, frame: int) -> np.random.Generator:
    """Return the random generator of an object in a frame: the same whatever else is tracked."""
    return np.random.default_rng((seed, object_id, frame))


def select_points(
    mask: _Mask,
    count: int,
    method: PointSelection,
    *,
    image: Image | None = None,
    rng: np.random.Generator,
) -> Points:
    """Choose `count` different pixels of a mask, or all if it has fewer.

    Args:
        mask: (H, W) bool.
        count: number of points, 0 or more.
        method: "kmedoids" spreads them evenly, "shi-tomasi" takes the strongest corners, "random"
            is uniform, "mixed" takes a quarter, a third and the rest of each.
        image: (H, W, 3) uint8 RGB, the frame of the mask; needed for corners.
        rng: source of randomness.

    Returns:
        (N, 2) float32, x then y, N = min(count, pixels of the mask).

    Raises:
        UsageError: if the method is unknown, or corners are asked for without their picture.
    """
    pixels = np.flatnonzero(mask)
    count = min(count, len(pixels))
    if count == 0:
        return np.zeros((0, 2), np.float32)
    chosen = _flat(_method(method)(mask, count, image, rng, _QUICK), mask)
    _, first = np.unique(chosen, return_index=True)
    chosen = chosen[np.sort(first)]
    if len(chosen) < count:
        left = np.setdiff1d(pixels, chosen, assume_unique=True)
        extra = rng.choice(left, count - len(chosen), replace=False)
        chosen = np.concatenate([chosen, extra])
    return _xy(chosen, mask)


def select_points_sam_pt(
    mask: _Mask,
    count: int,
    method: PointSelection,
    *,
    image: Image | None = None,
    rng: np.random.Generator,
) -> Points:
    """Choose points to the letter of SAM-PT, oddities included; see the head of this module.

    Takes the same arguments as `select_points`.

    Returns:
        (count, 2) float32, x then y.

    Raises:
        UsageError: if the method is unknown, or corners are asked for without their picture.
    """
    if count == 0 or not mask.any():
        return np.zeros((count, 2), np.float32)
    return _method(method)(mask, count, image, rng, _SAM_PT)


def query_points_of_mask(
    mask: _Mask,
    *,
    positive: int,
    negative: int,
    method: PointSelection = "kmedoids",
    negative_method: PointSelection = "mixed",
    image: Image | None = None,
    rng: np.random.Generator,
    select: Selection = select_points,
) -> tuple[Points, NDArray[np.int8]]:
    """Choose points on an object, then points off it, anywhere in the rest of the picture.

    Args:
        mask: (H, W) bool, the object.
        positive: number of points on it.
        negative: number of points off it.
        method: for the points on it, as for `select_points`.
        negative_method: for the points off it.
        image: (H, W, 3) uint8 RGB, the frame of the mask; needed for corners.
        rng: source of randomness.
        select: `select_points`, or `select_points_sam_pt`.

    Returns:
        (N, 2) float32 x, y and (N,) int8 labels, 1 on the object, 0 off it.

    Raises:
        UsageError: if the method is unknown, or corners are asked for without their picture.
    """
    inside = select(mask, positive, method, image=image, rng=rng)
    outside = select(mask == 0, negative, negative_method, image=image, rng=rng)
    labels = np.repeat(np.array([1, 0], np.int8), [len(inside), len(outside)])
    return np.concatenate([inside, outside]), labels


def mixed_split(count: int) -> tuple[int, int, int]:
    """Return how many of `count` mixed points are k-medoids, corners and random."""
    medoids, corners = count // 4, count // 3
    return medoids, corners, count - medoids - corners


def erode(mask: _Mask, share: float, *, sam_pt: bool = False) -> _Mask:
    """Shrink a mask by a square whose side is a share of the mask's diagonal, rounded down.

    The side is rounded down to an odd number, and a side of 0 or 1 changes nothing. In SAM-PT 0
    erodes by 3x3, and an even side takes one pixel more from the top and left than from the bottom
    and right. The frame's edge does not erode.

    Args:
        mask: (H, W) bool with at least one pixel.
        share: of the diagonal of the mask's bounding box.
        sam_pt: do as SAM-PT.
    """
    import cv2

    side = int(share * diagonal(mask))
    if not sam_pt:
        side = max(1, side - (side % 2 == 0))
    square = np.ones((side or 3, side or 3), np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), square), np.bool_)


def diagonal(mask: _Mask) -> float:
    """Return the diagonal, in pixels, of a mask's bounding box, from pixel centre to pixel centre.

    Rounded to float32 as in SAM-PT: it decides whether two corners are too close.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return float(np.float32(np.hypot(rows[-1] - rows[0], columns[-1] - columns[0])))


def shi_tomasi(mask: _Mask, image: Image, count: int, *, sam_pt: bool = False) -> Points:
    """Return up to `count` corners inside a mask, away from its edge, strongest first.

    Source: section "Shi-Tomasi" of SAM-PT's query points; the detector is OpenCV's.

    Args:
        mask: (H, W) bool with at least one pixel.
        image: (H, W, 3) uint8 RGB.
        count: 1 or more.
        sam_pt: erode the mask as SAM-PT.

    Returns:
        (N, 2) float32, x then y, N from 0 to `count`.
    """
    import cv2

    inside = mask
    for share in EROSION_SHARES:
        eroded = erode(mask, share, sam_pt=sam_pt)
        if np.count_nonzero(eroded) >= MIN_ERODED_PIXELS:
            inside = eroded
            break
    corners = cv2.goodFeaturesToTrack(
        cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY),
        count,
        CORNER_QUALITY,
        diagonal(inside) / count,
        mask=inside.astype(np.uint8),
        blockSize=CORNER_BLOCK,
        gradientSize=CORNER_BLOCK,
    )
    # None if there is no corner at all.
    return np.asarray([] if corners is None else corners, np.float32).reshape(-1, 2)


def _random(
    mask: _Mask, count: int, _image: Image | None, rng: np.random.Generator, _manner: _Manner
) -> Points:
    pixels = np.flatnonzero(mask)
    if len(pixels) < count:
        return _repeated(pixels, count, mask)
    return _xy(rng.choice(pixels, count, replace=False), mask)


def _spread(
    mask: _Mask, count: int, _image: Image | None, rng: np.random.Generator, manner: _Manner
) -> Points:
    return _medoids(mask, count, rng, manner.kmedoids)


def _corners(
    mask: _Mask, count: int, image: Image | None, rng: np.random.Generator, manner: _Manner
) -> Points:
    if image is None or image.shape[:2] != mask.shape:
        found = "no picture" if image is None else f"a picture of shape {image.shape}"
        msg = (
            f"corners were asked for with {found}; they need the (H, W, 3) frame "
            f"of the mask, {mask.shape[0]}x{mask.shape[1]}"
        )
        raise UsageError(msg)
    corners = shi_tomasi(mask, image, count, sam_pt=manner.sam_pt)
    missing = count - len(corners)
    if not missing:
        return corners
    return np.concatenate([corners, _medoids(mask, missing, rng, manner.corner_fill)])


def _mixed(
    mask: _Mask, count: int, image: Image | None, rng: np.random.Generator, manner: _Manner
) -> Points:
    methods = (_spread, _corners, _random)
    parts = [
        method(mask, share, image, rng, manner)
        for method, share in zip(methods, mixed_split(count), strict=True)
        if share
    ]
    return np.concatenate(parts)


_Method = Callable[[_Mask, int, Image | None, np.random.Generator, _Manner], Points]

_METHODS: dict[str, _Method] = {
    "kmedoids": _spread,
    "shi-tomasi": _corners,
    "random": _random,
    "mixed": _mixed,
}


def _method(name: str) -> _Method:
    if name not in _METHODS:
        msg = f"there is no point selection named {name!r}; choose one of: {', '.join(_METHODS)}"
        raise UsageError(msg)
    return _METHODS[name]


def _medoids(mask: _Mask, count: int, rng: np.random.Generator, sample: int) -> Points:
    pixels = np.flatnonzero(mask)
    if len(pixels) < count:
        return _repeated(pixels, count, mask)
    # The clustering must be able to return as many points as were asked for.
    size = min(max(sample, count), len(pixels))
    points = _xy(rng.choice(pixels, size, replace=False), mask)
    return points[kmedoids(points, count).medoids]


def _repeated(pixels: NDArray[np.int64], count: int, mask: _Mask) -> Points:
    return _xy(np.resize(pixels, count), mask)


def _xy(pixels: NDArray[np.int64], mask: _Mask) -> Points:
    """Turn row-major pixel numbers into (N, 2) x, y."""
    rows, columns = np.divmod(pixels, mask.shape[1])
    return np.stack([columns, rows], axis=1).astype(np.float32)


def _flat(points: Points, mask: _Mask) -> NDArray[np.int64]:
    """Turn (N, 2) x, y of pixels into their row-major numbers."""
    columns, rows = points.astype(np.int64).T
    return np.asarray(rows * mask.shape[1] + columns)


def chosen_points(
    object_id: int, mask: NDArray[np.bool_], frame: Frame, settings: SegmentationSettings
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Choose points inside and outside a mask.

    Args:
        object_id: gives the object random numbers of its own.
        mask: (H, W) bool.
        frame: that the mask belongs to.
        settings: how many points, how they are chosen, and the seed.

    Returns:
        (N, 2) float32 x, y in pixels, and (N,) int8, 1 inside and 0 outside.
    """
    return query_points_of_mask(
        mask,
        positive=settings.positive_points,
        negative=settings.negative_points,
        method=settings.point_selection,
        negative_method=settings.negative_selection,
        image=frame.image,
        rng=object_rng(settings.seed, object_id, frame.index),
        select=select_points_sam_pt if settings.sam_pt_exact else select_points,
    )
