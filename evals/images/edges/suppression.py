"""Making edges thin: only pixels stay that are the strongest across their edge.

The directions and the suppression are those of OpenCV's structured edge detection, bit by bit,
which public evaluations of edges use. Source: Dollar and Zitnick, "Structured forests for fast edge
detection", ICCV 2013, section 4.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_RADIUS = 4
"""Of the triangle filter that directions are taken after."""

_TINY = 1e-5
"""Keeps the slope finite where nothing bends."""

EdgeMap = NDArray[np.float32]


def orientations(edges: EdgeMap) -> EdgeMap:
    """Return the direction across the edge at every pixel.

    First derivatives vanish on the crest of a line, so the second ones say how it runs.

    Args:
        edges: (H, W) float32.

    Returns:
        (H, W) float32 in radians, 0 to pi.
    """
    rising = np.arange(1, _RADIUS + 2)
    weights = np.concatenate([rising, rising[-2::-1]]).astype(np.float32)
    weights /= np.float32((_RADIUS + 1) ** 2)
    smooth = cv2.sepFilter2D(edges, -1, weights, weights)
    across, mixed, down = (
        np.asarray(cv2.Sobel(smooth, -1, *orders), np.float32)
        for orders in ((2, 0), (1, 1), (0, 2))
    )
    # From here on in double precision, to the last bit of OpenCV's.
    slope = (down * -np.sign(mixed)).astype(np.float64) / (across.astype(np.float64) + _TINY)
    angle = np.arctan(slope)
    return np.where(angle > 0, np.mod(angle, np.pi), np.mod(angle + np.pi, np.pi)).astype(
        np.float32
    )


def suppressed(edges: EdgeMap, orientation: EdgeMap) -> EdgeMap:
    """Set pixels to 0 that are weaker than one beside them, across the edge.

    Args:
        edges: (H, W) float32, not negative.
        orientation: (H, W) float32, from `orientations`.

    Returns:
        (H, W) float32.
    """
    rows, columns = np.nonzero(edges)
    own, angle = edges[rows, columns], orientation[rows, columns]
    cosine, sine = np.cos(angle), np.sin(angle)
    weaker = np.zeros(len(rows), np.bool_)
    for step in np.array([-2, -1, 1, 2], np.float32):
        x, y = columns.astype(np.float32), rows.astype(np.float32)
        weaker |= own < _between(edges, x + step * cosine, y + step * sine)
    kept = edges.copy()
    kept[rows[weaker], columns[weaker]] = 0
    return kept


def _between(values: EdgeMap, x: EdgeMap, y: EdgeMap) -> EdgeMap:
    """Interpolate bilinearly at points within the picture."""
    height, width = values.shape
    x = np.clip(x, np.float32(0), np.float32(width - 1.001))
    y = np.clip(y, np.float32(0), np.float32(height - 1.001))
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, below = x - left.astype(np.float32), y - top.astype(np.float32)
    one = np.float32(1)
    return np.asarray(
        (one - right) * (one - below) * values[top, left]
        + right * (one - below) * values[top, left + 1]
        + (one - right) * below * values[top + 1, left]
        + right * below * values[top + 1, left + 1],
        np.float32,
    )
