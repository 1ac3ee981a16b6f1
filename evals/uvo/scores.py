"""Score predicted object tracks against annotations in the form of YouTube-VIS, such as UVO's.

UVO (Wang et al., ICCV 2021) scores without regard to categories; its headline number is AR100.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError
from ..json_list import json_list
from ..metrics.mask_runs import TrackRuns
from ..metrics.track_overlap import TruthTracks
from ..metrics.tracks import (
    THRESHOLDS,
    TrackGroup,
    TrackScores,
    track_scores,
    track_size,
)
from ..segmentations import runs_of_segmentations
from .truth import TrackTruth, TruthTrack, TruthVideo, load_track_truth

Categories = Literal["ignore", "match", "pool"]
"""How categories count.

`ignore`: every prediction may find every true track, as UVO's kit does. `match`: only one of the
same category, as in YouTube-VIS. `pool`: as `ignore`, but predictions of a category that the
annotations do not list are dropped, as the public evaluation does with categories switched off.
"""

ONE_CATEGORY = 1
"""What all tracks belong to where categories do not matter."""

_DECODED_VIDEOS = 8
"""Videos whose decoded truth is kept: results are mostly sorted by video, but need not be."""


@dataclass(frozen=True, slots=True)
class TrackReport:
    """What was scored, and how well.

    Attributes:
        scores: the twelve numbers.
        videos: annotated videos.
        true_tracks: annotated tracks.
        predicted_tracks: tracks of the results that took part.
        videos_without_predictions: ids, rising; all their tracks count as missed.
        dropped: tracks of the results that took no part because of their category.
        minus_infinity: predictions whose score is minus infinity.
    """

    scores: TrackScores
    videos: int
    true_tracks: int
    predicted_tracks: int
    videos_without_predictions: tuple[int, ...]
    dropped: int
    minus_infinity: int


@dataclass(frozen=True, slots=True, eq=False)
class _Prediction:
    """What of a predicted track is kept: its masks are gone."""

    order: tuple[int, int]
    score: float
    size: float
    overlaps: NDArray[np.float64]


def uvo_annotations(root: Path, *, version: str = "1.0", split: str = "val") -> Path:
    """Return the annotations of UVO dense in the folder layout of its download.

    Args:
        root: the folder that holds `UVOv1.0` or `UVOv0.5`, or one of these themselves.
        version: 1.0 or 0.5.
        split: train, val or test.

    Raises:
        SourceError: if the file is not there.
    """
    inner = Path("VideoDenseSet") / f"UVO_video_{split}_dense.json"
    places = [root / f"UVOv{version}" / inner, root / inner]
    for place in places:
        if place.is_file():
            return place
    msg = f"there is neither {places[0]} nor {places[1]}; name the file itself with --truth"
    raise SourceError(msg)


def score_track_files(
    truth: Path,
    results: Path,
    *,
    categories: Categories = "ignore",
    videos: Collection[int] | None = None,
) -> TrackReport:
    """Score a file of results.

    Args:
        truth: annotations, see `load_track_truth`.
        results: a JSON list of tracks, each with `video_id`, `category_id`, `score` and
            `segmentations`: for every frame null or a compressed run-length code. A score may be
            `-Infinity`, which is no JSON but is what Python, and with it the code of SAM-PT, writes
            for a track without a score; such tracks come last.
        categories: how they count.
        videos: ids of the videos that count, the only ones in the results; None for all.

    Raises:
        SourceError: if a file is missing, damaged or does not fit the other.
    """
    found = load_track_truth(truth)
    if videos is not None:
        chosen = {key: video for key, video in found.videos.items() if key in videos}
        found = replace(found, videos=chosen)
    scorer = TrackScorer(found, categories)
    for position, entry in enumerate(json_list(results)):
        try:
            scorer.add(entry)
        except ValueError as error:
            msg = f"{results}: track {position} of the list {error}"
            raise SourceError(msg) from error
    return scorer.report()


_SHOWN = 60
"""Digits of a number that a message shows."""


class TrackScorer:
    """Takes predicted tracks one by one, and scores them all at the end.

    Of each only its overlaps are kept, so memory does not grow with the masks.

    Args:
        truth: annotations.
        categories: how they count.
    """

    def __init__(self, truth: TrackTruth, categories: Categories = "ignore") -> None:
        self._truth = truth
        self._categories = categories
        self._groups: dict[tuple[int, int], list[_Prediction]] = {}
        self._decoded: OrderedDict[tuple[int, int], TruthTracks] = OrderedDict()
        self._added = self._dropped = self._minus_infinity = 0

    def add(self, entry: object) -> None:
        """Take one track in the form of an entry of a results file.

        Raises:
            ValueError: saying what of it cannot be used.
            SourceError: if the truth of its video is damaged.
        """
        if not isinstance(entry, Mapping):
            msg = "must be a JSON object with video_id, category_id, score and segmentations"
            raise ValueError(msg)
        video = self._video(entry)
        category, rank = self._category(entry)
        score = _score(entry)
        if category is None:
            self._dropped += 1
            return
        # Decoded, compared and let go: the masks of all results would not fit into memory.
        runs = _runs(entry, video)
        # Overlaps below the lowest threshold find nothing, so they are not computed.
        overlaps = self._true_tracks(category, video).overlaps(runs, float(THRESHOLDS[0]))
        self._groups.setdefault((category, video.id), []).append(
            _Prediction((rank, self._added), score, track_size(runs.areas), overlaps)
        )
        self._added += 1
        self._minus_infinity += score == -math.inf

    def report(self) -> TrackReport:
        """Return the scores of all tracks so far."""
        videos = self._truth.videos
        kinds = self._truth.categories if self._categories == "match" else (ONE_CATEGORY,)
        groups = {kind: [self._group(kind, video) for video in videos.values()] for kind in kinds}
        predicted = {video for _, video in self._groups}
        return TrackReport(
            track_scores(groups),
            len(videos),
            sum(len(video.tracks) for video in videos.values()),
            self._added,
            tuple(key for key in videos if key not in predicted),
            self._dropped,
            self._minus_infinity,
        )

    def _video(self, entry: Mapping[str, object]) -> TruthVideo:
        key = entry.get("video_id")
        video = self._truth.videos.get(key) if isinstance(key, int) else None
        if video is None:
            msg = f"has video_id {key!r}, which is not among the videos of {self._truth.path}"
            raise ValueError(msg)
        return video

    def _category(self, entry: Mapping[str, object]) -> tuple[int | None, int]:
        """Return the category to match in (None: drop it), and what to sort by before the order."""
        if self._categories == "ignore":
            return ONE_CATEGORY, 0
        category = entry.get("category_id")
        if not isinstance(category, int):
            msg = f"has category_id {category!r}; it must be a whole number"
            raise ValueError(msg)
        if category not in self._truth.categories:
            return None, 0
        return (category, 0) if self._categories == "match" else (ONE_CATEGORY, category)

    def _true_tracks(self, category: int, video: TruthVideo) -> TruthTracks:
        key = category, video.id
        if key not in self._decoded:
            chosen = self._chosen(category, video)
            self._decoded[key] = TruthTracks([self._truth.runs(video, it) for it in chosen])
            if len(self._decoded) > _DECODED_VIDEOS:
                # The one that was not used for longest; results mostly come video by video.
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(key)
        return self._decoded[key]

    def _chosen(self, category: int, video: TruthVideo) -> list[TruthTrack]:
        if self._categories != "match":
            return list(video.tracks)
        return [track for track in video.tracks if track.category == category]

    def _group(self, category: int, video: TruthVideo) -> TrackGroup:
        tracks = self._chosen(category, video)
        # By category first where they are pooled: with equal scores the public code matches so.
        found = sorted(self._groups.get((category, video.id), []), key=lambda it: it.order)
        return TrackGroup(
            np.array([it.overlaps for it in found]).reshape(len(found), len(tracks)),
            np.array([it.score for it in found], np.float64),
            np.array([it.size for it in found], np.float64),
            np.array([track.size for track in tracks], np.float64),
            np.array([track.crowd for track in tracks], np.bool_),
        )


def _score(entry: Mapping[str, object]) -> float:
    score = entry.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        msg = f"has score {score!r}; it must be a number"
        raise ValueError(msg)
    try:
        value = float(score)
    # A whole number of hundreds of digits.
    except OverflowError:
        value = math.nan
    # NaN has no place in an order.
    if math.isnan(value) or value == math.inf:
        shown = str(score)[:_SHOWN]
        msg = f"has score {shown}; it must be finite, or -Infinity for a track without a score"
        raise ValueError(msg)
    return value


def _runs(entry: Mapping[str, object], video: TruthVideo) -> TrackRuns:
    segmentations = entry.get("segmentations")
    if not isinstance(segmentations, list):
        msg = "has no list of segmentations"
        raise ValueError(msg)
    if video.frames is not None and len(segmentations) != video.frames:
        msg = f"has {len(segmentations)} segmentations, but video {video.id} has {video.frames}"
        raise ValueError(msg)
    try:
        return runs_of_segmentations(segmentations, video.height, video.width, only_compressed=True)
    except ValueError as error:
        msg = f"cannot be used: {error}"
        raise ValueError(msg) from error
