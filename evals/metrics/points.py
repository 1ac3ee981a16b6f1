"""How well points were followed: the metrics of TAP-Vid, and those of densely annotated sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

DISTANCES = (1, 2, 4, 8, 16)
"""Pixels, of an image of 256x256, within which a point counts as followed."""

LOST_DISTANCE = 50
"""Pixels, of an image of 256x256, beyond which a point counts as lost for good."""

QueryMode = Literal["first", "strided"]
"""`first`: frames after the query count; `strided`: all frames but the query's."""

Floats = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PointScores:
    """The scores of TAP-Vid; each in [0, 1], or NaN where there was nothing to score.

    Attributes:
        occlusion_accuracy: OA, share of points and frames where seen or hidden was told right.
        within: share of the visible points within each of `DISTANCES`.
        jaccard: for each of `DISTANCES`, points told visible and near enough, divided by all that
            are visible or told to be wrongly.
    """

    occlusion_accuracy: float
    within: tuple[float, ...]
    jaccard: tuple[float, ...]

    @property
    def mean_within(self) -> float:
        """The delta_avg of the papers: mean of `within`."""
        return float(np.mean(self.within))

    @property
    def average_jaccard(self) -> float:
        """AJ: mean of `jaccard`."""
        return float(np.mean(self.jaccard))

    def named(self) -> dict[str, float]:
        """Return all thirteen numbers by the names of the public evaluation code."""
        pairs = zip(DISTANCES, self.within, self.jaccard, strict=True)
        return {
            "average_jaccard": self.average_jaccard,
            "average_pts_within_thresh": self.mean_within,
            "occlusion_accuracy": self.occlusion_accuracy,
            **{f"pts_within_{pixels}": within for pixels, within, _ in pairs},
            **{f"jaccard_{d}": jaccard for d, jaccard in zip(DISTANCES, self.jaccard, strict=True)},
        }


def point_scores(
    queries: Floats,
    truth: Floats,
    truth_hidden: NDArray[np.bool_],
    predicted: Floats,
    predicted_hidden: NDArray[np.bool_],
    mode: QueryMode,
) -> PointScores:
    """Score the tracks of one video.

    Source: Doersch et al., TAP-Vid, NeurIPS 2022, section 3.2, and `evaluation_datasets.py` of
    google-deepmind/tapnet (commit c2cbab8), which this equals to the last bit. Distances are
    computed in the precision of the arrays.

    Args:
        queries: (N, 3), t (frame index, rounded half to even), y, x of each query.
        truth: (N, T, 2) x, y in pixels of an image of 256x256.
        truth_hidden: (N, T) bool, true where the point cannot be seen.
        predicted: (N, T, 2) as `truth`.
        predicted_hidden: (N, T) bool.
        mode: which frames count.

    Raises:
        UsageError: if a shape differs from the documented one.
    """
    _check_shapes(queries, truth, truth_hidden, predicted, predicted_hidden)
    counts = _scored_frames(queries, truth.shape[1], mode)
    visible, told = counts & ~truth_hidden, counts & ~predicted_hidden
    with np.errstate(invalid="ignore"):
        # Over all points and frames of the clip, not by point.
        right = np.sum((truth_hidden == predicted_hidden) & counts) / np.sum(counts)
        shares = [_near_and_jaccard(truth, predicted, visible, told, d) for d in DISTANCES]
    within, jaccard = zip(*shares, strict=True)
    return PointScores(float(right), within, jaccard)


def _near_and_jaccard(
    truth: Floats,
    predicted: Floats,
    visible: NDArray[np.bool_],
    told: NDArray[np.bool_],
    distance: int,
) -> tuple[float, float]:
    # Strictly below, and without a root: both as in the public code.
    near = np.sum(np.square(predicted - truth), axis=-1) < distance**2
    wanted = np.sum(visible)
    found = np.sum(near & visible & told)
    wrong = np.sum(told & ~(visible & near))
    return float(np.sum(near & visible) / wanted), float(found / (wanted + wrong))


