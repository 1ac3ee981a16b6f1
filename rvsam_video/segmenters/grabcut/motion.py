"""`Picture` and `Motion`: how every pixel of a picture moved since the picture before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Crop, Map

Grey = NDArray[np.uint8]

SHORTEST_SIDE = 16
"""The flow's patches are 8 pixels wide and it halves the picture at least once."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The motion between two pictures, measured at reduced resolution.

    Attributes:
        grid: the whole picture at that resolution.
        back_x: (h, w) float32, from each pixel of the later picture to where it was in the
            earlier one, in pixels of the picture.
        back_y: the same downwards.
        mismatch: (h, w) float32, by how many pixels going back and ahead again misses.
        places: x and y in the picture of the grid's pixels, (h, w) float32 each.
    """

    grid: Crop
    back_x: Map
    back_y: Map
    mismatch: Map
    places: tuple[Map, Map]

    def back(self, x: Map, y: Map) -> tuple[Map, Map]:
        """Return how far from x, y in the later picture things were in the earlier one."""
        return self.grid.sample(self.back_x, x, y), self.grid.sample(self.back_y, x, y)


@dataclass(slots=True, eq=False)
class Picture:
    """What all objects of a picture share.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        grey: (h, w) uint8, its brightness, reduced.
        motions: the motion since each earlier picture that was asked for, by the picture's hash;
            objects of one video share one entry, and give the picture as part of their memory.
    """

    image: Image
    grey: Grey
    motions: dict[bytes, Motion] = field(default_factory=dict)

    @classmethod
    def of(cls, image: Image, longest_side: int) -> Picture:
        """Prepare a picture; motion is measured with at most `longest_side` pixels a side."""
        height, width = image.shape[:2]
        scale = min(1.0, longest_side / max(height, width))
        # Thin pictures are enlarged rather than refused.
        size = tuple(max(SHORTEST_SIDE, round(side * scale)) for side in (width, height))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cls(image, np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    def motion_since(self, before: Grey) -> Motion:
        """Return the motion since the picture whose reduced brightness is given."""
        # By content: a memory restored from a file holds an equal picture, not the same one.
        key = hashlib.blake2b(before.tobytes(), digest_size=16).digest()
        if key not in self.motions:
            self.motions[key] = measure_motion(before, self.grey, self.size)
        return self.motions[key]


def flow(start: Grey, end: Grey, *, fast: bool = False) -> NDArray[np.float32]:
    """Return (h, w, 2) float32: by how many pixels, x then y, each of `start` moved in `end`.

    By inverse search (DIS, Kroeger et al., 2016); no side may be shorter than SHORTEST_SIDE.
    `fast` ends the search at half the resolution, in less than half the time.
    """
    preset = cv2.DISOPTICAL_FLOW_PRESET_FAST if fast else cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    # A new engine each time: one that has run before starts from what it found then.
    engine = cv2.DISOpticalFlow.create(preset)
    return np.asarray(engine.calc(start, end, np.zeros((*start.shape, 2), np.float32)), np.float32)


def measure_motion(before: Grey, now: Grey, size: tuple[int, int]) -> Motion:
    """Measure dense motion both ways.

    Args:
        before: (h, w) uint8, the earlier picture's brightness, reduced.
        now: the same of the later picture.
        size: (width, height) of the picture itself.
    """
    back, ahead = flow(now, before), flow(before, now)
    height, width = now.shape
    x = np.arange(width, dtype=np.float32)[None] + back[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + back[..., 1]
    # Where the way back and ahead again does not end where it began, one of both is wrong:
    # something is hidden there, or has no texture.
    again = cv2.remap(ahead, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # To picture pixels, axis by axis: rounded sizes do not shrink both alike.
    unit = np.array(size, np.float32) / np.array([width, height], np.float32)
    mismatch = np.linalg.norm((back + again) * unit, axis=2)
    grid = Crop(0, 0, *size, width, height)
    return Motion(
        grid=grid,
        back_x=np.ascontiguousarray(back[..., 0] * unit[0]),
        back_y=np.ascontiguousarray(back[..., 1] * unit[1]),
        mismatch=np.asarray(mismatch, np.float32),
        places=grid.grid(),
    )
