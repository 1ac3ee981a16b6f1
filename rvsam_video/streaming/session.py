"""`Session`: one video being tracked. Push frames, add and remove objects, take results."""

from __future__ import annotations

import time as clock
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rvsam_video.errors import PromptError, UsageError
from rvsam_video.frame import Frame, Image, check_next
from rvsam_video.prompts.prompt import Prompt, check_against_frame, merge_prompts
from rvsam_video.results import FrameResult, ObjectResult
from rvsam_video.segmenters.base import Segmenter
from rvsam_video.settings import SegmentationSettings
from rvsam_video.snapshot import Arrays, frames_from_arrays, frames_to_arrays, nested, prefixed
from rvsam_video.streaming.merging import full_size_logits
from rvsam_video.streaming.object_tracking import ObjectTracking
from rvsam_video.trackers.base import PointTracker, TrackedPoints


class Session:
    """Tracks objects through one video whose frames arrive one at a time.

    Holds the frames that the tracker's lookahead still needs and the last one, nothing else.

    Args:
        tracker: follows the points.
        segmenter: turns points into masks.
        settings: constants of the engine.
        prompts: what is known before the video starts; more can be added at any time.

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
        self._segmenter = segmenter
        self._tracking: ObjectTracking | None = None
        self._pending = merge_prompts(prompts)
        self._waiting: deque[Frame] = deque()
        self._last: Frame | None = None
        self._began = clock.monotonic()

    @property
    def object_ids(self) -> list[int]:
        """Ids of the objects that are being tracked now, rising."""
        return [] if self._tracking is None else list(self._tracking.objects)

    @property
    def pending(self) -> tuple[Prompt, ...]:
        """Prompts whose frame has not come yet."""
        return tuple(self._pending)

    @property
    def last_index(self) -> int:
        """Index of the frame pushed last, -1 before the first."""
        return -1 if self._last is None else self._last.index

    def push(self, frame: Frame | Image, time: float | None = None) -> list[FrameResult]:
        """Take the next frame; return the results that became final, in order.

        Args:
            frame: a `Frame`, or (H, W, 3) uint8 RGB which gets the next index.
            time: seconds, for a bare image; by default the time since the session began.

        Returns:
            none, one or more results: with a tracker that needs `lookahead` frames, the result
            of a frame comes that many pushes later.

        Raises:
            UsageError: if the frame has another size than the first, or its index does not rise.
            PromptError: with the first frame, if a prompt does not fit the video's frames.
        """
        if not isinstance(frame, Frame):
            time = clock.monotonic() - self._began if time is None else time
            frame = Frame(self.last_index + 1, time, frame)
        check_next(frame, self._last)
        tracking = self._tracking or self._start(frame)
        self._waiting.append(frame)
        self._last = frame
        due = [prompt for prompt in self._pending if prompt.frame <= frame.index]
        self._pending = [prompt for prompt in self._pending if prompt.frame > frame.index]
        for prompt in due:
            tracking.apply(prompt, frame, due)
        return self._finish(tracking, tracking.state.push(frame), refill=True)

    def flush(self) -> list[FrameResult]:
        """End of the video: return the results still held back by the tracker's lookahead."""
        if self._tracking is None:
            return []
        return self._finish(self._tracking, self._tracking.state.flush(), refill=False)

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
        if self._last is None or self._tracking is None or prompt.frame > self._last.index:
            self._pending.append(prompt)
            return None
        prediction = self._tracking.apply(prompt, self._last)
        if prediction is None:
            return None
        logits = full_size_logits(prediction.logits, self._last.size)
        return ObjectResult(object_id, logits > 0, prediction.score, prediction.logits)

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
        if known and self._tracking is not None:
            self._tracking.remove(object_id)

    def remove_points(self, point_ids: Sequence[int]) -> None:
        """Stop following single points (ids as in `FrameResult.points`), from the next result on.

        Unknown ids are ignored: a point may have been forgotten since it was shown.
        """
        if self._tracking is not None:
            self._tracking.forget(np.asarray(point_ids, np.int64))

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
        if self._tracking is None or self._last is None:
            return {}
        frames = list(self._waiting) or [self._last]
        return (
            prefixed("tracking", self._tracking.snapshot())
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
        self._tracking = ObjectTracking(
            self._tracker.start(self._last.size), self._segmenter, self.settings
        )
        self._tracking.restore(nested("tracking", arrays))
        self._waiting = deque(frames if int(arrays["waiting"]) else ())
        self._pending = [prompt for prompt in self._pending if prompt.frame > self.last_index]

    def _start(self, frame: Frame) -> ObjectTracking:
        self.check_prompts(frame.size)
        self._tracking = ObjectTracking(
            self._tracker.start(frame.size), self._segmenter, self.settings
        )
        return self._tracking

    def _finish(
        self, tracking: ObjectTracking, tracked: Sequence[TrackedPoints], *, refill: bool
    ) -> list[FrameResult]:
        results = []
        for number, points in enumerate(tracked):
            frame = self._waiting.popleft()
            results.append(tracking.finish(frame, points))
            # A tracker takes queries from the frame given out last on, so only there.
            if refill and number == len(tracked) - 1:
                tracking.refill(frame, results[-1])
        return results
