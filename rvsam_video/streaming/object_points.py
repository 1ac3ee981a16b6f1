"""`ObjectPoints`: which points the objects of a video have, and where they are in a frame.

An object's points are given by the user or chosen from its mask. They are refilled when few are
visible, renewed when they are old, retired when the object starts afresh, and forgotten when they
are of no more use.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame
from rvsam_video.points.book import PointBook
from rvsam_video.points.choosing import chosen_points, object_rng, select_points
from rvsam_video.points.patch_filter import patch_filter
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import ObjectResult, PointTable
from rvsam_video.settings import SegmentationSettings
from rvsam_video.snapshot import Arrays, nested, prefixed
from rvsam_video.streaming.renewal import RestartClock
from rvsam_video.trackers.base import QueryPoints, TrackedPoints, TrackerState


class ObjectPoints:
    """The points of all objects of one video.

    Args:
        tracker: follows the points of this video.
        settings: constants of the engine.

    Attributes:
        tracker: takes the frames; the points that it is to follow are entered here.
        latest: the points of the frame segmented last, none before the first.
    """

    def __init__(self, tracker: TrackerState, settings: SegmentationSettings) -> None:
        self.tracker = tracker
        self.latest = PointTable.empty()
        self._settings = settings
        self._book = PointBook()
        self._patches = patch_filter(settings)
        self._groups: dict[int, int] = {}
        self._clocks: dict[int, RestartClock] = {}
        self._started = 0

    @property
    def next_id(self) -> int:
        """Id that the next point will have; those after it count on."""
        return self._book.next_id

    def start(self, prompt: Prompt, frame: Frame, mask: NDArray[np.bool_]) -> None:
        """Give an object the points it starts with; those it had end before this frame.

        Args:
            prompt: names the object, and its points.
            frame: the frame pushed last.
            mask: (H, W) what the segmenter made of the prompt; more points are chosen from it.
        """
        object_id, settings = prompt.object_id, self._settings
        self._book.retire(object_id, frame.index)
        if object_id not in self._groups:
            size = settings.group_size
            self._groups[object_id] = self._started // size if size else 0
            self._clocks[object_id] = RestartClock(frame.index)
            self._started += 1
        self.give(prompt, frame)
        if prompt.box is not None or prompt.mask is not None or settings.add_points_to_clicks:
            self._choose(object_id, mask, frame)

    def give(self, prompt: Prompt, frame: Frame) -> NDArray[np.int64]:
        """Follow the points that the user gave for a known object; return their ids, (N,) int64."""
        return self._follow(prompt.object_id, prompt.points, prompt.labels, frame, given=True)

    def table(self, frame: Frame, tracked: TrackedPoints) -> PointTable:
        """Return the points that count in a frame whose places are final; `latest` from now on."""
        judge = None if self._patches is None else partial(self._patches.judge, image=frame.image)
        self.latest = self._book.table(tracked, frame.size, self._settings.border, judge)
        return self.latest

    def places_of_others(self, object_id: int) -> NDArray[np.float32]:
        """Return (M, 2) places in the latest frame that are visibly on another object."""
        table = self.latest
        elsewhere = table.visible & (table.labels == 1) & (table.object_ids != object_id)
        return table.take(elsewhere).xy

    def forget_contradicted(self, object_id: int, mask: NDArray[np.bool_]) -> None:
        """Forget chosen points that a correction has put on the wrong side of the mask.

        They would pull the mask back to where it was. What the user clicked stays.

        Args:
            object_id: the object that was corrected in the latest frame.
            mask: (H, W) its mask after the correction.
        """
        table = self.latest
        given = np.isin(table.ids, self._book.given_ids(object_id))
        chosen = table.take(table.visible & (table.object_ids == object_id) & ~given)
        last = np.array(mask.shape[::-1]) - 1
        x, y = np.clip(np.round(chosen.xy).astype(int), 0, last).T
        self.forget(chosen.ids[mask[y, x] != (chosen.labels == 1)])

    def settle(self, frame: int, objects: Sequence[ObjectResult]) -> None:
        """Take the result of a frame into account, and forget what no later frame needs."""
        for item in objects:
            self._clocks[item.object_id].see(item)
        self.forget(self._book.retired(frame))

    def refill(self, frame: Frame, objects: Sequence[ObjectResult]) -> None:
        """Choose new points for objects whose points are old, or of which few are visible.

        Args:
            frame: the latest frame, of which the tracker still takes queries.
            objects: what was found in it.
        """
        settings, table = self._settings, self.latest
        owners = table.object_ids[table.visible & (table.labels == 1)]
        for item in objects:
            seen = int(np.count_nonzero(owners == item.object_id))
            if self._clocks[item.object_id].is_time(item, frame.index, settings):
                self._book.retire(item.object_id, frame.index + 1, given=False)
                self._choose(item.object_id, item.mask, frame)
            elif (
                seen < settings.refill_below * settings.positive_points
                and item.score >= settings.refill_score
                and item.visible
            ):
                self._add(item, settings.positive_points - seen, frame)

    def remove(self, object_id: int) -> None:
        """Forget an object and all its points."""
        del self._groups[object_id], self._clocks[object_id]
        self.forget(self._book.ids_of(object_id))

    def forget(self, ids: NDArray[np.int64]) -> None:
        """Stop following these points; unknown ids are ignored."""
        if len(ids):
            self.tracker.remove(ids.tolist())
            self._book.drop(ids)
            if self._patches is not None:
                self._patches.drop(ids)

    def snapshot(self) -> Arrays:
        """Return all state, that of the tracker included, as plain arrays."""
        clocks = self._clocks.values()
        arrays: dict[str, NDArray[np.generic]] = {
            "started": np.array(self._started),
            "object_ids": np.array(list(self._groups), np.int64),
            "groups": np.array(list(self._groups.values()), np.int64),
            "since": np.array([clock.since for clock in clocks], np.int64),
            "area": np.array([clock.area for clock in clocks], np.float64),
            **prefixed("tracker", self.tracker.snapshot()),
            **prefixed("book", self._book.snapshot()),
            **prefixed("latest", self.latest.to_arrays()),
        }
        if self._patches is not None:
            arrays |= prefixed("patches", self._patches.snapshot())
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` returned."""
        self._started = int(arrays["started"])
        ids = arrays["object_ids"].tolist()
        self._groups = dict(zip(ids, arrays["groups"].tolist(), strict=True))
        clocks = map(RestartClock, arrays["since"].tolist(), arrays["area"].tolist())
        self._clocks = dict(zip(ids, clocks, strict=True))
        self.tracker.restore(nested("tracker", arrays))
        self._book.restore(nested("book", arrays))
        self.latest = PointTable.from_arrays(nested("latest", arrays))
        if self._patches is not None:
            self._patches.restore(nested("patches", arrays))

    def _add(self, item: ObjectResult, count: int, frame: Frame) -> None:
        """Choose further points on an object; forget those that are then too many."""
        settings = self._settings
        xy = select_points(
            item.mask,
            count,
            settings.point_selection,
            image=frame.image,
            rng=object_rng(settings.seed, item.object_id, frame.index),
        )
        self._follow(item.object_id, xy, np.ones(len(xy), np.int8), frame, given=False)
        keep = int(settings.keep_points * settings.positive_points)
        self.forget(self._book.surplus(item.object_id, keep))

    def _choose(self, object_id: int, mask: NDArray[np.bool_], frame: Frame) -> None:
        """Choose points on and off an object from its mask; its clock starts anew."""
        xy, labels = chosen_points(object_id, mask, frame, self._settings)
        self._follow(object_id, xy, labels, frame, given=False)
        self._clocks[object_id].since = frame.index

    def _follow(
        self,
        object_id: int,
        xy: NDArray[np.float32],
        labels: NDArray[np.int8],
        frame: Frame,
        *,
        given: bool,
    ) -> NDArray[np.int64]:
        """Enter points into the book and hand them to the tracker; return their ids."""
        ids = self._book.add(object_id, labels, frame=frame.index, given=given)
        if len(ids):
            frames = np.full(len(ids), frame.index, np.int64)
            places = np.asarray(xy, np.float32)
            self.tracker.add(QueryPoints(ids, frames, places, self._groups[object_id]))
            if self._patches is not None:
                self._patches.begin(ids, places, frame.image)
        return ids
