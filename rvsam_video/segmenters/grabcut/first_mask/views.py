"""Views of one picture in which an object may stand out: colours, texture, learned features."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.first_mask.colours import PaletteMap, palette_map, quantised
from rvsam_video.segmenters.grabcut.texture import texture_features

LearnedMaps = tuple[NDArray[np.float32], ...]
"""Learned descriptions of a whole picture, coarse maps (h, w, n) float32 of any size."""

_LAB_UNIT = 1 / 20
"""Makes a clear difference of colour about 1, beside features that vary by about 2."""

_PIXEL, _AROUND, _TEXTURE = slice(0, 3), slice(6, 9), slice(9, None)
"""Of the texture's description: colours of the pixel itself, those of the part around it, and how
lightness varies. Colours at the scale between add nothing to these."""

_AROUND_WEIGHT = 0.7
_LIGHTNESS = np.array([2, 1, 1], np.float32)
"""The texture learner halves lightness; a first mask has nothing but the click to learn it from."""

_KEPT = (8, 12)
"""Directions kept of each learned map, those in which the picture varies most."""

_FEATURE_SIZE = 2.0
"""Root mean square of each learned map: twice that of colours, with fewer directions that count."""

_SETTLED = 5e-4
"""Movement at which the kinds of these views may stop; the rounds end before that, mostly."""


def views_of(
    image: Image, crop: Crop, near: NDArray[np.bool_], features: LearnedMaps | None
) -> list[PaletteMap]:
    """Sort the pixels of a crop into kinds: by colour, by texture, and by features if given.

    Args:
        image: (H, W, 3) uint8 RGB.
        crop: part of it.
        near: (height, width), where the object may be; half of the kinds are spent there.
        features: of the whole picture.
    """
    part = crop.take(image)
    described = texture_features(part)
    parts = described[..., _PIXEL], described[..., _TEXTURE], described[..., _AROUND]
    texture = [parts[0] * _LIGHTNESS, parts[1], parts[2] * (_LIGHTNESS * _AROUND_WEIGHT)]
    views = [
        palette_map(part, near),
        quantised(np.concatenate(texture, axis=-1).astype(np.float32), near, _SETTLED),
    ]
    if features is not None:
        size = (image.shape[1], image.shape[0])
        maps = [_reduced(values, kept) for values, kept in zip(features, _KEPT, strict=True)]
        whole = [scaled_lab(part), *(_taken(values, crop, size) for values in maps)]
        views.append(quantised(np.concatenate(whole, axis=-1), near, _SETTLED))
    return views


def scaled_lab(image: Image) -> NDArray[np.float32]:
    """Return (h, w, 3) Lab colours in units of a clear difference."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32) * np.float32(_LAB_UNIT)


def colour_gradient(image: Image) -> Map:
    """Return (h, w) float32: how fast colours change from pixel to pixel."""
    # A blur of one pixel: noise and compression are no edges.
    smooth = cv2.GaussianBlur(scaled_lab(image), (0, 0), 1.0)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.sqrt(np.square(across).sum(axis=2) + np.square(down).sum(axis=2)))


def _reduced(values: NDArray[np.float32], kept: int) -> NDArray[np.float32]:
    """Keep the directions in which the picture varies most, at a common size."""
    rows = values.reshape(-1, values.shape[2])
    rows = rows - rows.mean(axis=0)
    _, directions = np.linalg.eigh(rows.T @ rows)
    # In rising order of variance.
    rows = rows @ directions[:, ::-1][:, :kept]
    size = np.sqrt(np.square(rows).sum(axis=1).mean())
    rows = rows * np.float32(_FEATURE_SIZE / max(float(size), 1e-6))
    return np.asarray(rows.reshape(*values.shape[:2], -1), np.float32)


def _taken(values: NDArray[np.float32], crop: Crop, size: tuple[int, int]) -> NDArray[np.float32]:
    """Read a map of a whole (width, height) picture at the pixels of a crop."""
    height, width = values.shape[:2]
    whole = Crop(0, 0, *size, width, height)
    grid = crop.grid()
    channels = [
        whole.sample(np.ascontiguousarray(layer), *grid) for layer in np.moveaxis(values, 2, 0)
    ]
    return np.stack(channels, axis=-1)
