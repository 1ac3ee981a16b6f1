"""What a TAPIR state asks of whatever runs the network: PyTorch, or a runtime of exported files.

Places are (x, y) in pixels of a picture of 256x256, the centre of whose first pixel is at
(0.5, 0.5), whatever the size of the pictures that the network sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...frame import Image
from ...snapshot import Arrays

Encoded = Any
"""What the network makes of a picture; only the engine that made it reads it."""

STEPS, BLOCKS, COPIES, WIDTH = 4, 12, 4, 512
"""Refinements at each size, blocks of the mixer in each of them, the copies that a block makes of
its input for a while, and the width of that."""

MEMORY_SHAPE = (STEPS, 2, BLOCKS, 1 + COPIES, WIDTH)
"""What is remembered of a point for one size: for each refinement two frames, of those per block
its input and the copies. However long it is followed, that is 983 040 bytes."""


@dataclass(slots=True, eq=False)
class PointRows:
    """N points as the network knows them, in arrays of the engine's kind.

    Attributes:
        queries: (N, sizes, 384) float32, what was under them when they were given, at each size.
        memory: (N, 4 sizes, 2, 12, 5, 512) float32: for each refinement what is remembered of two
            frames; see `mixer.Past`.
        turn: which of the two is the older one, 0 or 1. The new one takes its place, and the other
            becomes the older: so nothing is moved.
    """

    queries: Any
    memory: Any
    turn: int = 0

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.queries)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where N points are in a frame.

    Attributes:
        xy: (N, 2) float32 places.
        logits: (N, 2) float32: hidden, and far off.
    """

    xy: NDArray[np.float32]
    logits: NDArray[np.float32]

    def confidence(self) -> NDArray[np.float32]:
        """Return how surely each point is seen, and near the place: (N,) float32 from 0 to 1."""
        # Of both logits, what the sigmoid leaves to 1; their product without overflow.
        chances = np.exp(-np.logaddexp(np.float32(0), self.logits).sum(1))
        return np.asarray(chances, np.float32)


class Engine(Protocol):
    """Runs the causal network, without state: that is in the `PointRows`.

    Attributes:
        side: of the square pictures that are encoded, in pixels.
    """

    side: int

    def encode(self, picture: Image) -> Encoded:
        """Encode a (side, side, 3) uint8 RGB picture."""

    def start(self, encoded: Encoded, xy: NDArray[np.float32]) -> PointRows:
        """Describe points at (N, 2) places of a picture; nothing is remembered of them yet."""

    def follow(self, encoded: Encoded, rows: PointRows) -> Found:
        """Find points in one more picture, and remember it in the rows."""

    def join(self, parts: Sequence[PointRows]) -> PointRows:
        """Put rows below each other."""

    def take(self, rows: PointRows, chosen: NDArray[np.bool_]) -> PointRows:
        """Return the points marked in `chosen`, (N,) bool."""

    def arrays(self, rows: PointRows) -> Arrays:
        """Return rows as plain arrays."""

    def rows(self, arrays: Arrays) -> PointRows:
        """Undo `arrays`."""
