"""From tracked points to what the segmenter is told about each object of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rvsam_video.points.choosing import object_rng
from rvsam_video.prompts.prompt import Prompt
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
    plan = prompt_plan(settings)
    seen = table.visible
    own_rows = {key: np.flatnonzero(seen & (table.object_ids == key)) for key in memories}
    positives = {key: rows[table.labels[rows] == 1] for key, rows in own_rows.items()}
    nothing = np.zeros(0, np.int64)
    prompts = []
    for object_id, memory in memories.items():
        own, other = own_rows[object_id], nothing
        if settings.other_objects_as_negatives:
            others = (rows for key, rows in positives.items() if key != object_id)
            other = _capped(np.concatenate([nothing, *others]), settings, object_id, frame)
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


def start_prompt(
    prompt: Prompt,
    first_id: int,
    elsewhere: NDArray[np.float32],
    settings: SegmentationSettings,
) -> ObjectPrompt:
    """Build the prompt that an object starts with.

    Args:
        prompt: what the user says about it.
        first_id: id that its first point will have; the others count on.
        elsewhere: (M, 2) places on other objects, shown as negatives.
        settings: which passes to make.
    """
    own, other = len(prompt.points), len(elsewhere)
    return ObjectPrompt(
        object_id=prompt.object_id,
        points=np.concatenate([prompt.points, elsewhere]),
        labels=np.concatenate([prompt.labels, np.zeros(other, np.int8)]),
        point_ids=np.concatenate(
            [first_id + np.arange(own), np.full(other, OTHER_OBJECT, np.int64)]
        ),
        box=prompt.box,
        mask=prompt.mask,
        plan=prompt_plan(settings),
    )


def correction_prompt(
    prompt: Prompt,
    ids: NDArray[np.int64],
    table: PointTable,
    memory: Memory | None,
    settings: SegmentationSettings,
) -> ObjectPrompt:
    """Build the prompt that corrects an object in a frame that was segmented already.

    Args:
        prompt: the points that the user adds.
        ids: (N,) theirs.
        table: the points of the frame before the correction; the object's visible ones are shown
            first.
        memory: what the segmenter remembers of the object from that frame.
        settings: which passes to make.
    """
    own = table.take(table.visible & (table.object_ids == prompt.object_id))
    return ObjectPrompt(
        object_id=prompt.object_id,
        points=np.concatenate([own.xy, prompt.points]),
        labels=np.concatenate([own.labels, prompt.labels]),
        point_ids=np.concatenate([own.ids, ids]),
        memory=memory,
        plan=prompt_plan(settings),
    )


def without_points(prompt: ObjectPrompt, ids: Sequence[int]) -> ObjectPrompt:
    """Return a prompt that lacks these points."""
    keep = ~np.isin(prompt.point_ids, ids)
    return replace(
        prompt,
        points=prompt.points[keep],
        labels=prompt.labels[keep],
        point_ids=prompt.point_ids[keep],
    )


def _capped(
    rows: NDArray[np.int64], settings: SegmentationSettings, object_id: int, frame: int
) -> NDArray[np.int64]:
    """Return a random part of too many rows, in their order; the same in every run."""
    most = settings.max_other_negatives
    if most is None or len(rows) <= most:
        return rows
    rng = object_rng(settings.seed, object_id, frame)
    return rows[np.sort(rng.choice(len(rows), most, replace=False))]
