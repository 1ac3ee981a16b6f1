"""When an object of a session gets new points, though it has not lost its old ones.

SAM-PT restarts tracking from a frame that it has already passed, and computes what lies beyond it
again. A session cannot go back: an object whose time has come waits for a frame where its mask can
be trusted. Nothing is computed twice, every object has its own clock, and one that is hidden keeps
its points until it is seen again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rvsam_video.results import ObjectResult
from rvsam_video.settings import SMALLEST_AREA, SegmentationSettings

_RATE = 0.2
"""How fast the usual area follows the areas seen."""

_SMALLEST, _LARGEST = 0.7, 1.4
"""Areas that count as usual, as multiples of the usual area: a mask that suddenly shrinks or grows
is likely to miss a part or to have spilled over."""


@dataclass(slots=True)
class RestartClock:
    """How old an object's points are, and how large its mask usually is.

    Attributes:
        since: frame in which its points were chosen.
        area: usual number of pixels of its mask, 0 before the first one.
    """

    since: int
    area: float = 0.0

    def see(self, item: ObjectResult) -> None:
        """Take a frame's mask into account; empty ones say nothing."""
        area = float(np.count_nonzero(item.mask))
        if area:
            self.area += _RATE * (area - self.area) if self.area else area

    def is_time(self, item: ObjectResult, frame: int, settings: SegmentationSettings) -> bool:
        """Whether the object's points are to be chosen anew from this mask.

        Args:
            item: the object in the frame.
            frame: its index.
            settings: how often, and from which score on.
        """
        if not settings.restart_every or frame - self.since < settings.restart_every:
            return False
        area = float(np.count_nonzero(item.mask))
        if area <= SMALLEST_AREA or item.score < settings.refill_score:
            return False
        return _SMALLEST * self.area <= area <= _LARGEST * self.area
