"""`PointSession`: points alone, followed through one video."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame, check_next
from rvsam_video.results import FrameResult, PointTable, point_states
from rvsam_video.snapshot import Arrays, frames_from_arrays, frames_to_arrays, nested, prefixed
from rvsam_video.trackers.base import (
    PointTracker,
    QueryPoints,
    TrackedPoints,
    TrackerState,
)


class Trails:
    """Where points were in the last frames.

    Args:
        count: how many points there are; their ids are 0, 1, 2 and so on.
        length: frames of a trail; 0 for none.

    Attributes:
        rows: (count, length, 2) float32 x, y, the newest last; NaN where a point was not seen.
    """

    def __init__(self, count: int, length: int) -> None:
        self.rows = np.full((count, length, 2), np.nan, np.float32)

    def follow(self, points: PointTable) -> NDArray[np.float32] | None:
        """Move all trails on by a frame; return those of the points that live in it."""
        if not self.rows.shape[1]:
            return None
        rows = np.roll(self.rows, -1, axis=1)
        rows[:, -1] = np.nan
        seen = points.visible
        rows[points.ids[seen], -1] = points.xy[seen]
        self.rows = rows
        return rows[points.ids]


class PointSession:
    """Follows points alone through one video whose frames arrive one at a time.

    Its results have no objects. All points are known from the start, as trackers that follow
    points together want it.

    Args:
        tracker: follows the points.
        queries: the points; their ids are rows of `object_ids`.
        object_ids: (N,) int64, the object that each point belongs to, 0 for none.
        trail: frames of the trails in the results; 0 leaves them out.
    """

    def __init__(
        self,
        tracker: PointTracker,
        queries: QueryPoints,
        object_ids: NDArray[np.int64],
        trail: int = 0,
    ) -> None:
        self._tracker = tracker
        self._queries = queries
        self._object_ids = object_ids
        self._state: TrackerState | None = None
        self._waiting: deque[Frame] = deque()
        self._last: Frame | None = None
        self._trails = Trails(len(object_ids), trail)

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""
        return -1 if self._last is None else self._last.index

    @property
    def pending(self) -> NDArray[np.int64]:
        """(N,) query frames that have not come yet, rising."""
        frames = self._queries.frames
        return np.unique(frames[frames > self.last_index])

    def push(self, frame: Frame) -> list[FrameResult]:
        """Take the next frame; return the results that became final, in order.

        Raises:
            UsageError: if the frame has another size than the first, or its index does not rise.
        """
        check_next(frame, self._last)
        if self._state is None:
            self._state = self._tracker.start(frame.size)
            self._state.add(self._queries)
        self._waiting.append(frame)
        self._last = frame
        return self._finish(self._state.push(frame))

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back by the tracker's lookahead."""
        return [] if self._state is None else self._finish(self._state.flush())

    def snapshot(self) -> Arrays:
        """Return everything that later results depend on, as plain arrays."""
        if self._state is None or self._last is None:
            return {}
        frames = list(self._waiting) or [self._last]
        return (
            prefixed("tracker", self._state.snapshot())
            | prefixed("frames", frames_to_arrays(frames))
            | {"waiting": np.array(len(self._waiting)), "trails": self._trails.rows.copy()}
        )

    def restore(self, arrays: Arrays) -> None:
        """Continue where `snapshot` was taken, with the same results to the last bit.

        To be called on a new session, made with the same arguments.
        """
        if not arrays:
            return
        frames = frames_from_arrays(nested("frames", arrays))
        self._last = frames[-1]
        self._state = self._tracker.start(self._last.size)
        self._state.restore(nested("tracker", arrays))
        self._waiting = deque(frames if int(arrays["waiting"]) else ())
        self._trails.rows = np.asarray(arrays["trails"], np.float32)

    def _finish(self, tracked: Sequence[TrackedPoints]) -> list[FrameResult]:
        return [self._result(self._waiting.popleft(), points) for points in tracked]

    def _result(self, frame: Frame, tracked: TrackedPoints) -> FrameResult:
        table = PointTable(
            ids=tracked.ids,
            object_ids=self._object_ids[tracked.ids],
            labels=np.ones(len(tracked.ids), np.int8),
            xy=tracked.xy,
            confidence=tracked.confidence,
            states=point_states(tracked.xy, tracked.visible, frame.size),
        )
        return FrameResult(
            frame.index, frame.time, frame.image, (), table, self._trails.follow(table)
        )
