"""Scoring maps of anomalies of any tool, category by category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ....errors import SourceError
from ...metrics.pixel_scores import PixelScores, pixel_scores
from ...workers import Tick, Watch, each
from ..pictures import read_grey
from .combining import MAP_SIDE
from .layout import AnomalyPicture, AnomalySet, read_defect

_ENDINGS = (".npz", ".png", ".tiff", ".tif")
_MAP_KEY = "map"


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyScores:
    """The scores of a category.

    Attributes:
        pixels: of all its pixels together.
        pictures: by title, F1 of the pixels of each picture at the category's best threshold; NaN
            where there is neither a defect nor anything found.
        empty: pictures whose map is 0 everywhere.
    """

    pixels: PixelScores
    pictures: Mapping[str, float]
    empty: int


def anomaly_files(chosen: AnomalySet, results: Path) -> dict[str, Path]:
    """Return the map of every picture by its title.

    Raises:
        SourceError: if one is missing.
    """
    found = {}
    for item in chosen.pictures:
        base = results / item.category / item.kind
        places = [base / f"{item.name}{ending}" for ending in _ENDINGS]
        place = next((place for place in places if place.is_file()), None)
        if place is None:
            msg = (
                f"there is no map of {item.title} in {results}; it must be {places[0]}, or PNG or "
            )
            msg += "TIFF of the same name"
            raise SourceError(msg)
        found[item.title] = place
    return found


def score_anomaly(
    chosen: AnomalySet,
    results: Path,
    *,
    side: int = MAP_SIDE,
    workers: int = 1,
    watch: Watch[AnomalyScores] | None = None,
) -> dict[str, AnomalyScores]:
    """Score maps of any size.

    Args:
        chosen: from `find_mvtec`.
        results: folder that holds `CATEGORY/KIND/NAME` as .npz (with `map`, or one array), .png
            (grey, 8 or 16 bits) or .tiff (also of floating numbers).
        side: maps are scaled to so many pixels along each side, bilinear; truth to the nearest.
        workers: processes; categories are shared out among them.
        watch: is told how far it is: ticks are pictures.

    Returns:
        the scores by category.

    Raises:
        SourceError: if a map is missing or damaged.
    """
    files = anomaly_files(chosen, results)
    categories = chosen.categories
    groups = [[item for item in chosen.pictures if item.category == name] for name in categories]
    work = partial(_score, files=files, side=side)
    scores = each(work, groups, workers=workers, watch=watch)
    return dict(zip(categories, scores, strict=True))


def _score(
    pictures: Sequence[AnomalyPicture], tick: Tick, *, files: dict[str, Path], side: int
) -> AnomalyScores:
    maps = np.empty((len(pictures), side, side), np.float32)
    truth = np.empty(maps.shape, np.bool_)
    for at, item in enumerate(pictures):
        maps[at] = resized_map(read_map(files[item.title]), side)
        truth[at] = read_defect(item, side)
        tick()
    scores = pixel_scores(maps.ravel(), truth.ravel())
    found = maps >= scores.threshold
    right, both = (found & truth).sum((1, 2)), found.sum((1, 2)) + truth.sum((1, 2))
    f1 = np.where(both == 0, np.nan, 2 * right / np.maximum(both, 1))
    named = {item.title: float(value) for item, value in zip(pictures, f1, strict=True)}
    return AnomalyScores(scores, named, int((maps == 0).all((1, 2)).sum()))


def resized_map(found: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Scale a map to (side, side), bilinear."""
    if found.shape == (side, side):
        return found
    return np.asarray(cv2.resize(found, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def read_map(path: Path) -> NDArray[np.float32]:
    """Read a map of anomalies, (H, W) float32.

    Raises:
        SourceError: if it cannot be read, or holds something else.
    """
    if path.suffix == ".png":
        return read_grey(path).astype(np.float32)
    try:
        found = _array(path) if path.suffix == ".npz" else np.asarray(PillowImage.open(path))
    except (OSError, ValueError, KeyError, BadZipFile, SyntaxError) as error:
        msg = f"the map {path} cannot be read ({error}); write it again"
        raise SourceError(msg) from error
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.number) or not np.isfinite(found).all():
        msg = (
            f"the map {path} has shape {found.shape} of {found.dtype}; it must be finite numbers, "
        )
        msg += "one a pixel"
        raise SourceError(msg)
    return found.astype(np.float32)


def _array(path: Path) -> NDArray[np.generic]:
    with np.load(path, allow_pickle=False) as file:
        names = file.files
        return np.asarray(file[_MAP_KEY if _MAP_KEY in names else names[0]])
