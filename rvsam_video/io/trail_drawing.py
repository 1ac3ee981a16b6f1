"""Points tracked for themselves, drawn with the way they came: each in a colour of its own."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.io.colours import point_colour
from rvsam_video.results import PointState, PointTable

_SUBPIXEL_BITS = 4
"""OpenCV takes fixed-point coordinates; 1/16 pixel keeps slow points from jumping."""

_LARGEST, _SMALLEST = 4.0, 1.5
"""Radii of dots in pixels of a picture of 480 lines: few points are large, thousands small."""

_SHARE = 0.12
"""Radius as a share of the mean distance between points, so that a full grid leaves gaps."""


def draw_trails(
    canvas: Image, points: PointTable, trails: NDArray[np.float32], scale: float
) -> None:
    """Draw trails and points onto a picture: seen ones filled, hidden ones hollow.

    Args:
        canvas: (H, W, 3) uint8, RGB; is drawn on.
        points: N points of this frame.
        trails: (N, L, 2) float32, places of the last L frames, NaN where a point was not seen.
        scale: stroke width relative to a picture of 480 lines.
    """
    stroke = max(1, round(scale))
    for number, trail in zip(points.ids.tolist(), trails, strict=True):
        for way in _unbroken(trail):
            fixed = np.rint(way * (1 << _SUBPIXEL_BITS)).astype(np.int32)
            colour = point_colour(number)
            cv2.polylines(canvas, [fixed], False, colour, stroke, cv2.LINE_AA, _SUBPIXEL_BITS)
    spacing = float(np.sqrt(canvas.shape[0] * canvas.shape[1] / max(len(points), 1)))
    radius = min(max(_SHARE * spacing, _SMALLEST * scale), _LARGEST * scale)
    for row in np.flatnonzero(points.states == PointState.HIDDEN).tolist():
        _circle(canvas, points, row, radius, stroke)
    for row in np.flatnonzero(points.visible).tolist():
        _circle(canvas, points, row, radius, cv2.FILLED)


def _unbroken(trail: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield the stretches of at least two frames in which a point was seen throughout."""
    seen = np.isfinite(trail[:, 0])
    breaks = np.flatnonzero(seen[1:] != seen[:-1]) + 1
    for way in np.split(trail, breaks):
        if len(way) > 1 and np.isfinite(way[0, 0]):
            yield way


def _circle(canvas: Image, points: PointTable, row: int, radius: float, thickness: int) -> None:
    x, y = (round(float(value) * (1 << _SUBPIXEL_BITS)) for value in points.xy[row])
    size = round(radius * (1 << _SUBPIXEL_BITS))
    colour = point_colour(int(points.ids[row]))
    cv2.circle(canvas, (x, y), size, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
