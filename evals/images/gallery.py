"""A picture of the best and the worst cases of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...frame import Image
from ...writing import replacing, writing
from ..sheet import BAND, FAINT, Sheet

GALLERY_FILE = "best_and_worst.png"

_CASES = 3
"""So many of the best, and of the worst."""

_CELL, _GAP, _TOP, _LABEL = (240, 180), 12, 64, 24
"""Pixels: largest size of a picture, space between, the title's height, a caption's height."""

_TINT = np.array([46, 160, 67])
_WRONG = np.array([214, 69, 65])
_LEFT_OUT = np.array([59, 111, 182])


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One row of the gallery.

    Attributes:
        caption: name and score.
        pictures: (H, W, 3) uint8 each, as many as there are columns.
    """

    caption: str
    pictures: Sequence[Image]


def save_gallery(
    folder: Path,
    title: str,
    columns: Sequence[str],
    ranked: Sequence[Callable[[], Case]],
) -> Path:
    """Draw the best and the worst cases; return the path of the picture.

    Args:
        folder: takes `best_and_worst.png`; made if it is missing.
        title: stands above.
        columns: what the pictures of a row show.
        ranked: make a row each, the best first; called for those that are drawn.

    Raises:
        OutputError: if it cannot be written.
    """
    count = min(_CASES, (len(ranked) + 1) // 2)
    best = [make() for make in ranked[:count]]
    worst = [make() for make in ranked[max(count, len(ranked) - count) :]]
    sheet = _drawn(title, columns, (("best", best), ("worst", worst)))
    path = folder / GALLERY_FILE
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        sheet.save(temporary, format="PNG")
    return path


def _drawn(
    title: str, columns: Sequence[str], blocks: Sequence[tuple[str, Sequence[Case]]]
) -> PillowImage.Image:
    cases = [(kind, case) for kind, block in blocks for case in block]
    width = _GAP + len(columns) * (_CELL[0] + _GAP)
    heights = [_LABEL + _row_height(case) + _GAP for _, case in cases]
    sheet = Sheet(width, _TOP + sum(heights) + _GAP)
    sheet.text((_GAP, 10), title, 18)
    for number, column in enumerate(columns):
        sheet.text((_column(number), 40), column, 13, FAINT)
    top = _TOP
    for (kind, case), height in zip(cases, heights, strict=True):
        sheet.box((0, top, width, top + _LABEL), BAND)
        sheet.text((_GAP, top + 4), f"{kind}: {case.caption}", 13)
        for number, picture in enumerate(case.pictures):
            sheet.picture((_column(number), top + _LABEL + 4), _fitted(picture))
        top += height
    return sheet.finished()


def _column(number: int) -> int:
    return _GAP + number * (_CELL[0] + _GAP)


def _size(picture: Image) -> tuple[int, int]:
    height, width = picture.shape[:2]
    scale = min(_CELL[0] / width, _CELL[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _row_height(case: Case) -> int:
    return max(_size(picture)[1] for picture in case.pictures) + 4


def _fitted(picture: Image) -> PillowImage.Image:
    whole = PillowImage.fromarray(np.ascontiguousarray(picture))
    return whole.resize(_size(picture), PillowImage.Resampling.BILINEAR)


def grey_picture(values: NDArray[np.floating] | NDArray[np.bool_]) -> Image:
    """Return an (H, W) map in [0, 1] as a picture, 1 in black as on paper."""
    grey = np.asarray(255 * (1 - np.clip(np.asarray(values, np.float64), 0, 1)), np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def tinted(image: Image, mask: NDArray[np.bool_], colour: NDArray[np.int_] = _TINT) -> Image:
    """Return a picture with a mask laid over it."""
    blended = image.copy()
    blended[mask] = (blended[mask].astype(np.int64) + colour) // 2
    return blended


def compared(image: Image, found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Image:
    """Return a picture with what is right in green, wrong in red, and left out in blue."""
    shown = tinted(image, found & truth)
    shown = tinted(shown, found & ~truth, _WRONG)
    return tinted(shown, truth & ~found, _LEFT_OUT)
