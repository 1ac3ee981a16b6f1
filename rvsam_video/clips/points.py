"""`ClipPoints`: the query points of a clip's objects, and where they are in all of its frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.clips.frames import ClipFrames, Size, resize_mask
from rvsam_video.errors import PromptError
from rvsam_video.frame import Frame
from rvsam_video.points.choosing import chosen_points
from rvsam_video.points.patch_filter import patches, similarity
from rvsam_video.results import PointState, PointTable, outside
from rvsam_video.settings import SegmentationSettings
from rvsam_video.tables import Table, column
from rvsam_video.trackers.base import (
    ClipTracker,
    FramesFactory,
    QueryPoints,
    TrackedPoints,
    refuse_infinite_places,
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ClipObject:
    """An object of a clip: either its mask in one frame, or its query points there.

    Attributes:
        object_id: the user's id.
        frame: index of the frame where it is known.
        mask: (H, W) bool at the size of the clip, or None.
        points: (N, 2) float32, x then y in pixels of the clip, or None.
        labels: (N,) int8, 1 on the object, 0 off it; goes with `points`.
    """

    object_id: int
    frame: int
    mask: NDArray[np.bool_] | None = None
    points: NDArray[np.float32] | None = None
    labels: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        """Check that something is known of the object.

        Raises:
            PromptError: if neither a mask nor points with labels are given.
        """
        if self.mask is None and (self.points is None or self.labels is None):
            msg = f"object {self.object_id} has neither a mask nor points with labels; give one"
            raise PromptError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class ClipQueries(Table):
    """The query points of all objects, object by object; N in all.

    Attributes:
        object_ids: (N,) int64.
        labels: (N,) int8, 1 on the object, 0 off it.
        frames: (N,) int64, index of the frame of each.
        xy: (N, 2) float32, pixels of the frames that are worked on.
        patches: (N, P) float32, what each looks like in its frame; P is 0 without a patch filter.
    """

    object_ids: NDArray[np.int64] = field(metadata=column(np.int64))
    labels: NDArray[np.int8] = field(metadata=column(np.int8))
    frames: NDArray[np.int64] = field(metadata=column(np.int64))
    xy: NDArray[np.float32] = field(metadata=column(np.float32, 2))
    patches: NDArray[np.float32] = field(metadata=column(np.float32, "values"))


def join_queries(parts: Sequence[ClipQueries]) -> ClipQueries:
    """Put the query points of several objects, at least one, one after the other."""
    first, *others = parts
    return first.then(*others)


def choose_queries(
    clip: ClipFrames, objects: Sequence[ClipObject], settings: SegmentationSettings
) -> list[ClipQueries]:
    """Choose the query points of each object, reading the clip up to the last frame of them.

    Raises:
        PromptError: if the clip ends before an object's frame.
    """
    parts: dict[int, ClipQueries] = {}
    wanted = {item.frame for item in objects}
    for original in clip.originals():
        # Only frames in which an object is known are brought to size.
        if original.index in wanted:
            frame = clip.resized(original)
            for item in objects:
                if item.frame == frame.index:
                    parts[item.object_id] = _queries_of(item, frame, clip, settings)
            wanted.remove(original.index)
        # Most objects start in the first frame: the rest of the clip is left unread.
        if not wanted:
            break
    for item in objects:
        if item.object_id not in parts:
            msg = f"object {item.object_id} starts in frame {item.frame}, which the clip lacks"
            raise PromptError(msg)
    # In the order of the objects, which decides how points follow each other in a tracker's group.
    return [parts[item.object_id] for item in objects]


def _queries_of(
    item: ClipObject, frame: Frame, clip: ClipFrames, settings: SegmentationSettings
) -> ClipQueries:
    if item.points is not None and item.labels is not None:
        xy = rescaled(item.points, clip.source_size, clip.size)
        return queries_at(item.object_id, frame, xy, item.labels, settings)
    mask = item.mask if item.mask is not None else np.zeros(clip.size[::-1], np.bool_)
    return queries_of_mask(item.object_id, frame, resize_mask(mask, clip.size), settings)


def queries_of_mask(
    object_id: int, frame: Frame, mask: NDArray[np.bool_], settings: SegmentationSettings
) -> ClipQueries:
    """Choose an object's query points from its (H, W) mask in a frame."""
    xy, labels = chosen_points(object_id, mask, frame, settings)
    return queries_at(object_id, frame, xy, labels, settings)


def queries_at(
    object_id: int,
    frame: Frame,
    xy: NDArray[np.float32],
    labels: NDArray[np.int8],
    settings: SegmentationSettings,
) -> ClipQueries:
    """Make query points of an object out of (N, 2) places in a frame and their labels."""
    count = len(labels)
    looks = np.zeros((count, 0), np.float32)
    if settings.patch_threshold is not None:
        # SAM-PT takes red for blue here.
        swapped = settings.sam_pt_exact
        looks = patches(frame.image, xy, settings.patch_size, swapped_colours=swapped)
    return ClipQueries(
        object_ids=np.full(count, object_id, np.int64),
        labels=labels.astype(np.int8),
        frames=np.full(count, frame.index, np.int64),
        xy=np.asarray(xy, np.float32),
        patches=looks,
    )


