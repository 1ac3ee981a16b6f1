"""AP of masks by pycocotools, as COCO's evaluation and as MMDetection call it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ....errors import SourceError
from ...json_list import json_list
from .detections import ids_and_score, is_number
from .truth import InstanceTruth, mask_trouble

Protocol = Literal["mmdet", "coco"]
"""How many masks of a picture count.

`coco`: 100 everywhere. `mmdet`: as MMDetection 2 calls the same evaluation, with limits of 100, 300
and 1000, of which pycocotools takes the first for AP and the last for AP50, AP75 and AP by size.
"""

ScoreKind = Literal["given", "calibrated", "detector"]
"""By which score masks are ranked.

`given`: that of the file. `calibrated`: that of the detector times the IoU that the segmenter
predicts, as Prompt-Segment-Anything does. `detector`: that of the detector alone.
"""

_MAX_DETECTIONS: Mapping[str, tuple[int, int, int]] = {
    "mmdet": (100, 300, 1000),
    "coco": (1, 10, 100),
}

_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
_RECALLS = ("ARs", "ARm", "ARl")


@dataclass(frozen=True, slots=True, eq=False)
class InstanceScores:
    """The scores of a set; fractions, and -1 where there is nothing to find.

    Attributes:
        stats: the twelve numbers of pycocotools by name.
        categories: AP by id of the category, at 100 masks a picture.
        overlaps: by id of the picture, the best IoU of a mask of its category for every object.
        counts: by id of the picture, the number of masks.
    """

    stats: Mapping[str, float]
    categories: Mapping[int, float]
    overlaps: Mapping[int, Sequence[float]]
    counts: Mapping[int, int]


def load_masks(path: Path, truth: InstanceTruth, kind: ScoreKind = "given") -> list[dict[str, Any]]:
    """Read masks in the form of COCO's results.

    Args:
        path: a JSON list of `{"image_id", "category_id", "segmentation", "score"}`, each
            segmentation a compressed run-length code.
        truth: whose pictures and categories they are of.
        kind: by which score they are ranked; all but "given" need the fields `detector_score` and
            `predicted_iou`, which `eval instances` writes.

    Returns:
        what pycocotools needs of each and nothing else: where there are boxes too, it would
        measure the size of masks by those.

    Raises:
        SourceError: if the file is missing, damaged, or does not fit the truth.
    """
    found: list[dict[str, Any]] = []
    by_picture: dict[int, list[int]] = {}
    for position, entry in enumerate(json_list(path)):
        try:
            picture, category, score = ids_and_score(entry, truth)
            fields = dict(entry) if isinstance(entry, Mapping) else {}
            score = _ranked_by(fields, score, kind)
        except ValueError as error:
            msg = f"{path}: result {position} {error}"
            raise SourceError(msg) from error
        by_picture.setdefault(picture, []).append(position)
        found.append(
            {
                "image_id": picture,
                "category_id": category,
                "segmentation": fields.get("segmentation"),
                "score": score,
            }
        )
    for picture, positions in by_picture.items():
        width, height = truth.pictures[picture].size
        masks = [found[position]["segmentation"] for position in positions]
        trouble = mask_trouble(masks, height, width, only_compressed=True)
        if trouble is not None:
            at, why = trouble
            msg = f"{path}: the mask of result {positions[at]} cannot be used: {why}"
            raise SourceError(msg)
    return found


def _ranked_by(entry: Mapping[str, object], score: float, kind: ScoreKind) -> float:
    if kind == "given":
        return score
    detector, iou = entry.get("detector_score"), entry.get("predicted_iou")
    if not (is_number(detector) and is_number(iou)):
        msg = "has no detector_score and predicted_iou; rank by the score that is given"
        raise ValueError(msg)
    first, second = float(detector), float(iou)  # type: ignore[arg-type]
    return first * second if kind == "calibrated" else first


def score_instances(
    truth: InstanceTruth,
    masks: Sequence[Mapping[str, Any]],
    *,
    protocol: Protocol = "coco",
    pictures: Collection[int] | None = None,
) -> InstanceScores:
    """Score masks against annotations.

    Args:
        truth: from `load_instances`.
        masks: from `load_masks`.
        protocol: how many masks of a picture count.
        pictures: ids of those that count; None for all. Those without masks count too.
    """
    from pycocotools.cocoeval import COCOeval

    wanted = list(truth.pictures) if pictures is None else list(pictures)
    # It prints as it goes, and there is no switch for that.
    with contextlib.redirect_stdout(io.StringIO()):
        found = _coco({**truth.document, "annotations": []})
        known = _coco(dict(truth.document))
        if masks:
            found = known.loadRes([dict(item) for item in masks])
        run: Any = COCOeval(known, found, "segm")
        run.params.maxDets = list(_MAX_DETECTIONS[protocol])
        run.params.imgIds = wanted
        run.evaluate()
        run.accumulate()
        run.summarize()
    return InstanceScores(
        stats=_named(run, _MAX_DETECTIONS[protocol]),
        categories=_by_category(run),
        overlaps={key: _best_overlaps(run, key) for key in wanted},
        counts={key: len(found.getAnnIds(imgIds=[key])) for key in wanted},
    )


def _coco(document: Mapping[str, Any]) -> Any:  # noqa: ANN401 (pycocotools has no types)
    from pycocotools.coco import COCO

    coco: Any = COCO()
    # It writes areas and boxes into what it is given.
    coco.dataset = {**document, "annotations": [dict(item) for item in document["annotations"]]}
    coco.createIndex()
    return coco


def _named(run: Any, limits: Sequence[int]) -> dict[str, float]:  # noqa: ANN401
    names = (*_NAMES, *(f"AR{limit}" for limit in limits), *_RECALLS)
    return {name: float(value) for name, value in zip(names, run.stats, strict=True)}


def _by_category(run: Any) -> dict[int, float]:  # noqa: ANN401
    at = run.params.maxDets.index(100)
    precision = run.eval["precision"][:, :, :, 0, at]
    averages = {}
    for number, category in enumerate(run.params.catIds):
        values = precision[:, :, number]
        known = values[values > -1]
        averages[int(category)] = float(known.mean()) if known.size else -1.0
    return averages


def _best_overlaps(run: Any, picture: int) -> list[float]:  # noqa: ANN401
    best: list[float] = []
    for category in run.params.catIds:
        objects = [item["iscrowd"] for item in run._gts[picture, category]]
        overlaps = np.asarray(run.ious[picture, category])
        for number, crowd in enumerate(objects):
            if not crowd:
                best.append(float(overlaps[:, number].max()) if overlaps.size else 0.0)
    return best
