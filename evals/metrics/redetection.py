"""How well points are found again after they were hidden: the re-detection metric AJ_RD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .points import DISTANCES, Floats

HIDDEN_FRAMES = (1, 4, 16, 64, 256)
"""Returns count that come after at least so many hidden frames in a row, once for each of these."""


@dataclass(frozen=True, slots=True)
class RedetectionScores:
    """How well points were followed from where they came back.

    Attributes:
        returns: how often one came back, as far as it counts.
        after: for each of `HIDDEN_FRAMES`, the mean over returns and `DISTANCES` of the Jaccard
            index from the return to the end of the clip, in [0, 1]; NaN where nothing came back
            after so long.
    """

    returns: int
    after: Mapping[int, float]

    @property
    def average(self) -> float:
        """AJ_RD: mean of what is not NaN in `after`; NaN if all is."""
        known = [value for value in self.after.values() if not np.isnan(value)]
        return float(np.mean(known)) if known else float("nan")

    def named(self) -> dict[str, float]:
        """Return AJ_RD, and what it is the mean of, by the public code's names."""
        return {
            "AJ_RD": self.average,
            **{f"AJ_RD_dmin{frames}": value for frames, value in self.after.items()},
        }


def redetection_scores(
    truth: Floats,
    truth_hidden: NDArray[np.bool_],
    predicted: Floats,
    predicted_hidden: NDArray[np.bool_],
) -> RedetectionScores:
    """Score the tracks of one video from where points came back.

    A return is a frame where a point is visible and was hidden in the one before. It counts if
    the point had never been hidden for as long before, so a flickering one counts once. As in the
    public code a point that is hidden when the video begins returns when it is first seen.

    Source: `tapnextpp/metrics/aj_rd.py` of google-deepmind/tapnet (commit 7f13cb6), which this
    equals up to the rounding of its single precision.

    Args:
        truth: (N, T, 2) x, y in pixels of an image of 256x256.
        truth_hidden: (N, T) bool, true where the point cannot be seen.
        predicted: (N, T, 2) as `truth`.
        predicted_hidden: (N, T) bool.

    Raises:
        UsageError: if a shape differs from the documented one.
    """
    shape = truth_hidden.shape
    if len(shape) != 2 or not (
        truth.shape == predicted.shape == (*shape, 2) and predicted_hidden.shape == shape
    ):
        msg = (
            "re-detection needs tracks (N, T, 2) and hidden (N, T), twice; got "
            f"{truth.shape}, {shape}, {predicted.shape} and {predicted_hidden.shape}"
        )
        raise UsageError(msg)
    rows, frames, lengths = _returns(truth_hidden)
    visible, told = ~truth_hidden, ~predicted_hidden
    # With equality, unlike the other metrics of TAP-Vid: so the public code has it.
    apart = np.linalg.norm(predicted - truth, axis=-1)
    jaccard = np.stack(
        [
            _jaccard_to_the_end(apart <= distance, visible, told)[rows, frames]
            for distance in DISTANCES
        ]
    )
    after = {}
    for least in HIDDEN_FRAMES:
        counted = jaccard[:, lengths >= least]
        after[least] = float(counted.mean()) if counted.size else float("nan")
    return RedetectionScores(len(rows), after)


def _returns(
    hidden: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
    """Return track and frame of each return that counts, and how long the point was hidden."""
    count, frames = hidden.shape
    lengths = np.zeros((count, frames + 1), np.int64)
    for frame in range(frames):
        lengths[:, frame + 1] = np.where(hidden[:, frame], lengths[:, frame] + 1, 0)
    # In each column now: for how many frames in a row the point was hidden before that frame.
    ended = np.where(hidden, 0, lengths[:, :-1])
    longest = np.maximum.accumulate(ended, axis=1)
    before = np.concatenate([np.zeros((count, 1), np.int64), longest[:, :-1]], axis=1)
    rows, columns = np.nonzero(ended > before)
    return rows, columns, ended[rows, columns]


def _jaccard_to_the_end(
    near: NDArray[np.bool_], visible: NDArray[np.bool_], told: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (N, T): the Jaccard index over each frame and all after it."""
    found = _from_here_on(near & visible & told)
    either = _from_here_on(visible) + _from_here_on(told & ~(near & visible))
    # Zero only where neither is visible any more; no return is there.
    shares: NDArray[np.float64] = found / np.maximum(either, 1)
    return shares


def _from_here_on(counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.cumsum(counted[:, ::-1], axis=1, dtype=np.int64)[:, ::-1]
