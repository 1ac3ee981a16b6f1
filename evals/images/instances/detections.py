"""Boxes that a detector has found, from a file in the form of COCO's results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ...json_list import json_list
from .truth import InstanceTruth


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The boxes of one picture, the surest first.

    Attributes:
        corners: (N, 4) float32, x0, y0, x1, y1 in pixels; they may lie outside of the picture.
        scores: (N,) float64, of the detector.
        categories: (N,) int64.
    """

    corners: NDArray[np.float32]
    scores: NDArray[np.float64]
    categories: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """All boxes of a file.

    Attributes:
        path: the file.
        boxes: by id of the picture; only pictures that have any.
        empty: boxes without width or height, which were left out.
        surplus: boxes that were left out because a picture has more than may count.
    """

    path: Path
    boxes: Mapping[int, Boxes]
    empty: int
    surplus: int

    def notes(self, most: int) -> list[str]:
        """Return sentences about what was left out."""
        found = []
        if self.empty:
            found.append(f"{self.empty} boxes without width or height were left out")
        if self.surplus:
            found.append(f"{self.surplus} boxes beyond the best {most} of a picture were left out")
        return found


def load_detections(path: Path, truth: InstanceTruth, most: int) -> Detections:
    """Read the boxes of a detector.

    Args:
        path: a JSON list of `{"image_id", "category_id", "bbox": [x, y, width, height], "score"}`.
        truth: whose pictures and categories they are of.
        most: boxes of a picture that count; the surest ones.

    Raises:
        SourceError: if the file is missing, damaged, or does not fit the truth.
    """
    rows: dict[int, list[tuple[float, int, list[float]]]] = {}
    empty = 0
    for position, entry in enumerate(json_list(path)):
        try:
            picture, category, score, box = _row(entry, truth)
        except ValueError as error:
            msg = f"{path}: detection {position} {error}"
            raise SourceError(msg) from error
        if box[2] <= 0 or box[3] <= 0:
            empty += 1
        else:
            rows.setdefault(picture, []).append((score, category, box))
    surplus = sum(max(0, len(items) - most) for items in rows.values())
    boxes = {picture: _boxes(items, most) for picture, items in rows.items()}
    return Detections(path, boxes, empty, surplus)


def _boxes(rows: list[tuple[float, int, list[float]]], most: int) -> Boxes:
    # Sorting keeps the order of the file where scores are equal.
    kept = sorted(rows, key=lambda row: -row[0])[:most]
    sides = np.array([box for _, _, box in kept], np.float64).reshape(-1, 4)
    corners = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
    return Boxes(
        corners.astype(np.float32),
        np.array([score for score, _, _ in kept], np.float64),
        np.array([category for _, category, _ in kept], np.int64),
    )


def _row(entry: object, truth: InstanceTruth) -> tuple[int, int, float, list[float]]:
    picture, category, score = ids_and_score(entry, truth)
    box = entry.get("bbox") if isinstance(entry, Mapping) else None
    whole = isinstance(box, list) and len(box) == 4 and all(map(is_number, box))
    if not whole or box is None:
        msg = f"has bbox {box!r}; it must be four numbers: x, y, width, height"
        raise ValueError(msg)
    return picture, category, score, [float(value) for value in box]


def ids_and_score(entry: object, truth: InstanceTruth) -> tuple[int, int, float]:
    """Return picture, category and score of an entry of a file of results.

    Raises:
        ValueError: saying what of it cannot be used.
    """
    if not isinstance(entry, Mapping):
        msg = "must be a JSON object with image_id, category_id and score"
        raise ValueError(msg)
    picture, category, score = (entry.get(key) for key in ("image_id", "category_id", "score"))
    for name, value, known in (
        ("image_id", picture, truth.pictures),
        ("category_id", category, truth.categories),
    ):
        if not isinstance(value, int) or value not in known:
            msg = f"has {name} {value!r}, which is not in {truth.path}"
            raise ValueError(msg)
    if not is_number(score):
        msg = f"has score {score!r}; it must be a finite number"
        raise ValueError(msg)
    return int(picture), int(category), float(score)  # type: ignore[arg-type]


def is_number(value: object) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
