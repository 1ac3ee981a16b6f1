"""`RestartingClipSegmenter`: whole clips, with tracking restarted from predicted masks.

Forward only: before an object's own frame there is nothing to see of it. Frames are read once and
held while a chunk may still need them, results while a later chunk may still overwrite them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from rvsam_video.clips.frames import ClipFrames, Size, SizeRule, Source, same_size
from rvsam_video.clips.merging import ClipMerger
from rvsam_video.clips.points import (
    ClipObject,
    choose_queries,
    join_queries,
    queries_at,
    queries_of_mask,
    track_queries,
)
from rvsam_video.clips.schedule import (
    Chunk,
    FinishedChunk,
    restart_chunks,
)
from rvsam_video.clips.segmenter import ClipSegmenter, check_ids, parts_of
from rvsam_video.frame import Frame
from rvsam_video.results import FrameResult, PointTable
from rvsam_video.segmenters.base import MaskPrediction, Segmenter
from rvsam_video.settings import SMALLEST_AREA, RestartSettings, SegmentationSettings
from rvsam_video.trackers.base import ClipTracker


@dataclass(slots=True)
class _Held:
    """What the chunks so far know of a frame: object number to its points and its mask."""

    original: Frame
    frame: Frame
    tables: dict[int, PointTable] = field(default_factory=dict)
    predictions: dict[int, MaskPrediction] = field(default_factory=dict)


class RestartingClipSegmenter:
    """Segments clips in chunks; holds no state of any of them.

    Args:
        tracker: follows points through the frames of a chunk.
        segmenter: turns points into masks; one without memory.
        settings: constants of the engine.
        restarts: when and where tracking is restarted. With `settings.sam_pt_exact`, an object
            without a mask gets query points at (0, 0), as in the public code; by default it keeps
            the points it has.
        rule: the size that clips are worked on, see `clips.frames`.
    """

    def __init__(
        self,
        tracker: ClipTracker,
        segmenter: Segmenter,
        settings: SegmentationSettings | None = None,
        restarts: RestartSettings | None = None,
        *,
        rule: SizeRule = same_size,
    ) -> None:
        self._engine = ClipSegmenter(tracker, segmenter, settings, rule=rule)
        self._restarts = restarts or RestartSettings()

    def segment(
        self, source: Source, objects: Sequence[ClipObject], size: Size | None = None
    ) -> Iterator[FrameResult]:
        """Segment all frames of a clip; see `ClipSegmenter.segment`.

        Args:
            source: begins to read the clip; called several times.
            objects: what to follow; their order decides ties and tracking groups.
            size: (width, height) of the results, None for that of the clip.

        Yields:
            One result per frame; objects are left out before their own frame.

        Raises:
            PromptError: if ids repeat, or an object's frame is not in the clip.
            SourceError: if the clip has no frame.
        """
        check_ids(objects)
        clip = ClipFrames(source, self._engine.rule)
        run = _Run(self._engine, clip, objects)
        merger = ClipMerger(self._engine.settings, clip.size, size or clip.source_size)
        positions = run.positions()
        # Schedules count frames by position; indices may have gaps.
        starts = [positions[item.frame] for item in objects]
        chunks = restart_chunks(starts, len(positions), self._restarts, run.segment)
        done = 0
        for finished in chunks:
            run.restart(finished)
            # No later chunk starts before `final`, so these can be given out and forgotten.
            for position in range(done, finished.final):
                yield run.result(position, merger)
            done = finished.final


class _Run:
    """One clip: its frames, and the query points that each object goes on from."""

    def __init__(
        self, engine: ClipSegmenter, clip: ClipFrames, objects: Sequence[ClipObject]
    ) -> None:
        self._engine, self._clip, self._objects = engine, clip, objects
        self._queries = dict(enumerate(choose_queries(clip, objects, engine.settings)))
        self._reader = iter(clip.originals())
        self._held: dict[int, _Held] = {}
        self._read = 0
        self._next_id = 0

    def positions(self) -> dict[int, int]:
        """Return frame index to position for the whole clip."""
        return {frame.index: number for number, frame in enumerate(self._clip.originals())}

    def segment(self, chunk: Chunk) -> NDArray[np.int64]:
        """Track and segment a chunk; return the areas of its masks, (objects, frames)."""
        settings = self._engine.settings
        # The tracker may look further than is segmented, so that its windows see more of the
        # future.
        window = self._frames(chunk.start, chunk.tracked_stop)
        queries = join_queries([self._queries[number] for number in chunk.objects])
        ids = {number: self._objects[number].object_id for number in chunk.objects}
        points = track_queries(
            partial(iter, window),
            self._clip.size,
            self._engine.tracker,
            queries,
            parts_of(list(ids.values()), settings.group_size),
            settings,
        )
        used = range(chunk.start, chunk.stop)
        for position in used:
            table = points.table(position - chunk.start)
            self._segment_frame(self._held[position], table, ids)
        # Points of another chunk are other points: their ids must not repeat.
        self._next_id += len(queries)
        # At the size of the logits, where SAM-PT counts as well.
        areas = [[self._mask(number, position).sum() for position in used] for number in ids]
        return np.array(areas, np.int64)

    def _segment_frame(self, held: _Held, table: PointTable, ids: dict[int, int]) -> None:
        frame = held.frame
        alive = [self._objects[number] for number in ids]
        # Without memory: a restart must not depend on what was overwritten.
        prompts = self._engine.prompts(frame, table, alive, [list(ids.values())], {})
        predictions = self._engine.predict(frame, prompts)
        for number, prediction in zip(ids, predictions, strict=True):
            own = table.take(table.object_ids == ids[number])
            held.tables[number] = replace(own, ids=own.ids + self._next_id)
            held.predictions[number] = prediction

    def _mask(self, number: int, position: int) -> NDArray[np.bool_]:
        """Return an object's mask at the size of the prediction; none if it was rejected."""
        prediction = self._held[position].predictions[number]
        kept = prediction.score >= self._engine.settings.score_threshold and prediction.prompted
        return np.asarray((prediction.logits > 0) & kept)

    def restart(self, finished: FinishedChunk) -> None:
        """Give the objects of a chunk new query points where they go on."""
        settings = self._engine.settings
        for number, position in zip(finished.chunk.objects, finished.restarts, strict=True):
            if position is None:
                continue
            held, mask = self._held[position], self._mask(number, position)
            object_id = self._objects[number].object_id
            if mask.sum() > SMALLEST_AREA or settings.sam_pt_exact:
                queries = queries_of_mask(object_id, held.frame, mask, settings)
            else:
                table = held.tables[number]
                queries = queries_at(object_id, held.frame, table.xy, table.labels, settings)
            self._queries[number] = queries

    def result(self, position: int, merger: ClipMerger) -> FrameResult:
        """Return the result of a frame that is final, and let go of it."""
        self._frames(position, position + 1)
        held = self._held.pop(position)
        # In the order of the objects, whichever chunk each came from.
        numbers = sorted(held.predictions)
        alive = [self._objects[number] for number in numbers]
        predictions = [held.predictions[number] for number in numbers]
        table = PointTable.empty().then(*(held.tables[number] for number in numbers))
        return self._engine.result(held.original, table, alive, predictions, merger)

    def _frames(self, start: int, stop: int) -> list[Frame]:
        """Return frames by position, reading on as far as needed."""
        for original in islice(self._reader, max(stop - self._read, 0)):
            self._held[self._read] = _Held(original, self._clip.resized(original))
            self._read += 1
        return [self._held[position].frame for position in range(start, stop)]
