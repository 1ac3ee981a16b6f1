"""Interlaced pictures: two moments in one, line by line, and what is shown of them."""

from __future__ import annotations

import cv2
import numpy as np

from rvsam_video.frame import Image

_COMBED = 64
"""Product of the differences to the lines above and below, of grey values, that shows a comb: 8 in
both. Half of it is noise, twice of it misses faint edges."""

_REACH = np.ones((5, 9), np.uint8)
"""What surrounds a comb moves, too, though it may look smooth."""


def without_combs(image: Image) -> Image:
    """Replace the lines of the second moment where something moves; what stands still is kept.

    Even lines stay as they are. A pixel of another line that is brighter, or darker, than both its
    neighbours above and below belongs to a comb; there and around it such lines become the mean of
    their neighbours.

    Args:
        image: (H, W, 3) uint8, RGB, in which two fields are woven.

    Returns:
        (H, W, 3) uint8, of the moment of the even lines.
    """
    if len(image) < 3:
        return image
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.int32)
    # The last line may have no neighbour below; it takes the one above twice.
    above, lines = grey[:-1:2], grey[1::2]
    below = np.concatenate([grey[2::2], grey[-2:-1]])[: len(lines)]
    combs = np.zeros(grey.shape, np.uint8)
    combs[1::2] = (lines - above) * (lines - below) > _COMBED
    moving = cv2.dilate(combs, _REACH)[1::2] > 0
    upper = image[:-1:2]
    lower = np.concatenate([image[2::2], image[-2:-1]])[: len(lines)]
    between = cv2.addWeighted(upper, 0.5, lower, 0.5, 0)
    result = image.copy()
    result[1::2] = np.where(moving[..., None], between, image[1::2])
    return result
