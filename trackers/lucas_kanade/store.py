"""`PointStore`: all that is remembered of the tracked points, one row each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...tables import Table, column
from ..base import QueryPoints


@dataclass(frozen=True, slots=True, eq=False)
class PointStore(Table):
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

    ids: NDArray[np.int64] = field(metadata=column(np.int64))
    frames: NDArray[np.int64] = field(metadata=column(np.int64))
    xy: NDArray[np.float32] = field(metadata=column(np.float32, 2))
    velocity: NDArray[np.float32] = field(metadata=column(np.float32, 2))
    started: NDArray[np.bool_] = field(metadata=column(np.bool_))
    visible: NDArray[np.bool_] = field(metadata=column(np.bool_))
    confidence: NDArray[np.float32] = field(metadata=column(np.float32))
    unseen: NDArray[np.int64] = field(metadata=column(np.int64))
    anchor: NDArray[np.float32] = field(metadata=column(np.float32, "side", "side", 3))
    recent: NDArray[np.float32] = field(metadata=column(np.float32, "side", "side", 3))

    @classmethod
    def waiting(cls, queries: QueryPoints, side: int) -> PointStore:
        """Return points that have not started yet, with patches of so many pixels a side."""
        points = cls.zeros(len(queries), side=side)
        points.ids[:], points.frames[:], points.xy[:] = queries.ids, queries.frames, queries.xy
        return points
