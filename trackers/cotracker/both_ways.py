"""`BothWays`: CoTracker 1 through whole clips, as SAM-PT runs it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rvsam_video.trackers.base import FramesFactory, QueryPoints, TrackedPoints
from rvsam_video.trackers.cotracker.sam_pt import track_both_ways
from rvsam_video.trackers.cotracker.tracker import CoTracker
from rvsam_video.trackers.frames_on_demand import FramesOnDemand


class BothWays:
    """Follows points forward, and backward to the frames before their own.

    Args:
        tracker: a CoTracker of version 1; its settings are not used, SAM-PT has its own.

    Attributes:
        name: that of the tracker.
    """

    def __init__(self, tracker: CoTracker) -> None:
        self.name = tracker.name
        self._inference = tracker.inference

    def track_clip(self, frames: FramesFactory, queries: QueryPoints) -> Iterator[TrackedPoints]:
        """Follow points through all frames; see `ClipTracker`.

        Raises:
            ValueError: if a query names a frame that the clip does not have.
        """
        images = FramesOnDemand(frames)
        positions = np.searchsorted(images.indices, queries.frames)
        known = np.isin(queries.frames, images.indices)
        if not np.all(known):
            msg = f"there is no frame {int(queries.frames[~known][0])} in the clip"
            raise ValueError(msg)
        rows = np.column_stack([positions, queries.xy])
        tracks = track_both_ways(self._inference, images, rows)
        for index, xy, visible in zip(images.indices, tracks.xy, tracks.visible, strict=True):
            yield TrackedPoints(index, queries.ids, xy, visible, visible.astype(np.float32))
