"""`Picture` and `Motion`: how every pixel of a picture moved since the picture before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image

Grey = NDArray[np.uint8]
Flow = NDArray[np.float32]
"""(h, w, 2) float32, x then y, in pixels of the reduced picture that it was measured in."""

_SHORTEST_SIDE = 16
"""The flow's patches are 8 pixels wide and it halves the picture at least once."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The motion between two pictures, at reduced resolution.

    Attributes:
        back: (h, w, 2), from each pixel of the later picture to where it was in the earlier one.
        ahead: (h, w, 2), from each pixel of the earlier picture to where it is in the later one.
        mismatch: (h, w) float32, by how many pixels going back and ahead again misses.
    """

    back: Flow
    ahead: Flow
    mismatch: NDArray[np.float32]


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
        size = tuple(max(_SHORTEST_SIDE, round(side * scale)) for side in (width, height))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cls(image, np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.image.shape[:2]
        return width, height

    def motion_since(self, before: Grey) -> Motion:
        """Return the motion since the picture whose reduced brightness is given."""
        key = hashlib.blake2b(before.tobytes(), digest_size=16).digest()
        if key not in self.motions:
            self.motions[key] = measure_motion(before, self.grey)
        return self.motions[key]


def measure_motion(before: Grey, now: Grey) -> Motion:
    """Measure dense motion both ways by inverse search (DIS, Kroeger et al., 2016)."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    blank = np.zeros((*now.shape, 2), np.float32)
    back = np.asarray(flow.calc(now, before, blank), np.float32)
    ahead = np.asarray(flow.calc(before, now, blank.copy()), np.float32)
    again = _sample(ahead, back)
    mismatch = np.linalg.norm(back + again, axis=2)
    return Motion(back, ahead, np.asarray(mismatch, np.float32))


def _sample(values: Flow, offsets: Flow) -> Flow:
    """Read `values` at every pixel plus its offset."""
    height, width = offsets.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] + offsets[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + offsets[..., 1]
    return np.asarray(
        cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
