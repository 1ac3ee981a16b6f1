"""What is counted of a run's results, over interruptions: objects seen, masks to be doubted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rvsam_video.json_values import Json
from rvsam_video.results import LOOK_BELOW, FrameResult
from rvsam_video.runs.doubts import LOOK_AT, Doubts


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
            counts[2] += visible and item.score < LOOK_BELOW

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
    """What is told of a run's results: which objects were seen, where to look, how many to doubt.

    Args:
        known: what `to_json` returned and `counts` were, among other things, to go on from there.

    Attributes:
        counts: `masks` that were looked for, and `low_scores` among them.
    """

    def __init__(self, known: Mapping[str, Json] | None = None) -> None:
        known = known or {}
        self._seen = Visibility.from_json(known.get("objects"))
        self._doubts = Doubts(known.get(LOOK_AT))
        self.counts = {name: int(str(known.get(name, 0))) for name in ("masks", "low_scores")}

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        self._seen.add(result)
        self._doubts.add(result)
        # An object that could not be looked for has no mask to be doubted.
        self.counts["masks"] += sum(item.prompted for item in result.objects)
        self.counts["low_scores"] += sum(item.doubtful for item in result.objects)

    def to_json(self) -> dict[str, Json]:
        """Return objects and places to look, as checkpoints and `run.json` hold them."""
        return {"objects": self._seen.to_json(), LOOK_AT: self._doubts.to_json()}
