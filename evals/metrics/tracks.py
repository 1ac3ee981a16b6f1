"""AP and AR of object tracks, by the protocol of YouTube-VIS, which UVO shares.

Sources: Yang et al., Video Instance Segmentation, ICCV 2019, section 5, and for the details
`ytvoseval.py` of youtubevos/cocoapi (commit f3f9948), whose numbers these are to the last bit. One
thing is kept out: there a true track with the id 0 can never be found; here ids play no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

THRESHOLDS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
"""(10,) overlaps from which on a prediction finds a true track. Not k * 0.05: one differs."""

RECALL_POINTS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
"""(101,) recalls at which precision is read off."""

LIMITS = (1, 10, 100)
"""How many predictions of a video are looked at, best scores first."""

SIZE_RANGES = ((0.0, 1e10), (0.0, 128.0**2), (128.0**2, 256.0**2), (256.0**2, 1e10))
"""All, small, medium and large tracks by mean area in pixels; both ends belong to a range."""

_NOTHING = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class TrackGroup:
    """The tracks of one video that may be matched, of one category or of all.

    Attributes:
        overlaps: (P, G) float64 of P predictions with G true tracks. Overlaps below the lowest of
            `THRESHOLDS` may be given as any number below it.
        scores: (P,) float64; higher is surer. The order breaks ties.
        sizes: (P,) float64, see `track_size`.
        truth_sizes: (G,) float64, see `track_size`.
        crowd: (G,) bool, true tracks that stand for many objects: they need not be found, may be
            found more than once, and count neither way.
    """

    overlaps: NDArray[np.float64]
    scores: NDArray[np.float64]
    sizes: NDArray[np.float64]
    truth_sizes: NDArray[np.float64]
    crowd: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check that the arrays fit together.

        Raises:
            UsageError: if a shape differs from the documented one.
        """
        count, truths = len(self.scores), len(self.crowd)
        found = (self.overlaps.shape, self.sizes.shape, self.truth_sizes.shape)
        if found != ((count, truths), (count,), (truths,)):
            msg = (
                f"{count} predictions and {truths} true tracks need overlaps {(count, truths)} and "
                f"as many sizes; got {found[0]}, {found[1]} and {found[2]}"
            )
            raise UsageError(msg)

    def best(self, limit: int) -> TrackGroup:
        """Return the group with its best predictions only, sorted by falling score."""
        # Stable: equal scores stay in the order of the file, and that decides who matches first.
        order = np.argsort(-self.scores, kind="stable")[:limit]
        return TrackGroup(
            self.overlaps[order],
            self.scores[order],
            self.sizes[order],
            self.truth_sizes,
            self.crowd,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Which predictions of a group found which true tracks, at each threshold.

    Attributes:
        truths: (10, P) int64, index of the true track that was found; -1 for none.
        ignored: (10, P) bool, predictions that count neither as right nor as wrong.
        wanted: number of true tracks that are to be found.
    """

    truths: NDArray[np.int64]
    ignored: NDArray[np.bool_]
    wanted: int


@dataclass(frozen=True, slots=True)
class TrackScores:
    """The twelve numbers; each in [0, 1], or -1 where there was no true track to find.

    Attributes:
        ap: precision, mean over recalls, thresholds and categories.
        ap50: the same at an overlap of 0.5 only.
        ap75: at 0.75.
        ap_small: of tracks up to 128 x 128 pixels.
        ap_medium: up to 256 x 256.
        ap_large: from there on.
        ar1: recall with the best prediction of each video, mean over thresholds and categories.
        ar10: with the best 10.
        ar100: with the best 100, the number UVO is compared by.
        ar_small: of small tracks, with the best 100.
        ar_medium: of medium ones.
        ar_large: of large ones.
    """

    ap: float
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar1: float
    ar10: float
    ar100: float
    ar_small: float
    ar_medium: float
    ar_large: float

    def named(self) -> dict[str, float]:
        """Return the numbers by the names that papers use: AP, AP50, ..., AR100, ..., ARl."""
        names = {"ap_small": "APs", "ap_medium": "APm", "ap_large": "APl"}
        names |= {"ar_small": "ARs", "ar_medium": "ARm", "ar_large": "ARl"}
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {names.get(name, name.upper()): value for name, value in values.items()}


def track_size(areas: Sequence[float] | NDArray[np.int64]) -> float:
    """Return the mean area over the frames where it is not 0; 0 if there is none.

    Args:
        areas: (T,) pixels.
    """
    present = np.asarray(areas, np.float64)
    # Frames without the object must not make it small.
    present = present[present != 0]
    return float(present.mean()) if len(present) else 0.0


def match_tracks(group: TrackGroup, size_range: tuple[float, float]) -> Matches:
    """Let predictions find true tracks, at each of `THRESHOLDS`, best scores first.

    Each takes the free true track that it overlaps most, among equals the last; one that must be
    found before one that need not.

    Args:
        group: predictions sorted by falling score.
        size_range: smallest and largest size that counts; tracks beyond it need not be found.
    """
    low, high = size_range
    # Both ends belong to a range: a track of exactly 128 * 128 is small and medium.
    outside = (group.truth_sizes < low) | (group.truth_sizes > high)
    optional = group.crowd | outside
    # Those that must be found come first.
    order = np.argsort(optional, kind="stable")
    candidates = _candidates(group.overlaps, order)
    truths = np.full((len(THRESHOLDS), len(group.scores)), -1, np.int64)
    for row, threshold in zip(truths, THRESHOLDS.tolist(), strict=True):
        taken: set[int] = set()
        for prediction, choices in candidates:
            found = _choose(choices, threshold, optional, taken)
            row[prediction] = found
            # A crowd stands for many objects and can be found again.
            if found >= 0 and not group.crowd[found]:
                taken.add(found)
    # -1 for "none" picks the value appended: what found nothing is not ignored for that.
    ignored = np.append(optional, False)[truths]
    ignored |= (truths < 0) & ((group.sizes < low) | (group.sizes > high))
    return Matches(truths, ignored, int((~optional).sum()))


def _candidates(
    overlaps: NDArray[np.float64], order: NDArray[np.int64]
) -> list[tuple[int, list[tuple[int, float]]]]:
    """Return the predictions that overlap some truth enough, and those truths, in order."""
    near = overlaps >= THRESHOLDS[0]
    return [
        (
            int(prediction),
            [(int(truth), float(overlaps[prediction, truth])) for truth in order if row[truth]],
        )
        for prediction, row in enumerate(near)
        if row.any()
    ]


def _choose(
    choices: list[tuple[int, float]],
    threshold: float,
    optional: NDArray[np.bool_],
    taken: set[int],
) -> int:
    best, found = threshold, -1
    for truth, overlap in choices:
        # Not "<=": among equal overlaps the last wins, and exactly the threshold counts.
        if overlap < best or truth in taken:
            continue
        # All that follow are optional, too.
        if found >= 0 and optional[truth] and not optional[found]:
            break
        best, found = overlap, truth
    return found


def precision_and_recall(
    groups: Sequence[TrackGroup],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the curves of one category.

    Args:
        groups: one per video, in the order of the videos' ids (it breaks ties of scores).

    Returns:
        Precision, (10, 101, 4, 3) float64, by threshold, recall point, size range and limit; and
        the recall that is reached, (10, 4, 3). -1 where there is nothing to find.
    """
    precision = np.full((len(THRESHOLDS), len(RECALL_POINTS), 4, 3), _NOTHING)
    recall = np.full((len(THRESHOLDS), 4, 3), _NOTHING)
    # Matched with all 100 at once: a smaller limit only reads fewer columns.
    groups = [group.best(LIMITS[-1]) for group in groups]
    for size, size_range in enumerate(SIZE_RANGES):
        matches = [match_tracks(group, size_range) for group in groups]
        # Stays -1, so that the means leave it out.
        if not sum(match.wanted for match in matches):
            continue
        for which, limit in enumerate(LIMITS):
            curves = _curves(groups, matches, limit)
            precision[:, :, size, which], recall[:, size, which] = curves
    return precision, recall


def _curves(
    groups: Sequence[TrackGroup], matches: Sequence[Matches], limit: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision at each recall point, (10, 101), and the recall reached, (10,)."""
    scores = np.concatenate([group.scores[:limit] for group in groups])
    order = np.argsort(-scores, kind="stable")
    found = np.concatenate([match.truths[:, :limit] for match in matches], axis=1)[:, order] >= 0
    counts = ~np.concatenate([match.ignored[:, :limit] for match in matches], axis=1)[:, order]
    right = np.cumsum(found & counts, axis=1, dtype=np.float64)
    wrong = np.cumsum(~found & counts, axis=1, dtype=np.float64)
    recall = right / sum(match.wanted for match in matches)
    # The order of the sum decides the last bit.
    precision = right / (wrong + right + np.spacing(1))
    # Made falling from the right, so that precision is the best at this recall or beyond.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # For recalls that are never reached.
    padded = np.append(precision, np.zeros((len(THRESHOLDS), 1)), axis=1)
    read = [
        # The first place with at least this recall.
        row[np.searchsorted(reached, RECALL_POINTS, side="left")]
        for row, reached in zip(padded, recall, strict=True)
    ]
    reached = recall[:, -1] if len(scores) else np.zeros(len(THRESHOLDS))
    return np.array(read), reached


def track_scores(categories: Mapping[int, Sequence[TrackGroup]]) -> TrackScores:
    """Return the twelve numbers.

    Args:
        categories: for each category its groups, one per video, in the order of the videos' ids.
            One category for all means that categories do not matter.
    """
    curves = [precision_and_recall(categories[key]) for key in sorted(categories)]
    if not curves:
        return TrackScores(*[_NOTHING] * 12)
    precision = np.stack([pair[0] for pair in curves], axis=2)
    recall = np.stack([pair[1] for pair in curves], axis=1)
    return TrackScores(
        _mean(precision[..., 0, 2]),
        _mean(precision[THRESHOLDS == 0.5][..., 0, 2]),
        _mean(precision[THRESHOLDS == 0.75][..., 0, 2]),
        *(_mean(precision[..., size, 2]) for size in (1, 2, 3)),
        *(_mean(recall[..., 0, limit]) for limit in (0, 1, 2)),
        *(_mean(recall[..., size, 2]) for size in (1, 2, 3)),
    )


def _mean(values: NDArray[np.float64]) -> float:
    known = values[values > _NOTHING]
    return float(known.mean()) if len(known) else _NOTHING
