"""`PointBook`: which tracked point belongs to which object, and how long it has been hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rvsam_video.results import PointState, PointTable, outside
from rvsam_video.snapshot import Arrays
from rvsam_video.tables import Table, column
from rvsam_video.trackers.base import TrackedPoints

Judge = Callable[[NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]], NDArray[np.int8]]
"""From ids, (N, 2) places and states of points to their states."""

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class BookRows(Table):
    """The living points, by rising id.

    Attributes:
        ids: (N,) int64.
        object_ids: (N,) int64, the object that each point belongs to.
        labels: (N,) int8, 1 on the object, 0 off it.
        given: (N,) bool, by the user: never forgotten for want of room.
        from_frame: (N,) int64, first frame in which a point counts.
        until_frame: (N,) int64, first frame in which it counts no more.
        hidden_for: (N,) int64, frames since it was last visible.
    """

    ids: NDArray[np.int64] = field(metadata=column(np.int64))
    object_ids: NDArray[np.int64] = field(metadata=column(np.int64))
    labels: NDArray[np.int8] = field(metadata=column(np.int8))
    given: NDArray[np.bool_] = field(metadata=column(np.bool_))
    from_frame: NDArray[np.int64] = field(metadata=column(np.int64))
    until_frame: NDArray[np.int64] = field(metadata=column(np.int64))
    hidden_for: NDArray[np.int64] = field(metadata=column(np.int64))


@dataclass(slots=True)
class PointBook:
    """The rows of all living points, and the id that the next one gets: no id comes twice."""

    rows: BookRows = field(default_factory=BookRows.empty)
    next_id: int = 0

    def add(
        self, object_id: int, labels: NDArray[np.int8], *, frame: int, given: bool
    ) -> NDArray[np.int64]:
        """Enter one point per label; return their new ids, (N,) int64."""
        new = BookRows.zeros(len(labels))
        new.ids[:] = np.arange(self.next_id, self.next_id + len(labels))
        new.object_ids[:] = object_id
        new.labels[:] = labels
        new.given[:] = given
        new.from_frame[:] = frame
        new.until_frame[:] = _NEVER
        self.rows = self.rows.then(new)
        self.next_id += len(labels)
        return new.ids

    def drop(self, ids: NDArray[np.int64]) -> None:
        """Forget these points."""
        self.rows = self.rows.take(~np.isin(self.rows.ids, ids))

    def retire(self, object_id: int, frame: int, *, given: bool = True) -> None:
        """Let the present points of the object end before `frame`, maybe but for those given."""
        rows = self.rows
        ending = (rows.object_ids == object_id) & (rows.until_frame > frame)
        rows.until_frame[ending & (given | ~rows.given)] = frame

    def ids_of(self, object_id: int) -> NDArray[np.int64]:
        """Ids of the object's points, (N,) int64."""
        return np.asarray(self.rows.ids[self.rows.object_ids == object_id])

    def given_ids(self, object_id: int) -> NDArray[np.int64]:
        """Ids of the points that the user gave for an object, (N,) int64."""
        return np.asarray(self.rows.ids[(self.rows.object_ids == object_id) & self.rows.given])

    def retired(self, frame: int) -> NDArray[np.int64]:
        """Ids of the points that no frame after `frame` needs."""
        return self.rows.ids[self.rows.until_frame <= frame + 1]

    def surplus(self, object_id: int, keep: int) -> NDArray[np.int64]:
        """Ids of the object's chosen positive points beyond `keep`, the longest hidden first."""
        rows = self.rows
        chosen = rows.take((rows.object_ids == object_id) & ~rows.given & (rows.labels == 1))
        excess = max(len(chosen) - keep, 0)
        # Stable: of those hidden equally long the oldest go first.
        order = np.argsort(-chosen.hidden_for, kind="stable")
        return chosen.ids[order[:excess]]

    def table(
        self,
        tracked: TrackedPoints,
        frame_size: tuple[int, int],
        border: float,
        judge: Judge | None = None,
    ) -> PointTable:
        """Join the tracker's answer with the book, and count how long points are hidden.

        Args:
            tracked: one frame's answer.
            frame_size: (width, height).
            border: points closer to the edge than this share of the side count as outside.
            judge: may find further reasons not to use a point.

        Returns:
            the points that count in this frame, by rising id.
        """
        rows, index = self.rows, tracked.frame_index
        lives = np.flatnonzero((rows.from_frame <= index) & (index < rows.until_frame))
        _, known, found = np.intersect1d(
            rows.ids[lives], tracked.ids, assume_unique=True, return_indices=True
        )
        at = lives[known]
        own, xy = rows.take(at), tracked.xy[found].astype(np.float32)
        seen = tracked.visible[found]
        states = np.where(seen, PointState.VISIBLE, PointState.HIDDEN).astype(np.int8)
        if judge is not None:
            states = judge(own.ids, xy, states)
        # Last, as in SAM-PT: a place outside is the reason shown, whatever else there was.
        beyond = outside(xy, frame_size, border)
        states = np.where(beyond, PointState.OUTSIDE, states).astype(np.int8)
        rows.hidden_for[at] = np.where(states == PointState.VISIBLE, 0, own.hidden_for + 1)
        return PointTable(
            ids=own.ids,
            object_ids=own.object_ids,
            labels=own.labels,
            xy=xy,
            confidence=tracked.confidence[found].astype(np.float32),
            states=states,
        )

    def snapshot(self) -> Arrays:
        """Return the book as plain arrays."""
        return self.rows.to_arrays() | {"next_id": np.array(self.next_id)}

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` returned."""
        self.rows = BookRows.from_arrays(arrays)
        self.next_id = int(arrays["next_id"])
