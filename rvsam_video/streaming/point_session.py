"""Tracking points alone: `track_points` for programs, `PointSession` for runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rvsam_video.frame import Frame, check_next
from rvsam_video.images import frames_of
from rvsam_video.methods import AUTO, Method
from rvsam_video.points.queries import DEFAULT_GRID, PointRequest, query_points
from rvsam_video.results import FrameResult, PointTable, point_states
from rvsam_video.snapshot import Arrays, frames_from_arrays, frames_to_arrays, nested, prefixed
from rvsam_video.sources import open_source, prefetch
from rvsam_video.sources.opening import is_place
from rvsam_video.streaming.engine import DECODE_AHEAD
from rvsam_video.trackers.base import (
    PointTracker,
    QueryPoints,
    TrackedPoints,
    TrackerState,
)


def track_points(
    source: str | bytes | Path | int | BinaryIO | Iterable[object],
    queries: ArrayLike | None = None,
    *,
    grid: int = DEFAULT_GRID,
    query_frame: int = 0,
    tracker: str | PointTracker = AUTO,
    device: str = "auto",
    fps: float | None = None,
) -> Iterator[TrackedPoints]:
    """Follow points through a video; answers come while it is being read.

    Args:
        source: whatever `open_source` takes (a file, folder, glob, camera, stream), or frames, as
            `VideoSegmenter.track` takes them.
        queries: (N, 3) frame, x, y, or (N, 2) x, y in frame 0; pixels. None takes a grid.
        grid: points on each side of the grid.
        query_frame: index of the frame that the grid starts in.
        tracker: a registry name (see `rvsam_video.trackers.tracker_names`) or an own tracker;
            "auto" takes the best one whose weights are on this machine, else lucas-kanade.
        device: "auto", or a PyTorch device; for trackers with a network.
        fps: frames per second of pictures, in files or as arrays; None takes 25.

    Yields:
        one answer per frame, in order; ids are rows of `queries`, or of the grid row by row. A
        point is in it from its own frame on.

    Raises:
        SourceError: if the source cannot be read.
        PromptError: if a query does not fit the frames.
        UsageError: if the tracker is unknown.

    Example:
        >>> from rvsam_video.demos.synthetic import SyntheticClip
        >>> for points in track_points(SyntheticClip(frames=2), [[200, 100], [320, 180]]):
        ...     print(points.frame_index, points.ids, points.visible)
        0 [0 1] [ True  True]
        1 [0 1] [ True  True]
    """
    if isinstance(tracker, str):
        tracker = Method(tracker=tracker, device=device).resolve_tracker().load_tracker()
    chosen = tracker

    def starting(size: tuple[int, int]) -> QueryPoints:
        if queries is not None:
            return query_points(queries, size)
        return PointRequest(grid=grid, query_frame=query_frame).points(size)[0]

    if not is_place(source):
        yield from _follow(chosen, frames_of(source, fps), starting)
        return
    with open_source(source, fps=fps) as opened, closing(prefetch(opened, DECODE_AHEAD)) as frames:
        yield from _follow(chosen, frames, starting)


def _follow(
    tracker: PointTracker,
    frames: Iterable[Frame],
    starting: Callable[[tuple[int, int]], QueryPoints],
) -> Iterator[TrackedPoints]:
    state: TrackerState | None = None
    last: Frame | None = None
    for frame in frames:
        check_next(frame, last)
        if state is None:
            state = tracker.start(frame.size)
            state.add(starting(frame.size))
        last = frame
        yield from state.push(frame)
    if state is not None:
        yield from state.flush()


class PointSession:
    """Follows points alone through one video whose frames arrive one at a time.

    Its results have no objects. All points are known from the start, as trackers that follow
    points together want it.

    Args:
        tracker: follows the points.
        queries: the points, numbered 0, 1, 2 and so on.
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
        self._trails = np.full((len(queries), trail, 2), np.nan, np.float32)

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
            | {"waiting": np.array(len(self._waiting)), "trails": self._trails.copy()}
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
        self._trails = np.asarray(arrays["trails"], np.float32)

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
            frame.index, frame.time, frame.image, (), table, self._follow_trails(table)
        )

    def _follow_trails(self, points: PointTable) -> NDArray[np.float32] | None:
        """Move all trails on by a frame; return those of the points that live in it."""
        if not self._trails.shape[1]:
            return None
        trails = np.roll(self._trails, -1, axis=1)
        trails[:, -1] = np.nan
        seen = points.visible
        trails[points.ids[seen], -1] = points.xy[seen]
        self._trails = trails
        return trails[points.ids]
