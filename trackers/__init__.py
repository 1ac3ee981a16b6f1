"""Point trackers: by name through `create_tracker`, or each from its own module."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..errors import UsageError
from ..weights.fetch import describe_weights
from .base import (
    ClipTracker,
    PointTracker,
    QueryPoints,
    TrackedPoints,
    TrackerState,
)
from .cotracker.variants import COTRACKER_VARIANTS, CoTrackerVariant

__all__ = [
    "COTRACKER_VARIANTS",
    "ClipTracker",
    "PointTracker",
    "QueryPoints",
    "TrackedPoints",
    "TrackerState",
    "create_tracker",
    "tracker_names",
    "weights_of",
]


def _lucas_kanade(checkpoint: str | Path | None, device: str) -> PointTracker:
    from .lucas_kanade.tracker import LucasKanade

    if checkpoint is not None or device not in {"auto", "cpu"}:
        msg = (
            "lucas-kanade has no weights and runs on the CPU; leave out the checkpoint and the "
            "device"
        )
        raise UsageError(msg)
    return LucasKanade()


def _cotracker(
    variant: CoTrackerVariant, checkpoint: str | Path | None, device: str
) -> PointTracker:
    from .cotracker.loading import load_cotracker

    return load_cotracker(variant, checkpoint, device)


_FACTORIES: dict[str, Callable[[str | Path | None, str], PointTracker]] = {
    "lucas-kanade": _lucas_kanade,
    **{name: partial(_cotracker, variant) for name, variant in COTRACKER_VARIANTS.items()},
}


def tracker_names() -> list[str]:
    """Return the names that `create_tracker` knows."""
    return sorted(_FACTORIES)


def create_tracker(
    name: str, checkpoint: str | Path | None = None, device: str = "auto"
) -> PointTracker:
    """Build the point tracker of this name with its default settings.

    Args:
        name: one of `tracker_names`.
        checkpoint: a file of weights in the official format; None takes the published weights,
            which are downloaded on first use.
        device: "auto" (CUDA, else Apple's GPU, else the CPU), or a PyTorch device.

    Raises:
        UsageError: if the name is unknown, or there is no such device.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    if name not in _FACTORIES:
        msg = f"there is no tracker named {name!r}; choose one of: {', '.join(tracker_names())}"
        raise UsageError(msg)
    return _FACTORIES[name](checkpoint, device)


def weights_of(name: str, checkpoint: str | Path | None = None) -> dict[str, str]:
    """Return file, sha256, licence and citation of a tracker's weights; empty if it has none.

    Args:
        name: one of `tracker_names`, already created with this checkpoint.
        checkpoint: as for `create_tracker`.

    Raises:
        WeightsError: if the file is not there.
    """
    return describe_weights(name, checkpoint) if name in COTRACKER_VARIANTS else {}
