"""`ClipSegmenter`: all frames of a clip at once, as evaluations want it.

Points are followed through the whole clip first, backward from an object's own frame too; then
every frame is segmented by itself. The clip is read again for each step instead of being kept:
besides the points, nothing grows with its length.

Source: SAM-PT (arXiv:2307.01197); `SamPt.forward` of SysCV/sam-pt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rvsam_video.clips.frames import (
    ClipFrames,
    Size,
    SizeRule,
    Source,
    resize_image,
    resize_mask,
    same_size,
)
from rvsam_video.clips.merging import ClipMerger
from rvsam_video.clips.points import (
    ClipObject,
    choose_queries,
    join_queries,
    rescaled,
    track_queries,
)
from rvsam_video.errors import PromptError
from rvsam_video.frame import Frame
from rvsam_video.points.prompting import object_prompts
from rvsam_video.results import FrameResult, PointTable
from rvsam_video.segmenters.base import (
    MaskPrediction,
    Memory,
    ObjectPrompt,
    Segmenter,
    refuse_infinite_masks,
)
from rvsam_video.settings import SegmentationSettings
from rvsam_video.streaming.merging import object_result
from rvsam_video.trackers.base import ClipTracker

__all__ = ["ClipObject", "ClipSegmenter"]


class ClipSegmenter:
    """Segments clips that can be read again; holds no state of any of them.

    Args:
        tracker: follows points through a whole clip.
        segmenter: turns points into masks.
        settings: constants of the engine; `group_size` objects are tracked together.
        rule: the size that clips are worked on, see `clips.frames`.
        batch_size: so many objects see each other as negatives and share tracking groups; 0
            means all.
    """

    def __init__(
        self,
        tracker: ClipTracker,
        segmenter: Segmenter,
        settings: SegmentationSettings | None = None,
        *,
        rule: SizeRule = same_size,
        batch_size: int = 0,
    ) -> None:
        self.tracker = tracker
        self.segmenter = segmenter
        self.settings = settings or SegmentationSettings()
        self.rule = rule
        self.batch_size = batch_size

    def segment(
        self, source: Source, objects: Sequence[ClipObject], size: Size | None = None
    ) -> Iterator[FrameResult]:
        """Segment all frames of a clip.

        Args:
            source: begins to read the clip; called several times.
            objects: what to follow; their order decides ties and tracking groups.
            size: (width, height) of the results, None for that of the clip.

        Yields:
            One result per frame with pictures, masks and points at that size. In frames before
            its own an object is left out, unless masks may overlap or the public code is
            followed. Scores of objects that were not looked for are 0, and minus infinity with
            `sam_pt_exact`.

        Raises:
            PromptError: if ids repeat, or an object's frame is not in the clip.
            SourceError: if the clip has no frame.
        """
        ids = check_ids(objects)
        clip = ClipFrames(source, self.rule)
        # All points are chosen before any is tracked: tracking may go backward from any of them.
        queries = join_queries(choose_queries(clip, objects, self.settings))
        batches = parts_of(ids, self.batch_size)
        # Objects of different batches never share a group: they must not influence each other.
        groups = [part for batch in batches for part in parts_of(batch, self.settings.group_size)]
        points = track_queries(clip, clip.size, self.tracker, queries, groups, self.settings)
        merger = ClipMerger(self.settings, clip.size, size or clip.source_size)
        memories: dict[int, Memory | None] = dict.fromkeys(ids)
        for position, original in enumerate(clip.originals()):
            frame, table = clip.resized(original), points.table(position)
            alive = [item for item in objects if self._lives(item, frame.index)]
            prompts = self.prompts(frame, table, alive, batches, memories)
            predictions = self.predict(frame, prompts)
            for item, prediction in zip(alive, predictions, strict=True):
                memories[item.object_id] = prediction.memory
            yield self.result(original, table, alive, predictions, merger)

    def _lives(self, item: ClipObject, frame: int) -> bool:
        """Whether an object takes part in a frame; before its own it often has no say."""
        # SAM-PT shows an object's points as negatives even in frames before it is there.
        return item.frame <= frame or self.settings.overlap or self.settings.sam_pt_exact

    def prompts(
        self,
        frame: Frame,
        table: PointTable,
        alive: Sequence[ClipObject],
        batches: Sequence[Sequence[int]],
        memories: dict[int, Memory | None],
    ) -> list[ObjectPrompt]:
        """Build the prompts of a frame's objects, batch by batch."""
        known = {item.object_id: item for item in alive}
        prompts = []
        for batch in batches:
            present = {key: memories.get(key) for key in batch if key in known}
            prompts += object_prompts(table, present, self.settings, frame.index)
        if self.settings.overlap or self.settings.sam_pt_exact:
            return prompts
        return [_with_truth(prompt, known[prompt.object_id], frame) for prompt in prompts]

    def predict(self, frame: Frame, prompts: Sequence[ObjectPrompt]) -> list[MaskPrediction]:
        """Encode a frame and segment its objects; without objects it is not looked at."""
        if not prompts:
            return []
        predictions = self.segmenter.predict(self.segmenter.embed(frame.image), prompts)
        refuse_infinite_masks(predictions, self.segmenter.name, frame.index)
        if not self.settings.sam_pt_exact:
            return predictions
        # The public code's score of an object that was not looked for, which then decides its mean.
        return [item if item.prompted else replace(item, score=-np.inf) for item in predictions]

    def result(
        self,
        original: Frame,
        table: PointTable,
        alive: Sequence[ClipObject],
        predictions: Sequence[MaskPrediction],
        merger: ClipMerger,
    ) -> FrameResult:
        """Put the result of a frame together, at the size of the results."""
        masks = merger.masks(alive, predictions, original.index)
        results = tuple(
            object_result(item.object_id, mask, found, keep_logits=self.settings.keep_logits)
            for item, found, mask in zip(alive, predictions, masks, strict=True)
        )
        image = resize_image(original.image, merger.size)
        points = replace(table, xy=self._placed(table, merger))
        return FrameResult(original.index, original.time, image, results, points)

    def _placed(self, table: PointTable, merger: ClipMerger) -> NDArray[np.float32]:
        """Return the points at the results' size; SAM-PT scales x like y and y like x."""
        if not self.settings.sam_pt_exact:
            return rescaled(table.xy, merger.processed, merger.size)
        # Height first, for x: the factors agree within a hundredth, or the public code stops.
        scale = np.array(merger.size[::-1]) / merger.processed[::-1]
        return np.asarray(table.xy * scale, np.float32)


def check_ids(objects: Sequence[ClipObject]) -> list[int]:
    """Return the ids of the objects.

    Raises:
        PromptError: if there are none, or some repeat.
    """
    ids = [item.object_id for item in objects]
    if len(set(ids)) < len(ids) or not ids:
        msg = f"the objects are {ids}; give at least one, each with an id of its own"
        raise PromptError(msg)
    return ids


def parts_of(ids: Sequence[int], size: int) -> list[list[int]]:
    """Cut a list into parts of this size, 0 for a single one."""
    step = size or max(len(ids), 1)
    return [list(ids[start : start + step]) for start in range(0, len(ids), step)]


def _with_truth(prompt: ObjectPrompt, item: ClipObject, frame: Frame) -> ObjectPrompt:
    """Tell the segmenter the mask that is known in the object's own frame."""
    if item.mask is None or frame.index != item.frame:
        return prompt
    return replace(prompt, mask=resize_mask(item.mask, frame.size))
