"""What GrabCut makes of a box by itself: the baseline that no mask of a box may fall below."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Crop

_MARGINS = (0.4, 0.2)
"""Surroundings that are seen, in longer sides of the box. What a wide look takes for background
differs from what a narrow one does, and where both agree they are mostly right."""

_MOST_PIXELS = 40_000
"""Of the grid: at half of this the masks of large objects lost a tenth of their IoU."""

_ROUNDS = 5
"""As OpenCV's examples do; after two, masks are hardly worse."""

_SEED = 1
"""GrabCut starts its colour clusters at random; a fixed seed makes it repeatable."""


def plain_masks(image: Image, box: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
    """Return two masks of an object in a box, (H, W) bool, cut with more and fewer surroundings.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: (4,) float32 x0, y0, x1, y1 in pixels, corners included.
    """
    return [_cut(image, box, margin) for margin in _MARGINS]


def _cut(image: Image, box: NDArray[np.float32], margin: float) -> NDArray[np.bool_]:
    size = (image.shape[1], image.shape[0])
    around = max(float((box[2:] - box[:2]).max()) * margin, 8.0)
    crop = Crop.around(box.astype(np.float64), size, around, _MOST_PIXELS)
    corners = crop.points(box.reshape(2, 2))
    (x0, y0), (x1, y1) = np.floor(corners[0] + 0.5), np.ceil(corners[1] - 0.5)
    labels = np.full((crop.height, crop.width), cv2.GC_BGD, np.uint8)
    labels[max(int(y0), 0) : int(y1) + 1, max(int(x0), 0) : int(x1) + 1] = cv2.GC_PR_FGD
    inside = labels == cv2.GC_PR_FGD
    # GrabCut fails if one of its two sides is empty: a box of the whole picture, or of a line.
    if inside.any() and not inside.all():
        cv2.setRNGSeed(_SEED)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        bgr = np.ascontiguousarray(crop.take(image)[..., ::-1])
        cv2.grabCut(bgr, labels, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    found = (labels == cv2.GC_PR_FGD).astype(np.float32)
    return crop.paste(found, size, 0.0) > 0.5
