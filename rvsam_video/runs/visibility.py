"""What is counted of a run's results, over interruptions: objects seen, masks to be doubted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rvsam_video.json_values import Json
from rvsam_video.results import LOOK_BELOW, FrameResult
from rvsam_video.runs.doubts import LOOK_AT, Doubts

LOW_SCORE = 0.5
"""Below it, at least half of the segmenter's own estimate of a mask is wrong."""


class Visibility:
    """Counts frames by object: where it lived, was hidden, and had a mask of low score."""

    def __init__(self) -> None:
        self._counts: dict[int, list[int]] = {}

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        for item in result.objects:
            counts = self._counts.setdefault(item.object_id, [0, 0, 0])
            visible = item.visible
            counts[0] += 1
            counts[1] += not visible
            # A hidden object has no mask that could be bad.
            counts[2] += visible and item.score < LOW_SCORE

    def to_json(self) -> dict[str, Json]:
        """Return the counts as JSON values, by object id: frames, hidden and low_score."""
        return {
            str(key): {"frames": lived, "hidden": hidden, "low_score": low}
            for key, (lived, hidden, low) in sorted(self._counts.items())
        }

    @classmethod
    def from_json(cls, values: object) -> Visibility:
        """Go on from what `to_json` returned; begin anew if it is nothing of the kind."""
        found = cls()
        try:
            items: Any = values.items() if isinstance(values, Mapping) else ()
            found._counts = {
                int(key): [int(item[name]) for name in ("frames", "hidden", "low_score")]
                for key, item in items
            }
        # Only what people are told depends on it.
        except (KeyError, TypeError, ValueError):
            return cls()
        return found


class Watched:
    """What is told of a run's results at its end: which objects were seen, and where to look.

    Args:
        known: what `to_json` returned, among other things, to go on from there.
    """

    def __init__(self, known: Mapping[str, Json] | None = None) -> None:
        self._seen = Visibility.from_json((known or {}).get("objects"))
        self._doubts = Doubts((known or {}).get(LOOK_AT))

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        self._seen.add(result)
        self._doubts.add(result)

    def to_json(self) -> dict[str, Json]:
        """Return both as JSON values, as checkpoints and the notes of `run.json` hold them."""
        return {"objects": self._seen.to_json(), LOOK_AT: self._doubts.to_json()}


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
