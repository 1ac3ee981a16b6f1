"""From tracked points to what the segmenter is told about each object of a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rvsam_video.results import PointTable
from rvsam_video.segmenters.base import Memory, ObjectPrompt

OTHER_OBJECT = -1
"""`ObjectPrompt.point_ids` of a point that belongs to another object."""


def object_prompts(
    table: PointTable,
    memories: Mapping[int, Memory | None],
    *,
    other_objects_as_negatives: bool,
) -> list[ObjectPrompt]:
    """Build one prompt per object from the visible points of a frame.

    Args:
        table: the frame's points.
        memories: object id to what the segmenter remembers of it; its order is the order of
            the prompts.
        other_objects_as_negatives: append the visible positive points of all other objects,
            in object order, with label 0 (SAM-PT).
    """
    order: Sequence[int] = list(memories)
    prompts = []
    for object_id, memory in memories.items():
        rows = [np.flatnonzero(table.visible & (table.object_ids == object_id))]
        if other_objects_as_negatives:
            positives = table.visible & (table.labels == 1)
            rows += [
                np.flatnonzero(positives & (table.object_ids == other))
                for other in order
                if other != object_id
            ]
        chosen = np.concatenate(rows)
        own = table.object_ids[chosen] == object_id
        prompts.append(
            ObjectPrompt(
                object_id=object_id,
                points=table.xy[chosen],
                labels=np.where(own, table.labels[chosen], 0).astype(np.int8),
                point_ids=np.where(own, table.ids[chosen], OTHER_OBJECT),
                memory=memory,
            )
        )
    return prompts
