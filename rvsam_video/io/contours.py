"""Outlines of masks as polygons, in the convention of COCO."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float32]
"""(V, 2) float32, V >= 4: corners x, y in pixels from the picture's upper left corner, so that the
centre of the first pixel is at (0.5, 0.5)."""


def outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Return the outer outline of each connected part of a mask, the largest part first.

    Polygons have no holes: those of the mask are filled. Drawn by pycocotools they give the
    pixels of the mask with its holes filled, exactly.

    Args:
        mask: (H, W) bool.
    """
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    if width == 0:
        return []
    inside = mask[y : y + height, x : x + width].astype(np.uint8)
    # OpenCV's contours run through the centres of pixels. Each pixel made four, they run a quarter
    # of a pixel inside the true edge, close enough for every pixel to fall on its own side.
    doubled = inside.repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons = [(contour[:, 0].astype(np.float32) + 0.5) / 2 + (x, y) for contour in contours]
    polygons.sort(key=_area, reverse=True)
    return [np.asarray(polygon, np.float32) for polygon in polygons]


def _area(polygon: NDArray[np.floating]) -> float:
    return float(cv2.contourArea(polygon.astype(np.float32)))
