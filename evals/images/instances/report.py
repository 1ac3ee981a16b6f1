"""What an evaluation of instances tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....mask_rle import decode_mask
from ...tables import TableRows
from ..gallery import Case, compared, save_gallery, tinted
from ..pictures import read_picture
from ..published import COCO_TABLE, SEGINW_SETS, SEGINW_TABLE
from ..report import DASH, ImageReport, percent
from .scoring import InstanceScores
from .truth import InstanceTruth

_ID_ZERO = (
    "an annotation has the id 0, which pycocotools takes for no partner: what finds it counts as "
    "wrong, here as in official numbers; --renumber numbers them from 1"
)
_SHOWN = 0.3
"""Masks with a lower score are left out of the gallery."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSet:
    """A set with its masks and their scores.

    Attributes:
        truth: that was scored against.
        masks: from `load_masks`.
        scores: of the masks.
        images: folder of the pictures; None draws no gallery.
    """

    truth: InstanceTruth
    masks: Sequence[Mapping[str, Any]]
    scores: InstanceScores
    images: Path | None


def instance_report(scored: ScoredSet, out: Path, *, notes: Sequence[str] = ()) -> ImageReport:
    """Draw the gallery, and return what is to be told.

    Args:
        scored: a set.
        out: takes the gallery.
        notes: that come first.

    Raises:
        OutputError: if a file cannot be written.
    """
    truth, stats = scored.truth, scored.scores.stats
    count = len(scored.scores.overlaps)
    told = [*notes, *([_ID_ZERO] if truth.has_id_zero else []), COCO_TABLE.difference]
    if count < len(truth.pictures):
        told.insert(0, f"partial: {count} of {len(truth.pictures)} pictures")
    by_name = {truth.categories[key]: value for key, value in scored.scores.categories.items()}
    title = f"{len(scored.masks)} masks in {count} of {len(truth.pictures)} pictures, percent"
    names, values = tuple(stats), tuple(map(percent, stats.values()))
    half = len(names) // 2
    own = tuple(percent(stats[name]) for name in COCO_TABLE.columns)
    return ImageReport(
        values={**stats, "AP by category": by_name, "pictures": count},
        headings=("image_id", "picture", "objects", "masks", "mean best IoU"),
        rows=_rows(scored),
        tables=[
            TableRows(title, names[:half], (values[:half],)),
            TableRows("", names[half:], (values[half:],)),
            COCO_TABLE.beside(own, count),
        ],
        notes=told,
        files=_gallery({"": scored}, out),
    )


def seginw_report(
    scored: Mapping[str, ScoredSet], out: Path, *, notes: Sequence[str] = ()
) -> ImageReport:
    """Draw the gallery, and return what is to be told of the sets of SegInW.

    Args:
        scored: by name of the set.
        out: takes the gallery.
        notes: that come first.

    Raises:
        OutputError: if a file cannot be written.
    """
    values = {name: item.scores.stats["AP"] for name, item in scored.items()}
    # A set without objects would have -1, which must not be taken for a number.
    mean = float(np.mean([np.nan if value < 0 else value for value in values.values()]))
    whole = len(values) == len(SEGINW_SETS)
    named = "mean of 25" if whole else f"mean of {len(values)} of {len(SEGINW_SETS)}"
    cells = [
        (name, percent(value), f"{SEGINW_SETS[name]:.1f}" if name in SEGINW_SETS else DASH)
        for name, value in values.items()
    ]
    cells.append((named, percent(mean), f"{SEGINW_TABLE.rows['sam-vit-h'][0]:.1f}"))
    heading = "sam-vit-h, published" if whole else "sam-vit-h, published (mean of 25)"
    return ImageReport(
        values={"mean AP": mean, "AP": values, "sets": len(values)},
        headings=("set", "image_id", "picture", "objects", "masks", "mean best IoU"),
        rows=[(name, *row) for name, item in scored.items() for row in _rows(item)],
        tables=[
            TableRows("SegInW, AP of masks in percent", ("set", "AP", heading), tuple(cells)),
            SEGINW_TABLE.beside((percent(mean),), len(values)),
        ],
        notes=[*notes, SEGINW_TABLE.difference],
        files=_gallery(scored, out),
    )


def _rows(scored: ScoredSet) -> list[tuple[object, ...]]:
    pictures, counts = scored.truth.pictures, scored.scores.counts
    return [
        (key, pictures[key].file_name, len(values), counts[key], _mean(values))
        for key, values in scored.scores.overlaps.items()
    ]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _gallery(sets: Mapping[str, ScoredSet], out: Path) -> list[Path]:
    rows: list[tuple[float, Callable[[], Case]]] = []
    for name, scored in sets.items():
        if scored.images is None:
            continue
        by_picture: dict[int, list[Mapping[str, Any]]] = {}
        for item in scored.masks:
            if item["score"] >= _SHOWN:
                by_picture.setdefault(item["image_id"], []).append(item)
        for key, overlaps in scored.scores.overlaps.items():
            if overlaps:
                mean = _mean(overlaps)
                path = scored.images / scored.truth.pictures[key].file_name
                caption = f"{name} {path.name}, IoU {mean:.3f}".strip()
                masks = by_picture.get(key, ())
                rows.append((mean, partial(_case, scored.truth, key, masks, path, caption)))
    if not rows:
        return []
    title = "Mean of the best IoU of every object"
    columns = ("objects", f"masks of score {_SHOWN} and above", "right, wrong, left out")
    rows.sort(key=lambda row: -row[0])
    return [save_gallery(out, title, columns, [make for _, make in rows])]


def _case(
    truth: InstanceTruth, key: int, masks: Sequence[Mapping[str, Any]], path: Path, caption: str
) -> Case:
    image = read_picture(path)
    real = _true_pixels(truth, key)
    found = np.zeros_like(real)
    for item in masks:
        found |= decode_mask(item["segmentation"]["counts"], *real.shape)
    return Case(caption, [tinted(image, real), tinted(image, found), compared(image, found, real)])


def _true_pixels(truth: InstanceTruth, key: int) -> NDArray[np.bool_]:
    """Return the pixels of all objects of a picture, (H, W) bool."""
    from pycocotools import mask as coco

    width, height = truth.pictures[key].size
    whole = np.zeros((height, width), np.bool_)
    for item in truth.document["annotations"]:
        if item["image_id"] != key or item["iscrowd"]:
            continue
        code = item["segmentation"]
        if isinstance(code, list) or isinstance(code["counts"], list):
            code = coco.frPyObjects(code, height, width)
        merged = coco.merge(code) if isinstance(code, list) else code
        counts = merged["counts"]
        text = counts if isinstance(counts, str) else counts.decode("ascii")
        whole |= decode_mask(text, height, width)
    return whole