def rescaled(xy: NDArray[np.float32], old: Size, new: Size) -> NDArray[np.float32]:
    """Bring (..., 2) places from pictures of one size to another; pixel centres are whole numbers.

    Args:
        xy: x then y.
        old: (width, height).
        new: (width, height).
    """
    if old == new:
        return xy
    scale = np.array(new, np.float64) / old
    # Around pixel centres; SAM-PT scales by the plain ratio, and so does the exact mode elsewhere.
    return np.asarray((xy + 0.5) * scale - 0.5, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ClipPoints:
    """Where N query points are in all T frames of a clip.

    Attributes:
        queries: the points.
        xy: (T, N, 2) float32, pixels of the frames that are worked on.
        confidence: (T, N) float32 in [0, 1].
        states: (T, N) int8, values of `PointState`.
    """

    queries: ClipQueries
    xy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    states: NDArray[np.int8]

    def table(self, position: int) -> PointTable:
        """Return the points of the frame that was read as number `position`."""
        return PointTable(
            ids=np.arange(len(self.queries)),
            object_ids=self.queries.object_ids,
            labels=self.queries.labels,
            xy=self.xy[position],
            confidence=self.confidence[position],
            states=self.states[position],
        )


def track_queries(
    frames: FramesFactory,
    size: Size,
    tracker: ClipTracker,
    queries: ClipQueries,
    groups: Sequence[Sequence[int]],
    settings: SegmentationSettings,
) -> ClipPoints:
    """Follow all query points through the clip, group by group.

    Args:
        frames: read by the tracker, and once more by the patch filter.
        size: (width, height) of the frames.
        tracker: follows them.
        queries: the points.
        groups: ids of the objects whose points are tracked together.
        settings: border and patch filter.
    """
    parts = []
    for number, group in enumerate(groups):
        ids = np.flatnonzero(np.isin(queries.object_ids, group))
        asked = QueryPoints(ids, queries.frames[ids], queries.xy[ids], number)
        answers = tracker.track_clip(frames, asked) if len(asked) else _no_points(frames, asked)
        # Points of all frames are kept, and nothing else: 13 bytes each and frame.
        parts.append(list(answers))
    # Groups come one after the other; ids are places in the table.
    order = np.argsort(np.concatenate([part[0].ids for part in parts]))
    xy, visible, confidence = (
        _joined(parts, name)[:, order] for name in ("xy", "visible", "confidence")
    )
    refuse_infinite_places(xy, visible, confidence)
    xy = xy.astype(np.float32)
    states = np.where(visible, PointState.VISIBLE, PointState.HIDDEN).astype(np.int8)
    if settings.patch_threshold is not None:
        indices = np.array([answer.frame_index for answer in parts[0]], np.int64)
        states = after_patch_filter(
            states,
            _likeness(frames, queries, xy, settings),
            indices,
            queries.frames,
            settings.patch_threshold,
        )
    # Last, whatever the state was before: the border rule has the last word in SAM-PT.
    beyond = outside(xy.reshape(-1, 2), size, settings.border).reshape(states.shape)
    states = np.where(beyond, PointState.OUTSIDE, states).astype(np.int8)
    return ClipPoints(queries, xy, confidence.astype(np.float32), states)


def _likeness(
    frames: FramesFactory,
    queries: ClipQueries,
    xy: NDArray[np.float32],
    settings: SegmentationSettings,
) -> NDArray[np.float64]:
    """Return (T, N) similarities of the points' surroundings to those in their query frames."""
    side, swapped = settings.patch_size, settings.sam_pt_exact
    rows = [
        similarity(patches(frame.image, places, side, swapped_colours=swapped), queries.patches)
        for frame, places in zip(frames(), xy, strict=True)
    ]
    return np.stack(rows)


def after_patch_filter(
    states: NDArray[np.int8],
    likeness: NDArray[np.float64],
    frames: NDArray[np.int64],
    query_frames: NDArray[np.int64],
    threshold: float,
) -> NDArray[np.int8]:
    """Mark visible points that differ, and all that lies beyond, away from the query frame.

    Args:
        states: (T, N) values of `PointState`.
        likeness: (T, N) similarities in [0, 1].
        frames: (T,) frame indices.
        query_frames: (N,) frame indices.
        threshold: least similarity, exclusive.
    """
    # Hidden points are not judged: what lies at their place is something else anyway.
    differs = (states == PointState.VISIBLE) & (likeness <= threshold)
    after = np.zeros_like(differs)
    for ahead in (True, False):
        # The query frame itself is on neither side: it cannot differ from itself.
        beyond = frames[:, None] > query_frames if ahead else frames[:, None] < query_frames
        found = (differs & beyond)[:: 1 if ahead else -1]
        # Whether there was one before, in the order in which one walks away.
        before = np.cumsum(found, axis=0) - found > 0
        after |= before[:: 1 if ahead else -1] & beyond
    states = np.where(differs, PointState.PATCH_DIFFERS, states)
    return np.where(after, PointState.AFTER_PATCH_DIFFERS, states).astype(np.int8)


def _no_points(frames: FramesFactory, queries: QueryPoints) -> Iterator[TrackedPoints]:
    """Answer for a group without points: trackers need not."""
    nothing = np.zeros(0, np.bool_)
    for frame in frames():
        yield TrackedPoints(
            frame.index, queries.ids, queries.xy, nothing, nothing.astype(np.float32)
        )


def _joined(parts: Sequence[Sequence[TrackedPoints]], name: str) -> NDArray[Any]:
    """Return a column of all groups' answers as (T, N, ...)."""
    return np.concatenate(
        [np.stack([getattr(answer, name) for answer in part]) for part in parts], axis=1
    )
