"""Texture features: what a pixel and its surroundings look like, at several scales."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.crop import Map

Features = NDArray[np.float32]
"""(h, w, FEATURES) float32, each of order 1."""

_COLOUR_SCALES = (0.0, 2.0, 5.0)
"""Widths of the blurs, in pixels of the grid: the pixel, its texture, and the part around it."""

_TEXTURE_SCALES = (2.0, 5.0)

FEATURES = 3 * len(_COLOUR_SCALES) + 4 * len(_TEXTURE_SCALES)

_MIDDLE = 128.0
_COLOUR_UNITS = (1 / 40, 1 / 20, 1 / 20)
"""Of L, a and b: chroma varies about half as much as lightness in natural pictures."""

_SLOPE_UNIT, _DIRECTION_UNITS, _CONTRAST_UNIT = 1.0, (1 / 4, 1 / 2), 1 / 15
"""Bring each kind to about 1 on ordinary texture, in grey levels per pixel and grey levels."""


def texture_features(image: Image) -> Features:
    """Describe every pixel of an (h, w, 3) RGB crop: (h, w, FEATURES) float32.

    Colours at three scales; how strong and in which direction edges run, and how much the
    lightness varies, at two.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32) - np.float32(_MIDDLE)
    maps = []
    for scale in _COLOUR_SCALES:
        colours = cv2.GaussianBlur(lab, (0, 0), scale) if scale else lab
        maps += [colours[..., axis] * np.float32(unit) for axis, unit in enumerate(_COLOUR_UNITS)]
    return np.stack(maps + _texture(np.ascontiguousarray(lab[..., 0])), axis=-1)


def _texture(light: Map) -> list[Map]:
    across = cv2.Sobel(light, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(light, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    slope = np.hypot(across, down) + np.float32(1e-3)
    tensor = (across * across - down * down) / slope, across * down / slope
    maps = []
    for scale in _TEXTURE_SCALES:
        maps.append(np.sqrt(_blur(slope, scale)) * np.float32(_SLOPE_UNIT))
        for part, unit in zip(tensor, _DIRECTION_UNITS, strict=True):
            maps.append(_blur(part, scale) * np.float32(unit))
        variance = _blur(light * light, scale) - np.square(_blur(light, scale))
        maps.append(np.sqrt(np.maximum(variance, 0)) * np.float32(_CONTRAST_UNIT))
    return maps


def _blur(values: Map, scale: float) -> Map:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), scale), np.float32)
