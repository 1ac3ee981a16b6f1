"""Layered motion: does a pixel's look go with an object's motion, or with its surroundings'?

Flow is measured over patches and bleeds out of objects. Both motions are therefore spread from
where they are sure to the whole crop, and each pixel is compared with where either would have
brought it from. That tells the two apart up to the boundary, wherever there is texture.
"""

from __future__ import annotations

import cv2
import numpy as np

from rvsam_video.segmenters.crop import Map, window_of
from rvsam_video.segmenters.dense_motion import Grey, Motion
from rvsam_video.segmenters.motion_models import Layer

_SURE_MISMATCH = 2.0
"""Pixels by which the way back and ahead may miss where flow is spread from."""

_SPREAD = 0.3
"""How far flow is spread before the affine motion counts instead, in sizes of the object. As far
as limbs move alike."""

_LEAST_SPREAD = 3.0
"""The same in pixels of the reduced picture."""

_DEVIATION = 3.0
"""Most that flow may deviate from the affine motion, in its typical errors."""

_LEAST_DEVIATION = 2.0
"""The same in pixels, for motion that is nearly rigid."""

_NOISE = 5.0
"""Grey levels by which a pixel differs from itself a frame before: noise and compression."""

_LARGEST_DIFFERENCE = 40.0
"""Grey levels from which more says nothing: both are wrong, or something was uncovered."""

_WINDOW = 1.5
"""Width of the window that is compared, in pixels of the reduced picture: sharper than flow."""


def layer_evidence(
    before: Grey,
    now: Grey,
    motion: Motion,
    layers: tuple[Layer, Layer],
    size: float,
) -> Map:
    """Return how much better each pixel goes with the object's motion than with the other.

    Args:
        before: (h, w) uint8, the earlier picture's brightness, reduced.
        now: the same of the later picture.
        motion: between them.
        layers: the object and its surroundings.
        size: of the object, in pixels of the reduced picture.

    Returns:
        (h, w) float32 over the motion's grid, log of the ratio of the squared differences; 0
        away from the layers.
    """
    window = window_of(layers[0].region | layers[1].region)
    reach = max(_SPREAD * size, _LEAST_SPREAD)
    own, other = (_difference(before, now, motion, layer, window, reach) for layer in layers)
    floor = np.float32(_NOISE**2)
    evidence = np.zeros(now.shape, np.float32)
    evidence[window] = np.log((other + floor) / (own + floor))
    return evidence


def _difference(
    before: Grey,
    now: Grey,
    motion: Motion,
    layer: Layer,
    window: tuple[slice, slice],
    reach: float,
) -> Map:
    """Return squared grey levels by which pixels miss their origin, were they in this layer."""
    x, y = (values[window] for values in motion.places)
    sure = (layer.region[window] & (motion.mismatch[window] < _SURE_MISMATCH)).astype(np.float32)
    weight = _spread(sure, reach) + np.float32(1e-3)  # beyond its reach, nothing but affine
    limit = _DEVIATION * layer.motion.spread + _LEAST_DEVIATION
    affine = layer.motion.at(x, y)
    rest_x = np.clip(motion.back_x[window] - affine[0], -limit, limit) * sure
    rest_y = np.clip(motion.back_y[window] - affine[1], -limit, limit) * sure
    from_x = x + affine[0] + _spread(rest_x, reach) / weight
    from_y = y + affine[1] + _spread(rest_y, reach) / weight
    then = motion.grid.sample(before.astype(np.float32), from_x, from_y)
    difference = np.square(np.minimum(np.abs(then - now[window]), np.float32(_LARGEST_DIFFERENCE)))
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), _WINDOW), np.float32)


def _spread(values: Map, reach: float) -> Map:
    """Blur by about a Gaussian of this width, by two boxes: the time does not grow with it."""
    side = 2 * round(np.sqrt(6) * reach / 2) + 1  # a box's variance is side**2 / 12
    return np.asarray(cv2.blur(cv2.blur(values, (side, side)), (side, side)), np.float32)
