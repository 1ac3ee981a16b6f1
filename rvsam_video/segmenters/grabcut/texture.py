"""`TextureModel`: a small learner that tells an object's texture from what is around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Map

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
        # A scale of 0 is the pixel itself; OpenCV refuses a blur of no width.
        colours = cv2.GaussianBlur(lab, (0, 0), scale) if scale else lab
        maps += [colours[..., axis] * np.float32(unit) for axis, unit in enumerate(_COLOUR_UNITS)]
    return np.stack(maps + _texture(np.ascontiguousarray(lab[..., 0])), axis=-1)


def _texture(light: Map) -> list[Map]:
    # 1 / 8 makes the filter's sum that of a slope per pixel.
    across = cv2.Sobel(light, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    down = cv2.Sobel(light, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    slope = np.hypot(across, down) + np.float32(1e-3)
    # The structure tensor's two parts that tell direction, of order 1 in the slope like the rest.
    tensor = (across * across - down * down) / slope, across * down / slope
    maps = []
    for scale in _TEXTURE_SCALES:
        maps.append(np.sqrt(_blur(slope, scale)) * np.float32(_SLOPE_UNIT))
        for part, unit in zip(tensor, _DIRECTION_UNITS, strict=True):
            maps.append(_blur(part, scale) * np.float32(unit))
        variance = _blur(light * light, scale) - np.square(_blur(light, scale))
        # The difference of two rounded numbers can fall below 0.
        maps.append(np.sqrt(np.maximum(variance, 0)) * np.float32(_CONTRAST_UNIT))
    return maps


def _blur(values: Map, scale: float) -> Map:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), scale), np.float32)


_UNITS = 128
"""Random combinations of features. 256 cost twice the time."""

_SPREAD = 1.5
"""Typical size of a combination; its kinks lie within what features span."""

_RIDGE = 1e-3
"""Weight of small coefficients, of the mean square of a unit; the fit is far from singular."""

_SAMPLES = 2000
"""Pixels that a frame is learnt from at least, on a lattice: 15 for each coefficient."""

_SMALL_PRODUCT = 2**18
"""Multiplications up to which OpenBLAS keeps a matrix product on one thread. In products as small
as these, threads cost more than they save, most of all on a busy machine."""

_GAIN = 3.0
"""Turns the fit, which is about 1 on the object and -1 off it, into the log of a ratio."""


def _random_projection() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    # The same in every process: moments saved by one are read by another.
    rng = np.random.default_rng(0)
    weights = rng.normal(0, _SPREAD / np.sqrt(FEATURES), (FEATURES, _UNITS))
    return weights.astype(np.float32), rng.uniform(-1, 1, _UNITS).astype(np.float32)


_WEIGHTS, _BIASES = _random_projection()


@dataclass(frozen=True, slots=True, eq=False)
class TextureModel:
    """Ridge regression of on and off the object on random features (Rahimi and Recht, 2007).

    Frames are kept as the moments that the fit needs, so that any number of them takes the same
    room and models can be blended.

    Attributes:
        moments: (units + 1, units + 2) float32: mean products of the units, the last being
            constant, with each other; then with the label.
    """

    moments: NDArray[np.float32]

    @classmethod
    def learn(cls, features: Features, on: Map) -> TextureModel:
        """Learn a crop; `on` is (h, w), above 0.5 for the object. Both sides weigh the same."""
        step = max(1, on.size // _SAMPLES)
        label = np.where(on.ravel()[::step] > 0.5, 1, -1).astype(np.float32)
        share = np.array([max(int((label == side).sum()), 1) for side in (-1, 1)], np.float32)
        # Both sides weigh half: else the larger one, mostly the surroundings, would decide.
        weight = np.where(label > 0, 0.5 / share[1], 0.5 / share[0]).astype(np.float32)
        rows = features.reshape(-1, FEATURES)[::step]
        moments = np.zeros((_UNITS + 1, _UNITS + 2), np.float32)
        for part in _parts(len(rows), (_UNITS + 1) ** 2):
            # (rows, units + 2): the units, the constant, and room for the label.
            units = np.ones((len(rows[part]), _UNITS + 2), np.float32)
            units[:, :_UNITS] = _units(rows[part])
            units[:, -1] = label[part]
            moments += (units[:, :-1] * weight[part, None]).T @ units
        return cls(moments)

    def blend(self, other: TextureModel, rate: float) -> TextureModel:
        """Return this model moved towards another by a share of `rate`."""
        return TextureModel(self.moments + np.float32(rate) * (other.moments - self.moments))

    def evidence(self, features: Features, where: NDArray[np.bool_]) -> Map:
        """Return how much pixels look like the object.

        Args:
            features: (h, w, FEATURES) of the crop.
            where: (h, w) bool, pixels to judge; the others get 0.

        Returns:
            (h, w) float32, log of a ratio.
        """
        products = self.moments[:, :-1]
        # Relative to the moments' own size, so that it means the same for any features.
        ridge = np.float32(_RIDGE * np.trace(products) / len(products))
        products = products + ridge * np.eye(len(products), dtype=np.float32)
        # Not NumPy's: its LAPACK wakes threads even for a matrix as small as this.
        _, fit = cv2.solve(products, self.moments[:, -1:].copy(), flags=cv2.DECOMP_CHOLESKY)
        fit = np.asarray(fit, np.float32)[:, 0]
        rows = features[where]
        out = np.empty(len(rows), np.float32)
        for part in _parts(len(rows), FEATURES * _UNITS):
            out[part] = _units(rows[part]) @ fit[:-1]
        evidence = np.zeros(where.shape, np.float32)
        evidence[where] = np.float32(_GAIN) * (out + fit[-1])
        return evidence


def _units(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn (n, FEATURES) features into (n, units): max(0, combination)."""
    units = features @ _WEIGHTS
    units += _BIASES
    np.maximum(units, 0, out=units)
    return np.asarray(units, np.float32)


def _parts(count: int, work: int) -> Iterator[slice]:
    """Split rows that take `work` multiplications each."""
    step = _SMALL_PRODUCT // work
    return (slice(start, start + step) for start in range(0, count, step))
