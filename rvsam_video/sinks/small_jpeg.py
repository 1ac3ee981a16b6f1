"""`small_jpeg`: pictures for a browser or a contact sheet."""

from __future__ import annotations

import cv2
import numpy as np

from rvsam_video.frame import Image


def small_jpeg(image: Image, width: int, quality: int) -> bytes:
    """Compress a picture, scaled down to at most `width` pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        width: in pixels.
        quality: 1 to 100.
    """
    height, own = image.shape[:2]
    if own > width:
        size = (width, max(1, round(height * width / own)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
