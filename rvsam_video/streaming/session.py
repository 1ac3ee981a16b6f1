"""`Session`: one video being tracked. Push frames, add and remove objects, take results."""

from __future__ import annotations

import time as clock
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rvsam_video.errors import PromptError, UsageError
from rvsam_video.frame import Frame, check_next
from rvsam_video.images import as_image, owned
from rvsam_video.points.prompting import correction_prompt, object_prompts, start_prompt
from rvsam_video.prompts.prompt import Prompt, check_against_frame, merge_prompts
from rvsam_video.results import FrameResult, ObjectResult
from rvsam_video.segmenters.base import MaskPrediction, Segmenter
from rvsam_video.settings import SegmentationSettings
from rvsam_video.snapshot import Arrays, frames_from_arrays, frames_to_arrays, nested, prefixed
from rvsam_video.streaming.merging import mask_alone, object_result
from rvsam_video.streaming.object_masks import ObjectMasks
from rvsam_video.streaming.object_points import ObjectPoints
from rvsam_video.trackers.base import PointTracker, TrackedPoints

_LEAST_OF_BOX = 0.1
"""An object that fills less of the box around it is a thin diagonal, or not what was meant."""


class Session:
    """Tracks objects through one video whose frames arrive one at a time.

    Holds the frames that the tracker's lookahead still needs and the last one, nothing else.

    Args:
        tracker: follows the points.
        segmenter: turns points into masks.
        settings: constants of the engine.
        prompts: what is known before the video starts; more can be added at any time.

    Attributes:
        settings: constants of the engine.
        notes: sentences about prompts that could not be taken as they were given.

    Raises:
        PromptError: if an object has two boxes or two masks in one frame.
    """

    def __init__(
        self,
        tracker: PointTracker,
        segmenter: Segmenter,
        settings: SegmentationSettings | None = None,
        prompts: Sequence[Prompt] = (),
    ) -> None:
        self.settings = settings or SegmentationSettings()
        self._tracker = tracker
        self._masks = ObjectMasks(segmenter, self.settings)
        self._points: ObjectPoints | None = None
        self._pending = merge_prompts(prompts)
        self._waiting: deque[Frame] = deque()
        self._last: Frame | None = None
        self._began = clock.monotonic()
        self.notes: list[str] = []

    @property
    def object_ids(self) -> list[int]:
        """Ids of the objects that are being tracked now, rising."""
        return list(self._masks.objects)

    @property
    def pending(self) -> tuple[Prompt, ...]:
        """Prompts whose frame has not come yet."""
        return tuple(self._pending)

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""
        return -1 if self._last is None else self._last.index

    def push(self, frame: object, time: float | None = None) -> list[FrameResult]:
        """Take the next frame; return the results that became final, in order.

        Args:
            frame: a `Frame`, or a picture, which gets the next index: (H, W, 3) uint8 RGB, a Pillow
                image, or a tensor (3, H, W) or (H, W, 3) of uint8 or of floats from 0 to 1. It
                is copied, so that the same buffer can be filled again.
            time: seconds, for a bare picture; by default the time since the session began.

        Returns:
            none, one or more results: with a tracker that needs `lookahead` frames, the result
            of a frame comes that many pushes later.

        Raises:
            UsageError: if the frame has another size than the first, or its index does not rise.
            PromptError: with the first frame, if a prompt does not fit the video's frames.
        """
        if isinstance(frame, Frame):
            # A frame outlives the call, since later ones are compared with it.
            frame = owned(frame)
        else:
            time = clock.monotonic() - self._began if time is None else time
            index = self.last_index + 1
            frame = Frame(index, time, as_image(frame, f"frame {index}"))
        check_next(frame, self._last)
        points = self._points or self._begin(frame)
        self._waiting.append(frame)
        self._last = frame
        due = [prompt for prompt in self._pending if prompt.frame <= frame.index]
        self._pending = [prompt for prompt in self._pending if prompt.frame > frame.index]
        for prompt in due:
            self._note_moved(prompt, frame)
            self._apply(prompt, points, frame, due)
        results = []
        for tracked in points.tracker.push(frame):
            final = self._waiting.popleft()
            results.append(self._segment(points, final, tracked))
        if results:
            # A tracker takes queries from the frame given out last on, so only there.
            points.refill(final, results[-1].objects)
        return results

    def _note_moved(self, prompt: Prompt, frame: Frame) -> None:
        if prompt.frame < frame.index:
            self.notes.append(
                f"the prompt of {prompt.where} was taken in frame {frame.index}: frame "
                f"{prompt.frame} was not read"
            )

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back by the tracker's lookahead."""
        if self._points is None:
            return []
        points = self._points
        return [
            self._segment(points, self._waiting.popleft(), tracked)
            for tracked in points.tracker.flush()
        ]

    def add(
        self,
        object_id: int,
        *,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: NDArray[np.bool_] | None = None,
        frame: int | None = None,
    ) -> ObjectResult | None:
        """Start an object or correct one, while the video runs.

        A new object starts from what is given. For an object that is already tracked, points
        are added to those it has; a box or a mask starts it afresh.

        Args:
            object_id: 1 to 255, yours to choose.
            points: (N, 2) x, y in pixels.
            labels: (N,) 1 on the object, 0 off it; all 1 by default.
            box: (4,) x0, y0, x1, y1 in pixels.
            mask: (H, W) bool.
            frame: index of the frame it belongs to: the one pushed last (the default) or one
                still to come.

        Returns:
            the object's mask in the frame pushed last, at once; None if the frame is to come, or
            if its result is still to come and will show the correction.

        Raises:
            PromptError: if something does not fit the frame, or the frame is gone.
        """
        prompt = Prompt.create(
            object_id=object_id,
            frame=max(self.last_index, 0) if frame is None else frame,
            points=points,
            labels=labels,
            box=box,
            mask=mask,
        )
        if prompt.frame < self.last_index:
            msg = (
                f"frame {prompt.frame} is gone: prompts can name frame {self.last_index} "
                "(the last one) or a later one"
            )
            raise PromptError(msg)
        if self._last is not None:
            prompt = check_against_frame(prompt, self._last.size)
        if self._last is None or self._points is None or prompt.frame > self._last.index:
            self._pending.append(prompt)
            return None
        prediction = self._apply(prompt, self._points, self._last)
        if prediction is None:
            return None
        mask, keep_logits = mask_alone(prediction, self._last.size), self.settings.keep_logits
        return object_result(object_id, mask, prediction, keep_logits=keep_logits)

    def remove(self, object_id: int) -> None:
        """Stop tracking an object, from the next result on; prompts for later frames go too.

        Raises:
            UsageError: if there is no such object.
        """
        known = object_id in self.object_ids
        if not known and all(prompt.object_id != object_id for prompt in self._pending):
            msg = f"there is no object {object_id}; tracked are: {self.object_ids or 'none'}"
            raise UsageError(msg)
        self._pending = [prompt for prompt in self._pending if prompt.object_id != object_id]
        if known and self._points is not None:
            self._masks.remove(object_id)
            self._points.remove(object_id)

    def remove_points(self, point_ids: Sequence[int]) -> None:
        """Stop following single points (ids as in `FrameResult.points`), from the next result on.

        Unknown ids are ignored: a point may have been forgotten since it was shown.
        """
        if self._points is not None:
            self._points.forget(np.asarray(point_ids, np.int64))

    def check_prompts(self, frame_size: tuple[int, int]) -> None:
        """Check the prompts given so far, before any frame is there.

        Args:
            frame_size: (width, height) of the frames to come.

        Raises:
            PromptError: if one does not fit.
        """
        self._pending = [check_against_frame(prompt, frame_size) for prompt in self._pending]

    def snapshot(self) -> Arrays:
        """Return everything that later results depend on, as plain arrays.

        Prompts that are still pending are not in it.
        """
        if self._points is None or self._last is None:
            return {}
        frames = list(self._waiting) or [self._last]
        return (
            prefixed("points", self._points.snapshot())
            | prefixed("masks", self._masks.snapshot())
            | prefixed("frames", frames_to_arrays(frames))
            | {"waiting": np.array(len(self._waiting))}
        )

    def restore(self, arrays: Arrays) -> None:
        """Continue where `snapshot` was taken, with the same results to the last bit.

        To be called on a new session, made with the same tracker, segmenter, settings and
        prompts. Prompts of frames that are already past are dropped.
        """
        if not arrays:
            return
        frames = frames_from_arrays(nested("frames", arrays))
        self._last = frames[-1]
        self._waiting = deque(frames if int(arrays["waiting"]) else ())
        self._pending = [prompt for prompt in self._pending if prompt.frame > self.last_index]
        self._begin(self._last).restore(nested("points", arrays))
        self._masks.restore(nested("masks", arrays))

    def _begin(self, frame: Frame) -> ObjectPoints:
        """Begin the video of which this is a frame."""
        self.check_prompts(frame.size)
        self._points = ObjectPoints(self._tracker.start(frame.size), self.settings)
        return self._points

    def _segment(self, points: ObjectPoints, frame: Frame, tracked: TrackedPoints) -> FrameResult:
        """Make the result of a frame whose points are final."""
        masks, settings = self._masks, self.settings
        table = points.table(frame, tracked)
        prompts = object_prompts(table, masks.memories(frame.index), settings, frame.index)
        corrections = masks.corrections(frame.index)
        predictions = masks.predict(frame, prompts, corrections)
        for object_id in corrections:
            mask = mask_alone(predictions[object_id], frame.size)
            points.forget_contradicted(object_id, mask)
        objects = masks.settle(frame, predictions)
        points.settle(frame.index, objects)
        return FrameResult(frame.index, frame.time, frame.image, objects, table)

    def _apply(
        self, prompt: Prompt, points: ObjectPoints, frame: Frame, together: Sequence[Prompt] = ()
    ) -> MaskPrediction | None:
        """Take a prompt into account in the frame pushed last.

        Args:
            prompt: names its object.
            points: those of this video.
            frame: the frame pushed last.
            together: all prompts of this frame; what is clicked as another object is not this one.

        Returns:
            what it gave at once; None for a correction of a frame whose result is still to come.
        """
        known = self._masks.objects.get(prompt.object_id)
        # Results come in order: as long as any frame waits for its own, the last one does.
        is_out = not self._waiting
        if known is None or prompt.box is not None or prompt.mask is not None:
            elsewhere = self._elsewhere(prompt, points, together)
            request = start_prompt(prompt, points.next_id, elsewhere, self.settings)
            prediction = self._masks.start(request, frame, is_out=is_out)
            mask = mask_alone(prediction, frame.size)
            self._note_nearly_empty(prompt, mask)
            points.start(prompt, frame, mask)
            return prediction
        ids = points.give(prompt, frame)
        if not is_out:
            self._masks.correct_later(prompt.object_id, frame.index, ids)
            return None
        request = correction_prompt(prompt, ids, points.latest, known.memory, self.settings)
        prediction = self._masks.correct(request, frame)
        points.forget_contradicted(prompt.object_id, mask_alone(prediction, frame.size))
        return prediction

    def _note_nearly_empty(self, prompt: Prompt, mask: NDArray[np.bool_]) -> None:
        if prompt.box is None or prompt.mask is not None:
            return
        x0, y0, x1, y1 = (float(side) for side in prompt.box)
        share = np.count_nonzero(mask) / ((x1 - x0 + 1) * (y1 - y0 + 1))
        if share < _LEAST_OF_BOX:
            self.notes.append(
                f"the mask of {prompt.where} fills {share:.0%} of its box; look at it, and add a "
                "point on the object"
            )

    def _elsewhere(
        self, prompt: Prompt, points: ObjectPoints, together: Sequence[Prompt]
    ) -> NDArray[np.float32]:
        """Return (M, 2) places that belong to other objects in the frame pushed last."""
        places = [np.zeros((0, 2), np.float32)]
        if self.settings.other_objects_as_negatives:
            others = [item for item in together if item.object_id != prompt.object_id]
            places += [item.points[item.labels == 1] for item in others]
            # Where the points are in a frame is known when its result is out, not before.
            if not self._waiting:
                places.append(points.places_of_others(prompt.object_id))
        return np.concatenate(places)
