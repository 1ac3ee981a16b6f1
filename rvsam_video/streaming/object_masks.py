"""`ObjectMasks`: the masks of a video's objects, and what the segmenter remembers of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame
from rvsam_video.points.prompting import without_points
from rvsam_video.results import ObjectResult
from rvsam_video.segmenters.base import (
    Embedding,
    MaskPrediction,
    Memory,
    ObjectPrompt,
    Segmenter,
    refuse_infinite_masks,
)
from rvsam_video.settings import SegmentationSettings
from rvsam_video.snapshot import Arrays, nested, prefixed
from rvsam_video.streaming.merging import merge, object_result
from rvsam_video.streaming.tracked_object import TrackedObject


class ObjectMasks:
    """The objects of one video, from the prompts of a frame to their masks in it.

    Args:
        segmenter: turns points into masks.
        settings: constants of the engine.

    Attributes:
        objects: what is known of each, by rising id.
    """

    def __init__(self, segmenter: Segmenter, settings: SegmentationSettings) -> None:
        self.objects: dict[int, TrackedObject] = {}
        self._segmenter = segmenter
        self._settings = settings
        self._embedded: tuple[int, Embedding] | None = None

    def memories(self, frame: int) -> dict[int, Memory | None]:
        """Return what is remembered of the objects that live in a frame, by rising id."""
        return {key: item.memory for key, item in self.objects.items() if item.start <= frame}

    def start(self, prompt: ObjectPrompt, frame: Frame, *, is_out: bool) -> MaskPrediction:
        """Begin an object, or one that is known afresh; return what is seen of it at once.

        Args:
            prompt: all that is said of it.
            frame: the frame pushed last.
            is_out: whether the result of that frame is out. If it is still to come, it shows this
                prediction; else the next one goes on from it.
        """
        prediction = self._ask(frame, [prompt])[prompt.object_id]
        if prompt.object_id not in self.objects:
            self.objects[prompt.object_id] = TrackedObject(frame.index)
            self.objects = dict(sorted(self.objects.items()))
        item = self.objects[prompt.object_id]
        # What was corrected before in this frame belongs to the object's former life.
        item.corrections.pop(frame.index, None)
        if is_out:
            item.memory = prediction.memory
        else:
            item.answers[frame.index] = prediction
        return prediction

    def correct(self, prompt: ObjectPrompt, frame: Frame) -> MaskPrediction:
        """Show an object of the frame whose result is out a correction; go on from the answer."""
        prediction = self._ask(frame, [prompt])[prompt.object_id]
        self.objects[prompt.object_id].memory = prediction.memory
        return prediction

    def correct_later(self, object_id: int, frame: int, ids: NDArray[np.int64]) -> None:
        """Remember that these points correct an object in a frame that is not segmented yet."""
        self.objects[object_id].corrections.setdefault(frame, []).extend(ids.tolist())

    def corrections(self, frame: int) -> dict[int, list[int]]:
        """Return the points that correct objects in a frame still to be settled, by object id."""
        return {
            key: item.corrections[frame]
            for key, item in self.objects.items()
            if frame in item.corrections
        }

    def predict(
        self,
        frame: Frame,
        prompts: Sequence[ObjectPrompt],
        corrections: Mapping[int, Sequence[int]],
    ) -> dict[int, MaskPrediction]:
        """Segment the objects of a frame in one batch, but for those answered with their prompt.

        A correction is meant for what the segmenter makes of the frame without it. So it is left
        out at first and shown in a second batch, as one that comes when the frame was out already.

        Args:
            frame: the frame.
            prompts: one for each object that lives in it.
            corrections: what `corrections` says of the frame.

        Returns:
            Predictions by object id, in the order of the prompts.
        """
        found = {
            key: item.answers[frame.index]
            for key, item in self.objects.items()
            if frame.index in item.answers
        }
        first = [
            without_points(prompt, corrections[prompt.object_id])
            if prompt.object_id in corrections
            else prompt
            for prompt in prompts
            if prompt.object_id not in found
        ]
        found |= self._ask(frame, first)
        if corrections:
            second = [
                replace(prompt, memory=found[prompt.object_id].memory)
                for prompt in prompts
                if prompt.object_id in corrections
            ]
            found |= self._ask(frame, second)
        return {prompt.object_id: found[prompt.object_id] for prompt in prompts}

    def settle(
        self, frame: Frame, predictions: dict[int, MaskPrediction]
    ) -> tuple[ObjectResult, ...]:
        """Share the pixels of a frame among its objects; later frames go on from this one."""
        settings = self._settings
        masks = merge(
            predictions.values(),
            frame.size,
            score_threshold=settings.score_threshold,
            overlap=settings.overlap,
        )
        for object_id, prediction in predictions.items():
            item = self.objects[object_id]
            item.memory = prediction.memory
            item.answers.pop(frame.index, None)
            item.corrections.pop(frame.index, None)
        return tuple(
            object_result(object_id, mask, prediction, keep_logits=settings.keep_logits)
            for (object_id, prediction), mask in zip(predictions.items(), masks, strict=True)
        )

    def remove(self, object_id: int) -> None:
        """Forget an object."""
        del self.objects[object_id]

    def snapshot(self) -> Arrays:
        """Return all state as plain arrays."""
        arrays: dict[str, NDArray[np.generic]] = {
            "object_ids": np.array(list(self.objects), np.int64)
        }
        for object_id, item in self.objects.items():
            arrays |= prefixed(f"object/{object_id}", item.to_arrays())
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take over what `snapshot` returned."""
        self.objects = {
            key: TrackedObject.from_arrays(nested(f"object/{key}", arrays))
            for key in arrays["object_ids"].tolist()
        }

    def _ask(self, frame: Frame, prompts: Sequence[ObjectPrompt]) -> dict[int, MaskPrediction]:
        """Predict in one batch; return predictions by object id.

        A frame is embedded once, however many prompts and results ask for it, and not for none.
        """
        if not prompts:
            return {}
        if self._embedded is None or self._embedded[0] != frame.index:
            self._embedded = (frame.index, self._segmenter.embed(frame.image))
        predicted = self._segmenter.predict(self._embedded[1], prompts)
        refuse_infinite_masks(predicted, self._segmenter.name, frame.index)
        return {prompt.object_id: item for prompt, item in zip(prompts, predicted, strict=True)}
