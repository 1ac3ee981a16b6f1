"""What of a picture a decoder is asked for: annotated objects, or points anywhere in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import SourceError
from rvsam_video.mask_rle import decode_mask
from rvsam_video.training.pictures import PictureFile


@dataclass(frozen=True, slots=True, eq=False)
class MaskAims:
    """P objects of a picture.

    Attributes:
        points: (P, 2) float32, x and y in pixels of the square.
        boxes: (P, 4) float32, x0, y0, x1, y1; NaN where none is known.
        entries: what SA-1B's annotations say of each; empty without annotations.
    """

    points: NDArray[np.float32]
    boxes: NDArray[np.float32]
    entries: tuple[dict[str, Any], ...] = ()


def aims_of(
    picture: PictureFile, size: tuple[int, int], count: int, chance: np.random.Generator
) -> MaskAims:
    """Choose objects of a picture.

    Args:
        picture: with annotations or without.
        size: width and height that it has in its square.
        count: how many; of annotated ones again and again if there are fewer.
        chance: what chooses.

    Raises:
        SourceError: if the annotations are not in the form of SA-1B.
    """
    entries = picture.objects() if count else []
    if not entries:
        anywhere = (chance.uniform(0, 1, (count, 2)) * size).astype(np.float32)
        return MaskAims(anywhere, np.full((count, 4), np.nan, np.float32))
    chosen = [entries[number] for number in _choice(len(entries), count, chance)]
    try:
        placed = [_placed(entry, size) for entry in chosen]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        msg = f"the annotations of {picture.name} are not in the form of SA-1B ({error!r})"
        raise SourceError(f"{msg}; remove the file beside the picture, or mend it") from error
    points, boxes = (np.array(column, np.float32) for column in zip(*placed, strict=True))
    return MaskAims(points, boxes, tuple(chosen))


def truth_of(aims: MaskAims, columns: int, rows: int) -> NDArray[np.bool_] | None:
    """Return the annotated masks at the decoder's resolution, None without annotations.

    Args:
        aims: from `aims_of`.
        columns: of the decoder's map that show the picture.
        rows: likewise.

    Returns:
        (P, rows, columns) bool: cells of which more than half belongs to the object.
    """
    if not aims.entries:
        return None
    return np.stack([_shrunk(entry["segmentation"], columns, rows) for entry in aims.entries])


def _choice(there: int, count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    # Without one coming twice as long as there are enough.
    return np.resize(chance.permutation(there), count)


def _placed(
    entry: dict[str, Any], size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an annotation's point and box in pixels of the square."""
    height, width = entry["segmentation"]["size"]
    scale = np.array(size) / (width, height)
    left, top, wide, high = entry["bbox"]
    corners = np.array([[left, top], [left + wide, top + high]], np.float64) * scale
    return np.asarray(entry["point_coords"][0], np.float64) * scale, corners.reshape(4)


def _shrunk(segmentation: dict[str, Any], columns: int, rows: int) -> NDArray[np.bool_]:
    height, width = segmentation["size"]
    mask = decode_mask(segmentation["counts"], height, width).astype(np.float32)
    # By area: thin parts would fall between the samples of any other way.
    return np.asarray(cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_AREA) > 0.5)
