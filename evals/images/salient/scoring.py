"""Scoring salient objects: the best of several masks by the truth, or one map as it is.

Source of the choice and of MAE: Ji et al., "SAM struggles in concealed scenes", arXiv:2304.06022,
and "Segment Anything is not always perfect", arXiv:2304.05750, with their public scripts.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ....mask_rle import decode_mask
from ...metrics.region import region_similarity
from ...metrics.saliency import (
    SaliencyMeasures,
    mean_absolute_error,
    saliency_measures,
    stretched,
)
from ...workers import Tick, Watch, each
from ..pictures import pictures_by_name, read_grey
from .layout import SalientPicture, SalientSet, read_truth

Missing = Literal["one", "empty"]
"""What a picture counts of which no mask overlaps the truth: an error of 1, or an empty mask."""


@dataclass(frozen=True, slots=True, eq=False)
class SalientScore:
    """One picture.

    Attributes:
        name: of the picture.
        masks: how many there were to choose from; None where a map was scored as it is.
        chosen: place of the best; None if none overlaps the truth, or for a map.
        iou: of the best mask with the truth; NaN for a map.
        mae: mean absolute error.
        measures: the usual ones, of the best mask, of an empty one where there is none, or of the
            map.
    """

    name: str
    masks: int | None
    chosen: int | None
    iou: float
    mae: float
    measures: SaliencyMeasures

    @property
    def found_nothing(self) -> bool:
        """Whether there were masks to choose from, or should have been, and none overlaps."""
        return self.masks is not None and self.chosen is None


def best_mask(
    masks: Sequence[NDArray[np.bool_]], truth: NDArray[np.bool_]
) -> tuple[int | None, float]:
    """Return the place and the IoU of the mask that overlaps the truth best, the first of equals.

    Args:
        masks: (H, W) bool each.
        truth: (H, W) bool.

    Returns:
        None and 0 if none overlaps.
    """
    best: tuple[int | None, float] = (None, 0.0)
    for place, mask in enumerate(masks):
        # Two empty masks are equal, but overlap in nothing.
        overlap = region_similarity(mask, truth) if mask.any() else 0.0
        if overlap > best[1]:
            best = place, overlap
    return best


def salient_files(chosen: SalientSet, results: Path) -> dict[str, Path]:
    """Return what there is of every picture: `NAME.json`, `NAME.png`, or a folder `NAME`.

    Raises:
        SourceError: if the folder is missing, or there is nothing of a picture.
    """
    if not results.is_dir():
        msg = f"there is no folder {results}; it should hold NAME.png, NAME/*.png or NAME.json"
        raise SourceError(msg)
    found = {}
    for item in chosen.pictures:
        places = (results / f"{item.name}.json", results / f"{item.name}.png", results / item.name)
        place = next((place for place in places if place.exists()), None)
        if place is None:
            msg = (
                f"there is no result of {item.name} in {results}; it must be {item.name}.png, "
                f"{item.name}.json, or a folder {item.name} with masks, which may be empty"
            )
            raise SourceError(msg)
        found[item.name] = place
    return found


def score_salient(
    chosen: SalientSet,
    results: Path,
    *,
    missing: Missing = "one",
    workers: int = 1,
    watch: Watch[SalientScore] | None = None,
) -> list[SalientScore]:
    """Score the results of any tool.

    Args:
        chosen: from `find_salient`.
        results: folder that holds for each picture `NAME.json` as `eval salient` writes it, a grey
            map `NAME.png`, or a folder `NAME` of masks.
        missing: what a picture counts without a mask that overlaps the truth.
        workers: processes; pictures are shared out among them.
        watch: is told how far it is: ticks are pictures.

    Raises:
        SourceError: if a result is missing or damaged, or a mask has another size than the truth.
    """
    work = partial(_score, files=salient_files(chosen, results), missing=missing)
    return each(work, chosen.pictures, workers=workers, watch=watch)


def _score(
    item: SalientPicture, tick: Tick, *, files: dict[str, Path], missing: Missing
) -> SalientScore:
    truth, place = read_truth(item.truth), files[item.name]
    shape = truth.relative.shape
    if place.suffix == ".png" and place.is_file():
        found = _read_map(place, shape)
        mae = mean_absolute_error(found, truth.relative)
        score = SalientScore(
            item.name, None, None, np.nan, mae, saliency_measures(found, truth.absolute)
        )
    else:
        masks = read_masks(place, shape)
        chosen, iou = best_mask(masks, truth.relative)
        mask = np.zeros(shape, np.bool_) if chosen is None else masks[chosen]
        found = mask.astype(np.float64)
        lost = chosen is None and missing == "one"
        mae = 1.0 if lost else mean_absolute_error(found, truth.relative)
        measures = saliency_measures(found, truth.absolute)
        score = SalientScore(item.name, len(masks), chosen, iou, mae, measures)
    tick()
    return score


def _read_map(path: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    found = read_grey(path)
    if found.shape != shape:
        size = (shape[1], shape[0])
        found = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_LINEAR), np.float64)
    return stretched(found)


def read_masks(place: Path, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """Read the masks of a picture.

    Args:
        place: a JSON file with `size` and `masks`, or a folder of grey pictures, read by name.
        shape: (H, W) of the truth.

    Raises:
        SourceError: if one is damaged, or has another size.
    """
    if place.is_dir():
        files = pictures_by_name(place, (".png",)).values()
        masks = [read_grey(path) > 0.5 for path in files]
    else:
        masks = _decoded(place)
    for mask in masks:
        if mask.shape != shape:
            mine, theirs = ("x".join(map(str, reversed(it))) for it in (mask.shape, shape))
            msg = f"a mask in {place} has {mine} pixels, but the truth has {theirs}"
            raise SourceError(msg)
    return masks


def _decoded(path: Path) -> list[NDArray[np.bool_]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        height, width = content["size"]
        return [decode_mask(mask["counts"], height, width) for mask in content["masks"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} does not hold masks as `eval salient` writes them ({error}); remove it"
        raise SourceError(msg) from error
