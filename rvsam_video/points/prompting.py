"""From tracked points to what the segmenter is told about each object of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rvsam_video.points.choosing import object_rng
from rvsam_video.results import PointTable
from rvsam_video.segmenters.base import Memory, ObjectPrompt, PromptPlan
from rvsam_video.settings import SegmentationSettings

OTHER_OBJECT = -1
"""`ObjectPrompt.point_ids` of a point that belongs to another object."""


def prompt_plan(settings: SegmentationSettings) -> PromptPlan:
    """Return the passes that the settings ask for.

    With `sam_pt_exact`, whether there is a second pass is decided once for the whole video, by
    `negative_points`, and objects are also looked for by points off them alone.
    """
    exact = settings.sam_pt_exact
    return PromptPlan(
        positives_first="auto" if not exact else "always" if settings.negative_points else "never",
        refinements=settings.refinements,
        refine_until=settings.refine_until,
        best_of_three=settings.best_of_three,
        negatives_suffice=exact,
        scale_box=not exact,
        clip_score=not exact,
    )


def object_prompts(
    table: PointTable,
    memories: Mapping[int, Memory | None],
    settings: SegmentationSettings,
    frame: int,
) -> list[ObjectPrompt]:
    """Build one prompt per object from the visible points of a frame.

    The own points come first, then the visible positive points of all other objects, in object
    order, with label 0 (SAM-PT).

    Args:
        table: the frame's points.
        memories: object id to what the segmenter remembers of it; its order is the order of
            the prompts.
        settings: whether to show points of other objects and how many, and which passes to make.
        frame: index of the frame; the choice of other objects' points depends on it.
    """
    order: Sequence[int] = list(memories)
    plan = prompt_plan(settings)
    prompts = []
    for object_id, memory in memories.items():
        own = np.flatnonzero(table.visible & (table.object_ids == object_id))
        other = _others(table, [key for key in order if key != object_id], settings)
        other = _capped(other, settings, object_id, frame)
        chosen = np.concatenate([own, other])
        prompts.append(
            ObjectPrompt(
                object_id=object_id,
                points=table.xy[chosen],
                labels=np.concatenate([table.labels[own], np.zeros(len(other), np.int8)]),
                point_ids=np.concatenate(
                    [table.ids[own], np.full(len(other), OTHER_OBJECT, np.int64)]
                ),
                memory=memory,
                plan=plan,
            )
        )
    return prompts


def _others(
    table: PointTable, others: Sequence[int], settings: SegmentationSettings
) -> NDArray[np.int64]:
    """Return the rows of the other objects' visible positive points, object by object."""
    if not settings.other_objects_as_negatives or not others:
        return np.zeros(0, np.int64)
    positives = table.visible & (table.labels == 1)
    return np.concatenate([np.flatnonzero(positives & (table.object_ids == key)) for key in others])


def _capped(
    rows: NDArray[np.int64], settings: SegmentationSettings, object_id: int, frame: int
) -> NDArray[np.int64]:
    """Return a random part of too many rows, in their order; the same in every run."""
    most = settings.max_other_negatives
    if most is None or len(rows) <= most:
        return rows
    rng = object_rng(settings.seed, object_id, frame)
    return rows[np.sort(rng.choice(len(rows), most, replace=False))]
