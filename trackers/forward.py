"""`ForwardClip`: a streaming tracker as one for whole clips, forward from the query frames only."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rvsam_video.trackers.base import FramesFactory, PointTracker, QueryPoints, TrackedPoints


class ForwardClip:
    """Follows points with a streaming tracker; before its own frame a point is hidden.

    Args:
        tracker: any streaming tracker.

    Attributes:
        name: that of the streaming tracker.
    """

    def __init__(self, tracker: PointTracker) -> None:
        self.name = tracker.name
        self._tracker = tracker

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterator[TrackedPoints]:
        """Follow points through all frames; see `ClipTracker`."""
        state = None
        for frame in frames():
            if state is None:
                state = self._tracker.start(frame.size)
                state.add(queries)
            for answer in state.push(frame):
                yield _with_all(answer, queries)
        if state is not None:
            for answer in state.flush():
                yield _with_all(answer, queries)


def _with_all(answer: TrackedPoints, queries: QueryPoints) -> TrackedPoints:
    """Add the points that do not live yet, hidden at their query position."""
    count = len(queries)
    xy = queries.xy.copy()
    visible, confidence = np.zeros(count, np.bool_), np.zeros(count, np.float32)
    _, rows, found = np.intersect1d(
        queries.ids, answer.ids, assume_unique=True, return_indices=True
    )
    xy[rows], confidence[rows] = answer.xy[found], answer.confidence[found]
    visible[rows] = answer.visible[found]
    return TrackedPoints(answer.frame_index, queries.ids, xy, visible, confidence)
