"""Point trackers: by name through `create_tracker`, or each from its own module."""

from __future__ import annotations

from collections.abc import Callable

from rvsam_video.errors import UsageError
from rvsam_video.trackers.base import (
    ClipTracker,
    PointTracker,
    QueryPoints,
    TrackedPoints,
    TrackerState,
)

__all__ = [
    "ClipTracker",
    "PointTracker",
    "QueryPoints",
    "TrackedPoints",
    "TrackerState",
    "create_tracker",
    "tracker_names",
]


def _lucas_kanade() -> PointTracker:
    from rvsam_video.trackers.lucas_kanade import LucasKanade

    return LucasKanade()


_FACTORIES: dict[str, Callable[[], PointTracker]] = {"lucas-kanade": _lucas_kanade}


def tracker_names() -> list[str]:
    """Return the names that `create_tracker` knows."""
    return sorted(_FACTORIES)


def create_tracker(name: str) -> PointTracker:
    """Build the point tracker of this name with its default settings.

    Raises:
        UsageError: if the name is unknown.
    """
    if name not in _FACTORIES:
        msg = f"there is no tracker named {name!r}; choose one of: {', '.join(tracker_names())}"
        raise UsageError(msg)
    return _FACTORIES[name]()
