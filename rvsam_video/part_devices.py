"""Which part of a run a device is for."""

from __future__ import annotations

from rvsam_video.segmenters.sam.registry import SAM_VARIANTS
from rvsam_video.trackers import COTRACKER_VARIANTS


def part_devices(tracker: str, segmenter: str, device: str) -> tuple[str, str]:
    """Return the devices to create a tracker and a segmenter with.

    A device is for networks: a part without one is not asked, unless no part has one.

    Args:
        tracker: registry name.
        segmenter: registry name.
        device: "auto", or a PyTorch device.
    """
    learned = (tracker in COTRACKER_VARIANTS, segmenter in SAM_VARIANTS)
    one, other = ("auto" if any(learned) and not itself else device for itself in learned)
    return one, other
