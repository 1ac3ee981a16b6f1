"""`PointStore`: all that is remembered of the tracked points, one row each, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...snapshot import Arrays
from ..base import QueryPoints

_PREFIX = "points."


@dataclass(slots=True, eq=False)
class PointStore:
    """The points of one video.

    Attributes:
        ids: (N,) int64.
        frames: (N,) int64, frame from which a point is followed.
        xy: (N, 2) float32, last known or predicted place, x then y in pixels.
        velocity: (N, 2) float32, smoothed motion in pixels per frame.
        started: (N,) bool, whether that frame has come.
        visible: (N,) bool.
        confidence: (N,) float32 in [0, 1].
        unseen: (N,) int64, frames since the point was last visible.
        anchor: (N, side, side, 3) float32, the patch around it in its first frame.
        recent: (N, side, side, 3) float32, the same, slowly following its appearance.
    """

    ids: NDArray[np.int64]
    frames: NDArray[np.int64]
    xy: NDArray[np.float32]
    velocity: NDArray[np.float32]
    started: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    unseen: NDArray[np.int64]
    anchor: NDArray[np.float32]
    recent: NDArray[np.float32]

    @classmethod
    def empty(cls, patch_side: int) -> PointStore:
        """Return a store without points, for patches of this many pixels a side."""
        nothing = QueryPoints(
            np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2), np.float32)
        )
        return cls._waiting(nothing, patch_side)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> PointStore:
        """Rebuild a store from what `arrays` returned."""
        values: dict[str, Any] = {
            item.name: np.array(arrays[_PREFIX + item.name]) for item in fields(cls)
        }
        return cls(**values)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays, by name."""
        return {_PREFIX + item.name: getattr(self, item.name).copy() for item in fields(self)}

    def append(self, queries: QueryPoints) -> None:
        """Add points that have not started yet."""
        new = self._waiting(queries, self.anchor.shape[1])
        for item in fields(self):
            pair = (getattr(self, item.name), getattr(new, item.name))
            setattr(self, item.name, np.concatenate(pair))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop all points but those marked in `rows`, (N,) bool."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name)[rows])

    @classmethod
    def _waiting(cls, queries: QueryPoints, patch_side: int) -> PointStore:
        count = len(queries)
        patches = np.zeros((count, patch_side, patch_side, 3), np.float32)
        return cls(
            ids=queries.ids.astype(np.int64),
            frames=queries.frames.astype(np.int64),
            xy=queries.xy.astype(np.float32),
            velocity=np.zeros((count, 2), np.float32),
            started=np.zeros(count, np.bool_),
            visible=np.zeros(count, np.bool_),
            confidence=np.zeros(count, np.float32),
            unseen=np.zeros(count, np.int64),
            anchor=patches,
            recent=patches.copy(),
        )
