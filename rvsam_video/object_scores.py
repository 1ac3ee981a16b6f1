"""`ObjectScores`: one score per object for a whole clip."""

from __future__ import annotations

from rvsam_video.results import FrameResult


class ObjectScores:
    """The mean score of each object over the frames in which it was looked for.

    Args:
        sam_pt_exact: average over all frames instead, as SAM-PT's public code does: one frame
            without a prompt, whose score is minus infinity, then decides.
    """

    def __init__(self, *, sam_pt_exact: bool = False) -> None:
        self._exact = sam_pt_exact
        self._sums: dict[int, float] = {}
        self._counts: dict[int, int] = {}

    def add(self, result: FrameResult) -> None:
        """Take the scores of one frame into account."""
        for item in result.objects:
            counts = item.prompted or self._exact
            before = self._sums.get(item.object_id, 0.0)
            self._sums[item.object_id] = before + (item.score if counts else 0.0)
            self._counts[item.object_id] = self._counts.get(item.object_id, 0) + counts

    def means(self) -> dict[int, float]:
        """Return object id to score; 0 for an object that was never looked for."""
        return {
            key: total / self._counts[key] if self._counts[key] else 0.0
            for key, total in self._sums.items()
        }