def _scored_frames(queries: Floats, frames: int, mode: QueryMode) -> NDArray[np.bool_]:
    """Return (N, T) bool."""
    # Halves to even, as there.
    start = np.round(queries[:, :1]).astype(np.int64)
    times = np.arange(frames)[None]
    # The query's own frame never counts: its place was given.
    counts: NDArray[np.bool_] = times > start if mode == "first" else times != start
    return counts


def _check_shapes(
    queries: Floats,
    truth: Floats,
    truth_hidden: NDArray[np.bool_],
    predicted: Floats,
    predicted_hidden: NDArray[np.bool_],
) -> None:
    points, frames = truth_hidden.shape if truth_hidden.ndim == 2 else (-1, -1)
    shapes = (queries.shape, truth.shape, predicted.shape, predicted_hidden.shape)
    wanted = ((points, 3), (points, frames, 2), (points, frames, 2), (points, frames))
    if shapes != wanted:
        msg = (
            "point tracks need queries (N, 3), tracks (N, T, 2) and hidden (N, T), twice; got "
            f"{shapes[0]}, {shapes[1]}, {truth_hidden.shape}, {shapes[2]} and {shapes[3]}"
        )
        raise UsageError(msg)


def dense_point_scores(
    truth: Floats,
    visible: NDArray[np.bool_],
    predicted: Floats,
    frame_size: tuple[int, int],
) -> dict[str, float]:
    """Score tracks of a set where truth is known also for hidden points, in percent.

    Source: `evaluator.py` of facebookresearch/co-tracker (commit 82e02e8), as used for Dynamic
    Replica and PointOdyssey. A track counts from behind the first frame where it is visible.

    Args:
        truth: (T, N, 2) x, y in pixels of the frame.
        visible: (T, N) bool.
        predicted: (T, N, 2) as `truth`.
        frame_size: (width, height) in pixels; distances are measured as if it were 256x256.

    Returns:
        `accuracy_D`, `accuracy_vis_D` and `accuracy_occ_D`: of all, of the visible and of the
        hidden points the share nearer than D of `DISTANCES`, 0 if there are none; their means over
        D `accuracy`, `accuracy_vis` and `accuracy_occ`; and `survival`, the mean time until a
        visible point is more than `LOST_DISTANCE` off, in percent of all frames.

    Raises:
        UsageError: if the shapes do not fit together.
    """
    if truth.shape != predicted.shape or truth.shape != (*visible.shape, 2) or visible.ndim != 2:
        msg = (
            "dense point tracks need truth and prediction (T, N, 2) and visible (T, N); got "
            f"{truth.shape}, {predicted.shape} and {visible.shape}"
        )
        raise UsageError(msg)
    # From centre to centre of the corner pixels.
    scale = (np.asarray(frame_size, np.float64) - 1) / 255
    apart = np.linalg.norm(predicted / scale - truth / scale, axis=-1)
    # The first frame where it is seen; 0 for a point that never is.
    start = np.argmax(visible, axis=0)
    counts = np.arange(len(visible))[:, None] > start
    kinds = {"": counts, "_vis": counts & visible, "_occ": counts & ~visible}
    scores = {
        f"accuracy{kind}_{distance}": _percent((apart < distance) & these, these)
        for kind, these in kinds.items()
        for distance in DISTANCES
    }
    for kind in kinds:
        scores[f"accuracy{kind}"] = float(
            np.mean([scores[f"accuracy{kind}_{distance}"] for distance in DISTANCES])
        )
    # Once lost, lost for good: a product and not a share.
    kept = np.cumprod(~((apart > LOST_DISTANCE) & visible), axis=0)
    scores["survival"] = float(kept.mean() * 100)
    return scores


def _percent(found: NDArray[np.bool_], these: NDArray[np.bool_]) -> float:
    # The addend is that of the public code; it keeps an empty class at 0.
    return float(found.sum() / (these.sum() + 1e-6) * 100)
