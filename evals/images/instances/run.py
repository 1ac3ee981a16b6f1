"""Segment what a detector has found, box by box, picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ....frame import Image
from ....json_values import Json
from ....mask_rle import encode_mask
from ....methods import Part
from ....segmenters.base import MaskPrediction, ObjectPrompt, PromptPlan, Segmenter
from ....sinks.names import PARTS_FOLDER
from ....streaming.merging import full_size_logits
from ...json_parts import JsonListParts
from ...workers import Watch
from ..pictures import read_picture, refuse_gaps
from ..running import (
    Pace,
    Work,
    evaluation_folder,
    go_through,
    identity_of,
    segmenter_in_this_process,
)
from .detections import Boxes, Detections
from .scoring import ScoreKind
from .truth import InstancePicture, InstanceTruth

_AT_ONCE = 32
"""Boxes that are answered together: their logits have the size of the picture."""

_PLAN = PromptPlan(positives_first="never", best_of_three=False, clip_score=False)
"""One pass and one mask a box; predicted IoUs as they are, since they are multiplied."""

_NO_BOXES = Boxes(np.zeros((0, 4), np.float32), np.zeros(0), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class InstanceSet:
    """A set that is evaluated: one of COCO, each of the 25 of SegInW.

    Attributes:
        truth: annotations.
        images: folder that the pictures' names are relative to.
        detections: boxes.
        target: file of the results.
        pictures: ids of those that are taken.
    """

    truth: InstanceTruth
    images: Path
    detections: Detections
    target: Path
    pictures: Sequence[int]


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPicture:
    """One picture with its boxes.

    Attributes:
        picture: of the set.
        path: its file.
        boxes: in it.
        target: file of the set's results.
    """

    picture: InstancePicture
    path: Path
    boxes: Boxes
    target: Path


def run_instances(
    sets: Sequence[InstanceSet],
    out: Path,
    part: Part,
    command: Mapping[str, Json],
    *,
    kind: ScoreKind,
    workers: int = 1,
    overwrite: bool = False,
    watch: Watch[float | None] | None = None,
) -> Pace:
    """Segment every box, and write the masks of each set into its file of results.

    The entries are those of COCO's results, and have the score of the detector and the predicted
    IoU besides. A picture whose masks are there is not done again.

    Args:
        sets: what is evaluated.
        out: folder of the evaluation; made if it is missing.
        part: the segmenter, from `Method.resolve_segmenter`; any that takes boxes.
        command: what decides the results, besides the segmenter.
        kind: what the score of an entry is: "calibrated" or "detector".
        workers: processes, each with the network; pictures are shared out among them.
        overwrite: begin anew where another evaluation has been.
        watch: is told how far it is: ticks are pictures.

    Raises:
        UsageError: if there is no such device or backend.
        WeightsError: if weights cannot be had.
        SourceError: if a picture is missing or damaged, or has another size than annotated.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    items = [item for one in sets for item in _items(one)]
    # Here too, so that what is wrong with a network shows before the folder is made.
    segmenter_in_this_process(part, workers)
    whole = {**command, "score": kind, **identity_of(part)}
    results = [f"**/{PARTS_FOLDER}/image-*.json"]
    with evaluation_folder(out, whole, results=results, overwrite=overwrite) as folder:
        work = Work(_is_there, partial(_segment, part=part, kind=kind, workers=workers))
        pace = go_through(items, work, folder, workers=workers, watch=watch)
        for one in sets:
            _parts(one.target).assemble(one.pictures)
    return pace


def _items(one: InstanceSet) -> list[BoxedPicture]:
    pictures = [one.truth.pictures[key] for key in one.pictures]
    files = {item.file_name: one.images / item.file_name for item in pictures}
    there = {name: path for name, path in files.items() if path.is_file()}
    refuse_gaps(list(files), there, f"picture in {one.images}")
    return [
        BoxedPicture(
            item, files[item.file_name], one.detections.boxes.get(item.id, _NO_BOXES), one.target
        )
        for item in pictures
    ]


def _parts(target: Path) -> JsonListParts:
    return JsonListParts(target, "image")


def _is_there(item: BoxedPicture) -> bool:
    return _parts(item.target).has(item.picture.id)


def _segment(item: BoxedPicture, part: Part, kind: ScoreKind, workers: int) -> None:
    """Write the masks of one picture; they count only if all of them are there."""
    image = read_picture(item.path)
    if image.shape[1::-1] != item.picture.size:
        mine, theirs = (f"{w}x{h}" for w, h in (image.shape[1::-1], item.picture.size))
        msg = f"{item.path} has {mine} pixels, but the annotations say {theirs}; get the set again"
        raise SourceError(msg)
    boxes = item.boxes
    with _parts(item.target).part(item.picture.id) as written:
        answers = segment_boxes(
            lambda: segmenter_in_this_process(part, workers), image, boxes.corners
        )
        for at, (mask, iou) in enumerate(answers):
            score = float(boxes.scores[at])
            written.add(
                {
                    "image_id": item.picture.id,
                    "category_id": int(boxes.categories[at]),
                    "segmentation": {"size": list(mask.shape), "counts": encode_mask(mask)},
                    "score": score * iou if kind == "calibrated" else score,
                    "detector_score": score,
                    "predicted_iou": iou,
                }
            )


def segment_boxes(
    load: Callable[[], Segmenter], image: Image, corners: NDArray[np.float32]
) -> list[tuple[NDArray[np.bool_], float]]:
    """Segment what is in each box.

    Args:
        load: returns the segmenter; called only if there are boxes.
        image: (H, W, 3) uint8 RGB.
        corners: (N, 4) x0, y0, x1, y1 in pixels.

    Returns:
        (H, W) bool mask and predicted IoU of each box; masks may be empty.
    """
    if not len(corners):
        return []
    segmenter = load()
    embedding = segmenter.embed(image)
    found: list[tuple[NDArray[np.bool_], float]] = []
    for start in range(0, len(corners), _AT_ONCE):
        prompts = [
            ObjectPrompt(object_id=number, box=box, plan=_PLAN)
            for number, box in enumerate(corners[start : start + _AT_ONCE], 1)
        ]
        answers: list[MaskPrediction] = segmenter.predict(embedding, prompts)
        size = (image.shape[1], image.shape[0])
        found += [(full_size_logits(it.logits, size) > 0, float(it.score)) for it in answers]
    return found
