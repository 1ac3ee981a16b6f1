"""`MaskCounts`: how many masks of a run are to be doubted, over all its parts."""

from __future__ import annotations

from collections.abc import Mapping

from rvsam_video.json_values import Json
from rvsam_video.results import LOOK_BELOW, FrameResult


class MaskCounts:
    """Counts masks, and those with a low score.

    Attributes:
        values: `masks` that were looked for, and `low_scores` among them.
    """

    def __init__(self) -> None:
        self.values = {"masks": 0, "low_scores": 0}

    def add(self, result: FrameResult) -> None:
        """Count the masks of a frame; an object that could not be looked for has none."""
        scores = [item.score for item in result.objects if item.prompted]
        self.values["masks"] += len(scores)
        self.values["low_scores"] += sum(score < LOOK_BELOW for score in scores)

    def restore(self, info: Mapping[str, Json]) -> None:
        """Go on from what a checkpoint knows."""
        self.values = {name: int(str(info.get(name, 0))) for name in self.values}
