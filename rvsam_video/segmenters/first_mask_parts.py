"""Which parts of a first mask are kept, and which holes in it are filled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.crop import Map

_LARGE = 0.1
"""A part counts from this size on, in sizes of the largest part."""

_HOLE = 0.15
"""A hole up to this size is taken for a marking, in sizes of the object."""


def clicked_parts(mask: NDArray[np.bool_], on: Map) -> NDArray[np.bool_]:
    """Keep the parts of an (h, w) mask that hold one of the (N, 2) places x, y."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    kept = set(_at(np.asarray(parts, np.int32), on)) - {0}
    return np.isin(parts, list(kept))


def large_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest part of an (h, w) mask, and others of some size."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = (areas > 0) & (areas >= _LARGE * areas.max())
    return np.asarray(kept[parts], np.bool_)


def fill_holes(mask: NDArray[np.bool_], off: Map) -> NDArray[np.bool_]:
    """Fill small holes of an (h, w) mask, but none that holds one of the (M, 2) places x, y."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < _HOLE * mask.sum()
    small[list(set(_at(np.asarray(parts, np.int32), off)))] = False
    # Part 0 is the mask itself, and what touches the border may go on outside the picture.
    rim = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    small[rim] = False
    small[0] = True
    return np.asarray(small[parts], np.bool_)


def _at(parts: NDArray[np.int32], places: Map) -> list[int]:
    last = np.array(parts.shape[::-1]) - 1
    x, y = np.clip(np.round(places).astype(int), 0, last).T
    return [int(part) for part in parts[y, x]]
