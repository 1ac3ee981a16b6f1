"""From one frame to the next: where an object went, and how far each pixel can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.grabcut.band_cut import signed_distance
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.memory import FAR, ObjectMemory
from rvsam_video.segmenters.grabcut.motion import Motion, Picture
from rvsam_video.segmenters.grabcut.motion_models import layer_evidence, layers_of, motion_evidence
from rvsam_video.segmenters.grabcut.pose import Pose, shift_and_growth

_SURE_MISMATCH = 2.0
"""Pixels by which the way back and ahead may miss where motion still counts as measured."""

_FEWEST_PIXELS = 8
"""Pixels of the reduced picture that an object's motion is measured from at least."""

_SURROUNDINGS = 0.5
"""How far around the crop the motion of the surroundings is measured, in sizes of the object."""

_FOUND_REACH = 1.2
"""Half the side of the square where an object that was found again is cut, in its sizes. An
elongated object reaches that far from its centre."""

_LEAST_MARGIN = 20.0
"""Pixels of surroundings around an object, to learn their colours from."""

_MARGIN = 0.3
"""The same in sizes of the object; also room for motion that the flow has missed."""


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """An object as it is expected in a picture.

    Attributes:
        pose: where it is taken to be.
        crop: where it is looked for.
        grid: x and y in the picture of the crop's pixels.
        origins: where these were in the picture before, x and y.
        signed: (height, width) float32, pixels to the expected boundary, above 0 inside.
        trust: (height, width) float32 in [0, 1], how far `origins` can be trusted.
        motion: (height, width) float32, how much likelier a pixel moves with the object than
            with its surroundings, log of the ratio; 0 where that is unknown.
        layered: (height, width) float32, how much better its look goes with that motion; sharper,
            and silent where there is no texture.
    """

    pose: Pose
    crop: Crop
    grid: tuple[Map, Map]
    origins: tuple[Map, Map]
    signed: Map
    trust: Map
    motion: Map
    layered: Map


def crop_around(picture: Picture, box: NDArray[np.float64], size: float, most_pixels: int) -> Crop:
    """Return the crop for an object of this box and size (square root of its area)."""
    return Crop.around(box, picture.size, max(_LEAST_MARGIN, _MARGIN * size), most_pixels)


def carry(
    picture: Picture, memory: ObjectMemory, most_pixels: int, mismatch_scale: float
) -> Carried:
    """Move an object that was seen in the frame before along the dense motion.

    Args:
        picture: the new one.
        memory: of the object.
        most_pixels: most pixels of the crop's grid.
        mismatch_scale: pixels of mismatch at which trust in the motion falls to 1/e.
    """
    motion = picture.motion_since(memory.grey)
    whole = motion.grid
    x, y = motion.places
    # Read backward: each new pixel asks where it was, so the moved shape has no holes.
    moved = memory.last.crop.sample(memory.last.signed, x + motion.back_x, y + motion.back_y, FAR)
    inside = moved > 0
    pose = _moved_pose(memory.pose, motion, inside & (motion.mismatch < _SURE_MISMATCH))
    # What is hidden now may come into sight again anywhere within the full shape.
    box = memory.full.box_at(pose)
    if inside.any():
        # From pixels of the reduced picture; half a pixel of error is within the margin.
        unit = np.array(picture.size) / (whole.width, whole.height)
        seen = bounds(inside) * np.tile(unit, 2)
        box = np.concatenate([np.minimum(box[:2], seen[:2]), np.maximum(box[2:], seen[2:])])
    crop = crop_around(picture, box, pose.size, most_pixels)
    grid = crop.grid()
    back = motion.back(*grid)
    origins = (grid[0] + back[0], grid[1] + back[1])
    expected = memory.last.crop.sample(memory.last.signed, *origins, FAR)
    # In picture pixels whatever the resolution it was measured at.
    mismatch = whole.sample(motion.mismatch, *grid)
    moving, layered = _moving(picture, memory, motion, inside, grid, back)
    return Carried(
        pose=pose,
        crop=crop,
        grid=grid,
        origins=origins,
        # Stretched and torn by the flow, distances are none any more.
        signed=signed_distance(expected > 0) / np.float32(crop.scale),
        trust=np.exp(-np.square(mismatch / np.float32(mismatch_scale))),
        motion=moving,
        layered=layered,
    )


def carry_back(picture: Picture, memory: ObjectMemory, pose: Pose, most_pixels: int) -> Carried:
    """Put a lost object where it was found: its full shape, and no trust in motion."""
    crop = crop_around(picture, pose.box(_FOUND_REACH), pose.size, most_pixels)
    grid = crop.grid()
    nothing = np.zeros((crop.height, crop.width), np.float32)
    # The grid is its own origin: nothing is known of where these pixels were.
    return Carried(pose, crop, grid, grid, memory.full.at(pose, grid), nothing, nothing, nothing)


def bounds(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (4,) x0, y0, x1, y1 of the true pixels, corners included."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float64)


def _moving(
    picture: Picture,
    memory: ObjectMemory,
    motion: Motion,
    inside: NDArray[np.bool_],
    grid: tuple[Map, Map],
    back: tuple[Map, Map],
) -> tuple[Map, Map]:
    """Return what the flow, and what the look of the moved pixels, says of each pixel."""
    layers = layers_of(motion, inside, _SURROUNDINGS * memory.pose.size, grid)
    if layers is None:
        nothing = np.zeros_like(grid[0])
        return nothing, nothing
    size = float(np.sqrt(cv2.countNonZero(inside.astype(np.uint8))))
    layered = layer_evidence(memory.grey, picture.grey, motion, layers, size)
    return motion_evidence(layers, grid, back), motion.grid.sample(layered, *grid)


def _moved_pose(pose: Pose, motion: Motion, sure: NDArray[np.bool_]) -> Pose:
    if cv2.countNonZero(sure.astype(np.uint8)) < _FEWEST_PIXELS:
        return pose.drifted()
    x, y = motion.places
    back = np.stack([motion.back_x[sure], motion.back_y[sure]], axis=1).astype(np.float64)
    # Flow is known at the new places; the fit wants old ones, and the way from there.
    places = np.stack([x[sure], y[sure]], axis=1) + back
    return pose.moved(*shift_and_growth(places, -back, (pose.x, pose.y)))
