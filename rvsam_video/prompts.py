"""Prompts: what a user says about an object in a frame, and the forms in which it can be said."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What is known about one object in one frame.

    Attributes:
        object_id: the user's id, 1 to 255 (a palette PNG holds no more).
        frame: 0-based index of the frame that the prompt belongs to.
        points: (N, 2) float32, x then y in pixels of the displayed frame.
        labels: (N,) int8, 1 on the object, 0 off it.
        box: (4,) float32 x0, y0, x1, y1 in pixels, or None.
        mask: (H, W) bool of the frame's size, or None.
    """

    object_id: int = 1
    frame: int = 0
    points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    box: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None
