"""`GroupPoints`: what is known of the points of one query group, one row each."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.trackers.base import Arrays

SUPPORT = -1
"""Id of support points; they are never given out."""

NOT_YET = np.iinfo(np.int64).max // 4
"""Number of a frame that has not come."""


@dataclass(slots=True, eq=False)
class GroupPoints:
    """The points of one group, in the order they were added.

    Attributes:
        ids: (N,) int64, `SUPPORT` for support points.
        order: (N,) int64, rising in the order of adding over all groups.
        indices: (N,) int64, index of the query frame in the source.
        frames: (N,) int64, query frame counted from the first frame pushed, `NOT_YET` before it
            has come.
        joined: (N,) int64, first frame of the first window that a point was followed in, -1
            before that.
        given: (N, 2) float32, query places, x then y in frame pixels.
        cells: (N, 2) float32, the same in cells of the network's features.
    """

    ids: NDArray[np.int64]
    order: NDArray[np.int64]
    indices: NDArray[np.int64]
    frames: NDArray[np.int64]
    joined: NDArray[np.int64]
    given: NDArray[np.float32]
    cells: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of points, support points included."""
        return len(self.ids)

    @classmethod
    def create(
        cls,
        *,
        ids: NDArray[np.int64],
        order: int,
        indices: NDArray[np.int64],
        frames: NDArray[np.int64],
        given: NDArray[np.float32],
        cells: NDArray[np.float32],
    ) -> GroupPoints:
        """Return points that no window has followed yet; their order counts on from `order`."""
        return cls(
            ids=np.array(ids, np.int64),
            order=order + np.arange(len(ids), dtype=np.int64),
            indices=np.array(indices, np.int64),
            frames=np.array(frames, np.int64),
            joined=np.full(len(ids), -1, np.int64),
            given=np.array(given, np.float32),
            cells=np.array(cells, np.float32),
        )

    @classmethod
    def empty(cls) -> GroupPoints:
        """Return no points."""
        none, nowhere = np.zeros(0, np.int64), np.zeros((0, 2), np.float32)
        return cls.create(
            ids=none, order=0, indices=none, frames=none, given=nowhere, cells=nowhere
        )

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> GroupPoints:
        """Undo `arrays`."""
        values: dict[str, Any] = {item.name: np.array(arrays[item.name]) for item in fields(cls)}
        return cls(**values)

    @property
    def support(self) -> NDArray[np.bool_]:
        """(N,) bool, which are support points."""
        return np.equal(self.ids, SUPPORT)

    def joined_by(self, other: GroupPoints) -> GroupPoints:
        """Return these points and then the others."""
        pairs = [
            (getattr(self, item.name), getattr(other, item.name)) for item in fields(GroupPoints)
        ]
        return GroupPoints(*(np.concatenate(pair) for pair in pairs))

    def only(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> GroupPoints:
        """Return the points marked in `rows`, (N,) bool, or of these row numbers."""
        return GroupPoints(*(getattr(self, item.name)[rows] for item in fields(GroupPoints)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays, by name."""
        return {item.name: getattr(self, item.name).copy() for item in fields(self)}
