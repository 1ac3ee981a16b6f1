"""`ObjectTracking`: the objects of one video, from their prompts to the result of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame
from rvsam_video.points.book import PointBook
from rvsam_video.points.choosing import (
    chosen_points,
    object_rng,
    select_points,
)
from rvsam_video.points.patch_filter import patch_filter
from rvsam_video.points.prompting import OTHER_OBJECT, object_prompts, prompt_plan
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.results import FrameResult, ObjectResult, PointTable
from rvsam_video.segmenters.base import Embedding, MaskPrediction, ObjectPrompt, Segmenter
from rvsam_video.settings import SegmentationSettings
from rvsam_video.snapshot import Arrays, nested, prefixed
from rvsam_video.streaming.merging import full_size_logits, merge
from rvsam_video.streaming.renewal import RestartClock
from rvsam_video.streaming.tracked_object import TrackedObject
from rvsam_video.trackers.base import QueryPoints, TrackedPoints, TrackerState


class ObjectTracking:
    """The objects that are tracked in one video, their points and what is remembered of them.

    Args:
        state: the tracking of this video's points.
        segmenter: turns points into masks.
        settings: constants of the engine.
    """

    def __init__(
        self, state: TrackerState, segmenter: Segmenter, settings: SegmentationSettings
    ) -> None:
        self.settings = settings
        self.objects: dict[int, TrackedObject] = {}
        self.book = PointBook()
        self.last_finished = -1
        self.state = state
        self._segmenter = segmenter
        self._embedded: tuple[int, Embedding] | None = None
        self._table: PointTable | None = None
        self._started = 0
        self._plan = prompt_plan(settings)
        self._patches = patch_filter(settings)

    def apply(
        self, prompt: Prompt, frame: Frame, together: Sequence[Prompt] = ()
    ) -> MaskPrediction | None:
        """Take a prompt into account in the frame pushed last.

        Args:
            prompt: names its object.
            frame: the frame pushed last.
            together: all prompts of this frame; what is clicked as another object is not this one.

        Returns:
            the prediction it gave at once; None for a correction of a frame whose result is
            still to come, which will show it.
        """
        known = self.objects.get(prompt.object_id)
        if known is None or prompt.box is not None or prompt.mask is not None:
            return self._start_object(prompt, frame, self._elsewhere(prompt, frame, together))
        return self._correct_object(known, prompt, frame)

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "last_finished": np.array(self.last_finished),
            "started": np.array(self._started),
            "object_ids": np.array(list(self.objects), np.int64),
            **prefixed("tracker", self.state.snapshot()),
            **prefixed("book", self.book.snapshot()),
        }
        if self._table is not None:
            arrays |= prefixed("table", self._table.to_arrays())
        if self._patches is not None:
            arrays |= prefixed("patches", self._patches.snapshot())
        for object_id, item in self.objects.items():
            arrays |= prefixed(f"object/{object_id}", item.to_arrays())
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` returned."""
        self.last_finished = int(arrays["last_finished"])
        self._started = int(arrays["started"])
        if self._patches is not None:
            self._patches.restore(nested("patches", arrays))
        self.state.restore(nested("tracker", arrays))
        self.book.restore(nested("book", arrays))
        table = nested("table", arrays)
        self._table = PointTable(**table) if table else None  # type: ignore[arg-type]
        self.objects = {
            int(key): TrackedObject.from_arrays(nested(f"object/{key}", arrays))
            for key in arrays["object_ids"]
        }

    def remove(self, object_id: int) -> None:
        """Stop tracking an object."""
        del self.objects[object_id]
        self.forget(self.book.ids_of(object_id))

    def forget(self, ids: NDArray[np.int64]) -> None:
        """Stop following these points; unknown ids are ignored."""
        if len(ids):
            self.state.remove(ids.tolist())
            self.book.drop(ids)
            if self._patches is not None:
                self._patches.drop(ids)

    def finish(self, frame: Frame, tracked: TrackedPoints) -> FrameResult:
        """Segment a frame whose points are final."""
        settings = self.settings
        patches = self._patches
        judge = None if patches is None else partial(patches.judge, image=frame.image)
        table = self.book.table(tracked, frame.size, settings.border, judge)
        alive = {key: item for key, item in self.objects.items() if item.start <= frame.index}
        predictions = self._predict(frame, table, alive)
        masks = merge(
            list(predictions.values()),
            frame.size,
            score_threshold=settings.score_threshold,
            overlap=settings.overlap,
        )
        objects = tuple(
            ObjectResult(object_id, mask, item.score, item.logits, item.prompted)
            for (object_id, item), mask in zip(predictions.items(), masks, strict=True)
        )
        for found in objects:
            alive[found.object_id].memory = predictions[found.object_id].memory
            alive[found.object_id].clock.see(found)
        self._table = table
        self.last_finished = frame.index
        self.forget(self.book.retired(frame.index))
        return FrameResult(frame.index, frame.time, frame.image, objects, table)

    def _predict(
        self, frame: Frame, table: PointTable, alive: dict[int, TrackedObject]
    ) -> dict[int, MaskPrediction]:
        """Predict all living objects in one batch, but for those answered with their prompt."""
        answers = {
            key: item.answers.pop(frame.index)
            for key, item in alive.items()
            if frame.index in item.answers
        }
        prompts = object_prompts(
            table,
            {key: item.memory for key, item in alive.items()},
            self.settings,
            frame.index,
        )
        asked = [prompt for prompt in prompts if prompt.object_id not in answers]
        found = self._segment(frame, [self._before_correction(item, frame) for item in asked])
        found |= self._segment(
            frame,
            [
                replace(prompt, memory=found[prompt.object_id].memory)
                for prompt in asked
                if frame.index in self.objects[prompt.object_id].corrections
            ],
        )
        for key, item in alive.items():
            if item.corrections.pop(frame.index, None) is not None:
                self._forget_contradicted(key, table, found[key], frame)
        return {key: answers[key] if key in answers else found[key] for key in alive}

    def _before_correction(self, prompt: ObjectPrompt, frame: Frame) -> ObjectPrompt:
        """Leave out the points that the user corrected this object with in this frame.

        A correction is meant for what the segmenter makes of the frame without it, and is shown to
        it in a second step, as one that comes when the frame was out already.
        """
        given = self.objects[prompt.object_id].corrections.get(frame.index)
        if given is None:
            return prompt
        keep = ~np.isin(prompt.point_ids, given)
        return replace(
            prompt,
            points=prompt.points[keep],
            labels=prompt.labels[keep],
            point_ids=prompt.point_ids[keep],
        )

    def _segment(self, frame: Frame, prompts: Sequence[ObjectPrompt]) -> dict[int, MaskPrediction]:
        """Predict in one batch; return predictions by object id."""
        predicted = self._segmenter.predict(self._embed(frame), prompts) if prompts else []
        return {prompt.object_id: item for prompt, item in zip(prompts, predicted, strict=True)}

    def refill(self, frame: Frame, result: FrameResult) -> None:
        """Take new points from the masks of objects whose points are old, or few are visible."""
        settings = self.settings
        table = result.points
        for item in result.objects:
            if self.objects[item.object_id].clock.is_time(item, frame.index, settings):
                self.book.retire(item.object_id, frame.index + 1, given=False)
                self._choose_points(item.object_id, item.mask, frame)
                continue
            own = table.visible & (table.object_ids == item.object_id) & (table.labels == 1)
            missing = settings.positive_points - int(own.sum())
            enough = own.sum() >= settings.refill_below * settings.positive_points
            if enough or item.score < settings.refill_score or not item.visible:
                continue
            xy = select_points(
                item.mask,
                missing,
                settings.point_selection,
                image=frame.image,
                rng=object_rng(settings.seed, item.object_id, frame.index),
            )
            self._follow(item.object_id, xy, np.ones(len(xy), np.int8), frame, given=False)
            keep = int(settings.keep_points * settings.positive_points)
            self.forget(self.book.surplus(item.object_id, keep))

    def _elsewhere(
        self, prompt: Prompt, frame: Frame, together: Sequence[Prompt]
    ) -> NDArray[np.float32]:
        """Return (M, 2) places that belong to other objects in this frame."""
        if not self.settings.other_objects_as_negatives:
            return np.zeros((0, 2), np.float32)
        others = [item for item in together if item.object_id != prompt.object_id]
        places = [item.points[item.labels == 1] for item in others]
        table = self._table
        if table is not None and frame.index == self.last_finished:
            other = table.visible & (table.labels == 1) & (table.object_ids != prompt.object_id)
            places.append(table.xy[other])
        return np.concatenate([np.zeros((0, 2), np.float32), *places])

    def _start_object(
        self, prompt: Prompt, frame: Frame, elsewhere: NDArray[np.float32]
    ) -> MaskPrediction:
        own, other = len(prompt.points), len(elsewhere)
        request = ObjectPrompt(
            object_id=prompt.object_id,
            points=np.concatenate([prompt.points, elsewhere]),
            labels=np.concatenate([prompt.labels, np.zeros(other, np.int8)]),
            point_ids=np.concatenate(
                [self.book.next_id + np.arange(own), np.full(other, OTHER_OBJECT, np.int64)]
            ),
            box=prompt.box,
            mask=prompt.mask,
            plan=self._plan,
        )
        (prediction,) = self._segmenter.predict(self._embed(frame), [request])
        self.book.retire(prompt.object_id, frame.index)
        item = self._object(prompt.object_id, frame)
        self._follow(prompt.object_id, prompt.points, prompt.labels, frame, given=True)
        if prompt.box is not None or prompt.mask is not None or self.settings.add_points_to_clicks:
            mask = full_size_logits(prediction.logits, frame.size) > 0
            self._choose_points(prompt.object_id, mask, frame)
        self._answer(item, prediction, frame)
        return prediction

    def _object(self, object_id: int, frame: Frame) -> TrackedObject:
        """Return an object, entered anew if it is not known."""
        if object_id not in self.objects:
            group = self._started // self.settings.group_size if self.settings.group_size else 0
            self._started += 1
            clock = RestartClock(frame.index)
            self.objects[object_id] = TrackedObject(frame.index, group, clock=clock)
            self.objects = dict(sorted(self.objects.items()))
        return self.objects[object_id]

    def _correct_object(
        self, item: TrackedObject, prompt: Prompt, frame: Frame
    ) -> MaskPrediction | None:
        ids = self._follow(prompt.object_id, prompt.points, prompt.labels, frame, given=True)
        if self._table is None or frame.index > self.last_finished:
            item.corrections.setdefault(frame.index, []).extend(ids.tolist())
            return None
        own = self._table.visible & (self._table.object_ids == prompt.object_id)
        request = ObjectPrompt(
            object_id=prompt.object_id,
            points=np.concatenate([self._table.xy[own], prompt.points]),
            labels=np.concatenate([self._table.labels[own], prompt.labels]),
            point_ids=np.concatenate([self._table.ids[own], ids]),
            memory=item.memory,
            plan=self._plan,
        )
        (prediction,) = self._segmenter.predict(self._embed(frame), [request])
        self._forget_contradicted(prompt.object_id, self._table, prediction, frame)
        self._answer(item, prediction, frame)
        return prediction

    def _forget_contradicted(
        self, object_id: int, table: PointTable, prediction: MaskPrediction, frame: Frame
    ) -> None:
        """Forget chosen points that a correction has put on the wrong side of the mask.

        They would pull the mask back to where it was. What the user clicked stays.
        """
        own = np.flatnonzero(table.visible & (table.object_ids == object_id))
        chosen = own[~np.isin(table.ids[own], self.book.given_ids(object_id))]
        logits = full_size_logits(prediction.logits, frame.size)
        places = np.clip(np.round(table.xy[chosen]).astype(int), 0, np.array(frame.size) - 1)
        inside = logits[places[:, 1], places[:, 0]] > 0
        self.forget(table.ids[chosen][inside != (table.labels[chosen] == 1)])

    def _answer(self, item: TrackedObject, prediction: MaskPrediction, frame: Frame) -> None:
        """Keep a prediction as the result of its frame, or go on from it if that is out."""
        if frame.index > self.last_finished:
            item.answers[frame.index] = prediction
        else:
            item.memory = prediction.memory

    def _choose_points(self, object_id: int, mask: NDArray[np.bool_], frame: Frame) -> None:
        """Take query points from an object's mask."""
        xy, labels = chosen_points(object_id, mask, frame, self.settings)
        self._follow(object_id, xy, labels, frame, given=False)
        self.objects[object_id].clock.since = frame.index

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
        ids = self.book.add(object_id, labels, frame=frame.index, given=given)
        if len(ids):
            frames = np.full(len(ids), frame.index, np.int64)
            places = np.asarray(xy, np.float32)
            self.state.add(QueryPoints(ids, frames, places, self.objects[object_id].group))
            if self._patches is not None:
                self._patches.begin(ids, places, frame.image)
        return ids

    def _embed(self, frame: Frame) -> Embedding:
        """Embed a frame once, however many prompts and results ask for it."""
        if self._embedded is None or self._embedded[0] != frame.index:
            self._embedded = (frame.index, self._segmenter.embed(frame.image))
        return self._embedded[1]
