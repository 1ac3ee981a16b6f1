"""What comes out for every frame: masks, scores and points, each by the user's object id."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.tables import Table, column

LOOK_BELOW = 0.5
"""Score below which a mask is worth a look: more of it is wrong than right, by its own estimate."""


class PointState(IntEnum):
    """Why a tracked point was, or was not, used as a prompt in a frame."""

    VISIBLE = 1
    """Seen by the tracker and used as a prompt."""
    HIDDEN = 0
    """The tracker does not see it: occluded, blurred or lost."""
    RESTART_FAILED = -1
    """Its object was to be given new points, but has no mask to take them from."""
    OUTSIDE = -2
    """It has left the picture, or is within the border that is never prompted."""
    PATCH_DIFFERS = -3
    """Its surroundings do not look as in its query frame."""
    AFTER_PATCH_DIFFERS = -4
    """They did not in a frame between its query frame and this one."""


def point_states(
    xy: NDArray[np.float32],
    visible: NDArray[np.bool_],
    frame_size: tuple[int, int],
    border: float = 0.0,
) -> NDArray[np.int8]:
    """Return (N,) values of `PointState`.

    Args:
        xy: (N, 2) x, y in pixels.
        visible: (N,) whether the tracker sees each point.
        frame_size: (width, height).
        border: points closer to the edge than this share of the side count as outside, as SAM-PT
            counts it.
    """
    states = np.where(visible, PointState.VISIBLE, PointState.HIDDEN)
    return np.where(outside(xy, frame_size, border), PointState.OUTSIDE, states).astype(np.int8)


def outside(
    xy: NDArray[np.float32], frame_size: tuple[int, int], border: float
) -> NDArray[np.bool_]:
    """Whether (N, 2) points lie outside the picture, or in its border as SAM-PT counts it.

    Args:
        xy: x then y in pixels.
        frame_size: (width, height).
        border: points closer to the edge than this share of the side count as outside.
    """
    share = xy / np.asarray(frame_size, np.float32)
    beyond = (share < border) | (share > 1 - border)
    last = np.asarray(frame_size, np.float32) - 0.5
    return np.asarray((beyond | (xy < -0.5) | (xy > last)).any(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class PointTable(Table):
    """The tracked points of one frame, one row each.

    Attributes:
        ids: (N,) int64, the same for a point in every frame.
        object_ids: (N,) int64, the object that each point belongs to.
        labels: (N,) int8, 1 on the object, 0 off it.
        xy: (N, 2) float32, x then y in pixels; may lie outside the picture.
        confidence: (N,) float32 in [0, 1], from the tracker.
        states: (N,) int8, values of `PointState`.
    """

    ids: NDArray[np.int64] = field(metadata=column(np.int64))
    object_ids: NDArray[np.int64] = field(metadata=column(np.int64))
    labels: NDArray[np.int8] = field(metadata=column(np.int8))
    xy: NDArray[np.float32] = field(metadata=column(np.float32, 2))
    confidence: NDArray[np.float32] = field(metadata=column(np.float32))
    states: NDArray[np.int8] = field(metadata=column(np.int8))

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(N,) bool: seen by the tracker and not refused for another reason: used as a prompt."""
        return np.asarray(self.states == PointState.VISIBLE)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectResult:
    """One object in one frame.

    Attributes:
        object_id: the user's id.
        mask: (H, W) bool; all false when the object is not visible. Objects do not overlap
            unless that was asked for.
        score: the segmenter's estimate of the intersection over union with the truth, in
            [0, 1]; kept when the mask was dropped for it.
        logits: (h, w) float32 of the segmenter before merging, at low resolution; None unless
            `SegmentationSettings.keep_logits` asks for them. Larger than 0 is the object. A network
            of the SAM family gives its own map as it is, (256, 256) over the picture padded on the
            right or below to a square; any other map covers the picture, and one whose longest
            side is more than 256 is reduced to that by averaging areas.
        prompted: false if no point was there to look for the object with; then its mask is empty
            and the score says nothing.
    """

    object_id: int
    mask: NDArray[np.bool_]
    score: float
    logits: NDArray[np.float32] | None = None
    prompted: bool = True

    @property
    def doubtful(self) -> bool:
        """Whether the mask is scored so low that a person should look at it."""
        return self.prompted and self.score < LOOK_BELOW

    @property
    def visible(self) -> bool:
        """Whether the object has at least one pixel in this frame."""
        return bool(self.mask.any())


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """All that is known about one frame.

    Attributes:
        index: 0-based number of the frame in its source.
        time: presentation time in seconds.
        image: (H, W, 3) uint8, RGB.
        objects: the objects that live in this frame, by rising id.
        points: the tracked points of all objects with their states.
        trails: (N, L, 2) float32, where each point was in the last L frames, this one last; NaN
            where it was not seen. None unless trails were asked for.
    """

    index: int
    time: float
    image: Image
    objects: tuple[ObjectResult, ...]
    points: PointTable
    trails: NDArray[np.float32] | None = None

    @property
    def masks(self) -> dict[int, NDArray[np.bool_]]:
        """Object id to (H, W) bool mask."""
        return {item.object_id: item.mask for item in self.objects}

    @property
    def scores(self) -> dict[int, float]:
        """Object id to score in [0, 1]."""
        return {item.object_id: item.score for item in self.objects}

    def index_map(self) -> NDArray[np.uint8]:
        """Return (H, W) uint8: 0 for background, else the object id.

        Where objects overlap (only if overlapping masks were asked for), the higher id wins.
        """
        indices = np.zeros(self.image.shape[:2], np.uint8)
        for item in self.objects:
            indices[item.mask] = item.object_id
        return indices

    def foreground(self) -> NDArray[np.bool_]:
        """Return (H, W) bool: the pixels of any object."""
        mask = np.zeros(self.image.shape[:2], np.bool_)
        for item in self.objects:
            mask |= item.mask
        return mask

    def cut_out(self) -> NDArray[np.uint8]:
        """Return (H, W, 4) uint8 RGBA: the objects' pixels opaque, all others zero."""
        inside = self.foreground()[..., None]
        return np.concatenate([self.image * inside, inside * np.uint8(255)], axis=2)
