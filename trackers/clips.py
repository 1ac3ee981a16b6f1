"""Trackers for whole clips, by name, and any streaming tracker as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import COTRACKER_VARIANTS, create_tracker
from .base import (
    ClipTracker,
    FramesFactory,
    PointTracker,
    QueryPoints,
    TrackedPoints,
)


def create_clip_tracker(
    name: str, checkpoint: str | Path | None = None, device: str = "auto"
) -> ClipTracker:
    """Build what follows points through a whole clip.

    CoTracker 1 goes both ways in time, as SAM-PT runs it, and TAPIR looks for points in all frames;
    all others go forward from a point's own frame, before which it is hidden.

    Args:
        name: one of `tracker_names`.
        checkpoint: a file of weights, instead of the published ones.
        device: "auto", or a PyTorch device.

    Raises:
        UsageError: if the name is unknown, or there is no such device.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    return clip_tracker(create_tracker(name, checkpoint, device))


def clip_tracker(tracker: PointTracker) -> ClipTracker:
    """Return a tracker as one for whole clips, itself if it is one; see `create_clip_tracker`."""
    if _is_first_version(tracker.name):
        from .cotracker.sam_pt import BothWays
        from .cotracker.tracker import CoTracker

        if isinstance(tracker, CoTracker):
            return BothWays(tracker)
    if isinstance(tracker, ClipTracker):
        return tracker
    return ForwardClip(tracker)


def _is_first_version(name: str) -> bool:
    """Whether this is a CoTracker of version 1, which SAM-PT uses."""
    variant = COTRACKER_VARIANTS.get(name)
    return variant is not None and variant.version == 1


def as_sam_pt(tracker: PointTracker) -> PointTracker:
    """Return the tracker with SAM-PT's settings if it is CoTracker 1; any other as it is."""
    if not _is_first_version(tracker.name):
        return tracker
    from .cotracker.sam_pt import sam_pt_settings
    from .cotracker.tracker import CoTracker

    if not isinstance(tracker, CoTracker):
        return tracker
    return tracker.with_settings(sam_pt_settings())


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
                yield answer.of_all(queries)
        if state is not None:
            for answer in state.flush():
                yield answer.of_all(queries)
