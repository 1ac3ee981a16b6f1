"""Judging: how well a mask that was cut may cover its object, from all that spoke for it.

Twenty-two signs of trouble, weighed by a logistic fit to the IoU of masks of fifteen DAVIS 2016
sequences, tracked from the first frame's mask and from one click. What says most: whether the look
of the mask's pixels moves with it and that of the surroundings does not, colours, and raggedness.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.base import ObjectPrompt
from rvsam_video.segmenters.grabcut.appearance import EVIDENCE_LIMIT, Colours, Likeness
from rvsam_video.segmenters.grabcut.carrying import Carried
from rvsam_video.segmenters.grabcut.crop import Map
from rvsam_video.segmenters.grabcut.memory import ObjectMemory

_NEARBY = 15
"""Side of the square, in pixels of the grid, by which a mask is widened to its surroundings."""

_LAYERED, _MOTION = 2.0, 4.0
"""Most that the two words of motion count, before they are averaged."""

_MOST_FULL = 2.0
_MOST_POINTS = 10
"""Points beyond these say no more."""

_MOST = 3.0
"""Standard deviations beyond which a sign says no more."""

_NO_POINTS = -1.0
"""Stands for the share of points inside, where there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A mask and what spoke for it, over a crop of (height, width).

    Attributes:
        inside: bool, the mask.
        fullness: share of the object that is seen.
        reachable: bool, where it may be.
        looks: how much pixels look like the object.
        texture: float32, the same by texture.
        given: pixels to the boundary of the user's own mask, and trust in them; None if it could
            not be compared.
    """

    inside: NDArray[np.bool_]
    fullness: float
    reachable: NDArray[np.bool_]
    looks: Likeness
    texture: Map
    given: tuple[Map, Map] | None


def estimate(
    seen: Seen, prompt: ObjectPrompt, memory: ObjectMemory, carried: Carried, colours: Colours
) -> float:
    """Estimate the IoU of a mask with the truth, in [0, 1]; 0 for an empty one."""
    if not seen.inside.any():
        return 0.0
    signs = np.array(_signs(seen, prompt, memory, carried, colours))
    unusual = np.clip((signs - _MEAN) / _SPREAD, -_MOST, _MOST)
    return float(1 / (1 + np.exp(-(unusual @ _WEIGHT + _BIAS))))


def _signs(
    seen: Seen, prompt: ObjectPrompt, memory: ObjectMemory, carried: Carried, colours: Colours
) -> list[float]:
    """Return the signs in the order of `_TABLE`."""
    inside, expected = seen.inside, carried.signed > 0
    wider = cv2.dilate(inside.astype(np.uint8), np.ones((_NEARBY, _NEARBY), np.uint8)) > 0
    around = wider & ~inside & seen.reachable
    around = around if around.any() else ~inside
    texture = np.clip(seen.texture, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)
    layered = np.clip(carried.layered, -_LAYERED, _LAYERED)
    return [
        _mean(inside, expected),
        float((inside & ~expected).sum() / inside.sum()),
        _mean(carried.trust, inside),
        _mean(seen.looks.parts, inside),
        *(_mean(seen.looks.anywhere, part) for part in (inside, around)),
        *(_mean(seen.looks.here, part) for part in (inside, around)),
        *(_mean(texture, part) for part in (inside, around)),
        min(seen.fullness, _MOST_FULL),
        *_given_signs(seen),
        _edge(inside, colours),
        *_point_signs(inside, prompt, carried),
        *(_mean(layered, part) for part in (inside, around)),
        _mean(np.clip(carried.motion, -_MOTION, _MOTION), inside),
        float(np.log(carried.pose.size / memory.given.pose.size)),
        *_shape_signs(inside),
    ]


def _mean(values: NDArray[np.float32] | NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _given_signs(seen: Seen) -> tuple[float, float]:
    if seen.given is None:
        return 0.0, 0.0
    signed, trust = seen.given
    either = seen.inside | (signed > 0)
    agreed = trust * ((signed > 0) == seen.inside)
    return _mean(trust, seen.inside), _mean(np.asarray(agreed, np.float32), either)


def _edge(inside: NDArray[np.bool_], colours: Colours) -> float:
    across = cv2.Sobel(colours.grey, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(colours.grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    slope = np.hypot(across, down)
    rim = _rim(inside)
    # Of the crop's own mean; the small terms keep a plain picture finite.
    return float(np.log(_mean(slope, rim) / (float(slope.mean()) + 1e-3) + 0.05))


def _point_signs(
    inside: NDArray[np.bool_], prompt: ObjectPrompt, carried: Carried
) -> tuple[float, float]:
    on = prompt.points[prompt.labels == 1]
    if not len(on):
        return _NO_POINTS, 0.0
    x, y = np.round(carried.crop.points(on)).astype(int).T
    within = (x >= 0) & (x < inside.shape[1]) & (y >= 0) & (y < inside.shape[0])
    hit = int(inside[y[within], x[within]].sum())
    return hit / len(on), min(len(on), _MOST_POINTS) / _MOST_POINTS


def _shape_signs(inside: NDArray[np.bool_]) -> tuple[float, float]:
    parts, _ = cv2.connectedComponents(inside.astype(np.uint8))
    return (
        # The first is what lies outside the mask.
        float(np.log(parts - 1)),
        float(np.log(max(int(_rim(inside).sum()), 1) / np.sqrt(inside.sum()))),
    )


def _rim(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    square = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, square) > 0)


_TABLE = np.array(
    [  # mean, standard deviation, weight of a deviation in the log odds
        (0.952, 0.0603, 0.1565),  # share of what was expected that was kept
        (0.0604, 0.0665, -0.3861),  # share of the mask that was not expected
        (0.7985, 0.2102, -0.2492),  # trust in motion
        (1.8407, 0.4952, 0.0772),  # likeness by place on the object
        (1.8478, 0.5056, -0.6131),  # likeness by colour alone, inside
        (-1.5992, 0.569, -0.2543),  # and around
        (2.0168, 0.4353, 0.12),  # likeness by what was seen here, inside
        (-1.9948, 0.499, 0.0133),  # and around
        (2.1709, 0.2881, 0.3561),  # texture inside
        (-1.4462, 0.4459, 0.1911),  # and around
        (0.9292, 0.2478, 0.0252),  # fullness
        (0.1102, 0.1753, 0.0683),  # trust in the user's own mask
        (0.0949, 0.1615, -0.0789),  # agreement with it
        (1.0682, 0.3325, -0.1435),  # edges along the outline
        (0.8048, 0.4738, -0.0733),  # share of points inside
        (0.7905, 0.3286, -0.042),  # points
        (0.7822, 0.5209, 0.7459),  # looks that move with the object, inside
        (-0.2639, 0.4008, -0.464),  # and around
        (2.425, 1.2324, 0.0647),  # flow that moves with it
        (0.1756, 0.4227, -0.3333),  # growth since the user's frame
        (0.6743, 0.6542, 0.0034),  # parts
        (2.8678, 0.3826, 0.4345),  # outline against the root of the area
    ]
)
_MEAN, _SPREAD, _WEIGHT = _TABLE.T
_BIAS = 0.789
