"""Trackers for whole clips, by name."""

from __future__ import annotations

from pathlib import Path

from rvsam_video.trackers import COTRACKER_VARIANTS, create_tracker
from rvsam_video.trackers.base import ClipTracker, PointTracker
from rvsam_video.trackers.forward import ForwardClip


def create_clip_tracker(
    name: str, checkpoint: str | Path | None = None, device: str = "auto"
) -> ClipTracker:
    """Build what follows points through a whole clip.

    CoTracker 1 goes both ways in time, as SAM-PT runs it; all others go forward from a point's own
    frame, before which it is hidden.

    Args:
        name: one of `tracker_names`.
        checkpoint: a file of weights, instead of the published ones.
        device: "auto", or a PyTorch device.

    Raises:
        UsageError: if the name is unknown, or there is no such device.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    tracker = create_tracker(name, checkpoint, device)
    if _is_first_version(name):
        from rvsam_video.trackers.cotracker.both_ways import BothWays
        from rvsam_video.trackers.cotracker.tracker import CoTracker

        if isinstance(tracker, CoTracker):
            return BothWays(tracker)
    return ForwardClip(tracker)


def _is_first_version(name: str) -> bool:
    """Whether this is a CoTracker of version 1, which SAM-PT uses."""
    variant = COTRACKER_VARIANTS.get(name)
    return variant is not None and variant.version == 1


def as_sam_pt(tracker: PointTracker) -> PointTracker:
    """Return the tracker with SAM-PT's settings if it is CoTracker 1; any other as it is."""
    if not _is_first_version(tracker.name):
        return tracker
    from rvsam_video.trackers.cotracker.sam_pt import sam_pt_settings
    from rvsam_video.trackers.cotracker.tracker import CoTracker

    if not isinstance(tracker, CoTracker):
        return tracker
    return tracker.with_settings(sam_pt_settings())
