"""The ways in which files in the style of COCO and YouTube-VIS write a mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from ..mask_rle import MAX_SIDE
from .metrics.mask_runs import TrackRuns, track_runs

_FORMS = "null, a run-length code with size and counts, or a list of polygons"


def runs_of_segmentations(
    segmentations: Sequence[object], height: int, width: int, *, only_compressed: bool = False
) -> TrackRuns:
    """Return the runs of a track as a file has it.

    Args:
        segmentations: one a frame: null or an empty list (the object is absent), a run-length code
            of `size` [height, width] and `counts` (a text, or a list of numbers), or a list of
            polygons, each a flat list of x and y in pixels.
        height: of the video, in pixels.
        width: of the video, in pixels.
        only_compressed: allow no other form than `counts` as a text, as results must be.

    Raises:
        ValueError: naming the first frame that cannot be read.
    """
    codes = []
    for frame, segmentation in enumerate(segmentations):
        try:
            codes.append(_code(segmentation, height, width, only_compressed))
        except ValueError as error:
            msg = f"the mask of frame {frame} cannot be read: {error}"
            raise ValueError(msg) from error
    return track_runs(codes, height, width)


def _code(segmentation: object, height: int, width: int, only_compressed: bool) -> bytes | None:
    """Return a mask as compressed run-length code, or None where there is none."""
    # Both mean "absent"; a code of area 0 is a mask that is empty.
    if segmentation is None or segmentation == []:
        return None
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        # pycocotools would merge such a pair to an empty mask without a word.
        if size != [height, width]:
            msg = f"its size is {size}, but the video's [height, width] is {[height, width]}"
            raise ValueError(msg)
        if isinstance(counts, str):
            # Every character is one byte; what cannot stand in a code is found when it is decoded.
            return counts.encode("latin-1")
        if not only_compressed and _is_whole_numbers(counts):
            return _compress(counts, height, width)
    elif isinstance(segmentation, list) and not only_compressed:
        return _fill(segmentation, height, width)
    allowed = "null or a run-length code with counts as text" if only_compressed else _FORMS
    msg = f"it must be {allowed}"
    raise ValueError(msg)


def _is_whole_numbers(counts: object) -> TypeGuard[list[int]]:
    return isinstance(counts, list) and all(
        isinstance(count, int) and 0 <= count <= MAX_SIDE**2 for count in counts
    )


def _compress(counts: list[int], height: int, width: int) -> bytes:
    from pycocotools import mask as coco

    if sum(counts) != height * width:
        msg = f"the runs cover {sum(counts)} pixels, but {width}x{height} has {height * width}"
        raise ValueError(msg)
    code: bytes = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)[
        "counts"
    ]
    return code


def _fill(polygons: list[object], height: int, width: int) -> bytes:
    from pycocotools import mask as coco

    if not all(map(_is_polygon, polygons)):
        msg = (
            "each polygon must be a list of x and y in turn, of at least three points within "
            f"{2 * MAX_SIDE} pixels of the corner"
        )
        raise ValueError(msg)
    codes = coco.frPyObjects(
        [np.asarray(it, np.float64).tolist() for it in polygons], height, width
    )
    # One object may have several polygons.
    merged: bytes = coco.merge(codes)["counts"]
    return merged


def _is_polygon(polygon: object) -> bool:
    # Far corners would make pycocotools take memory without end; four numbers would be a box.
    return (
        isinstance(polygon, list)
        and len(polygon) >= 6
        and len(polygon) % 2 == 0
        and all(
            isinstance(value, int | float) and math.isfinite(value) and abs(value) <= 2 * MAX_SIDE
            for value in polygon
        )
    )
