"""Points of a whole clip described before it is followed: a first run through it.

TAPIR looks for points in every frame anew, so it can also say where they were before their own
frame. The public evaluation follows all of them from the first frame of a clip on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...frame import Image
from ..base import FramesFactory, QueryPoints
from .engine import Encoded
from .geometry import SquareGeometry
from .points import KnownPoints


class _Encoder(Protocol):
    side: int

    def encode(self, picture: Image) -> Encoded:
        """Encode a (side, side, 3) uint8 RGB picture."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryFrame:
    """A frame of a clip that points were given for.

    Attributes:
        number: of the frame, counted from the first.
        encoded: what the network makes of it.
        points: those that begin in it; their frame is its index.
        xy: (N, 2) float32, their places as engines take them.
    """

    number: int
    encoded: Encoded
    points: KnownPoints
    xy: NDArray[np.float32]


def query_frames(
    frames: FramesFactory, queries: QueryPoints, encoder: _Encoder
) -> Iterator[QueryFrame]:
    """Yield the frames that points were given for, encoded; others are only read."""
    waiting = KnownPoints.of(queries)
    for number, frame in enumerate(frames()):
        due = waiting.frames <= frame.index
        if due.any():
            geometry = SquareGeometry(frame.size, encoder.side)
            points = waiting.only(due).from_frame(frame.index)
            encoded = encoder.encode(geometry.picture(frame.image))
            yield QueryFrame(number, encoded, points, geometry.to_network(points.given))
            waiting = waiting.only(~due)
        if not len(waiting):
            return
