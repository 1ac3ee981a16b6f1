"""The prompted view: the user's own mask, aligned with a later picture; what does not drift."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rvsam_video.segmenters.crop import Map
from rvsam_video.segmenters.dense_motion import SHORTEST_SIDE, Grey, flow
from rvsam_video.segmenters.object_memory import Shape
from rvsam_video.segmenters.object_pose import Pose

_MISMATCH = 1.5
"""Pixels of the grid by which the way there and back may miss until trust falls to 1/e."""

_DIFFERENCE = 20.0
"""Grey levels, around a pixel, that do the same: light changes, but another part is no match."""

_WINDOW = 2.0
"""Width of that surrounding, in pixels of the grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """What a view says of a later picture.

    Attributes:
        signed: (height, width) float32, pixels to its boundary, above 0 inside.
        trust: (height, width) float32 in [0, 1], how certainly this is the same place.
    """

    signed: Map
    trust: Map


def compare(view: Shape, seen: Grey, pose: Pose, grid: tuple[Map, Map], now: Grey) -> Vote | None:
    """Align a view of an object with a later crop by dense flow, and carry its outline over.

    Unlike an outline that is handed on from frame to frame, errors do not add up.

    Args:
        view: the object's outline in the view.
        seen: (h, w) uint8, brightness of its crop.
        pose: where the object is taken to be now.
        grid: x and y in the picture of the crop's pixels.
        now: (height, width) uint8, brightness of the crop.

    Returns:
        the vote; None for crops too small for the flow.
    """
    height, width = now.shape
    if min(height, width) < SHORTEST_SIDE:
        return None
    places = view.places(pose, grid)
    then = view.crop.sample(seen.astype(np.float32), *places)
    aligned = np.clip(then, 0, 255).astype(np.uint8)
    back, ahead = flow(now, aligned, fast=True), flow(aligned, now, fast=True)
    x = np.arange(width, dtype=np.float32)[None] + back[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + back[..., 1]
    again = cv2.remap(ahead, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mismatch = np.square(back + again).sum(axis=2)
    known = view.crop.sample(np.ones(seen.shape, np.float32), *places, 0.0)
    difference = np.square(now.astype(np.float32) - _read(then, x, y))
    difference = cv2.GaussianBlur(difference, (0, 0), _WINDOW)
    trust = np.exp(-mismatch / _MISMATCH**2 - difference / _DIFFERENCE**2)
    return Vote(_read(view.at(pose, grid), x, y), np.asarray(trust * _read(known, x, y)))


def _read(values: Map, x: Map, y: Map) -> Map:
    read = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)
