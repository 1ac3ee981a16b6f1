"""Finding DUTS-TE, and other sets of pictures with one grey truth each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ..pictures import PictureChoice, pictures_by_name, read_grey, refuse_gaps

_IMAGES, _MASKS = "DUTS-TE-Image", "DUTS-TE-Mask"
_PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True, slots=True)
class SalientPicture:
    """One picture of the set.

    Attributes:
        name: of the picture, without ending.
        picture: its file.
        truth: a grey picture of what stands out.
    """

    name: str
    picture: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class SalientSet:
    """The pictures that are evaluated.

    Attributes:
        images: folder of the pictures.
        pictures: the chosen ones, by name.
        total: how many the set has.
    """

    images: Path
    pictures: tuple[SalientPicture, ...]
    total: int


def duts_folders(root: Path) -> tuple[Path, Path]:
    """Return the folders of pictures and truth in the layout of DUTS-TE.

    Args:
        root: the folder with `DUTS-TE-Image` and `DUTS-TE-Mask`, or the one above it.

    Raises:
        SourceError: if they are not there.
    """
    base = next((place for place in (root, root / "DUTS-TE") if (place / _IMAGES).is_dir()), None)
    if base is None:
        msg = (
            f"there is no folder {root / _IMAGES}; give the folder of DUTS-TE "
            "(https://saliencydetection.net/duts), or --images and --masks"
        )
        raise SourceError(msg)
    return base / _IMAGES, base / _MASKS


def find_salient(images: Path, masks: Path, choice: PictureChoice | None = None) -> SalientSet:
    """Find the pictures of a set and their truth.

    Args:
        images: folder of the pictures.
        masks: folder of the truth, under the same names.
        choice: which pictures are taken; None takes all.

    Raises:
        UsageError: if there is no picture of one of the names.
        SourceError: if a folder is missing, or a picture or truth has no partner.
    """
    pictures = pictures_by_name(images, _PICTURE_ENDINGS)
    truth = pictures_by_name(masks, (".png",))
    refuse_gaps(list(pictures), truth, f"truth in {masks}")
    refuse_gaps(list(truth), pictures, f"picture in {images}")
    if not pictures:
        msg = f"there are no pictures in {images}; check the path"
        raise SourceError(msg)
    chosen = (choice or PictureChoice()).choose(list(pictures))
    found = tuple(SalientPicture(name, pictures[name], truth[name]) for name in chosen)
    return SalientSet(images, found, len(pictures))


@dataclass(frozen=True, slots=True, eq=False)
class SalientTruth:
    """What stands out in a picture, by the two rules that are in use.

    Attributes:
        relative: (H, W) bool, brighter than half of the brightest pixel: masks are chosen by it.
        absolute: (H, W) bool, brighter than 128: the usual measures take this.
    """

    relative: NDArray[np.bool_]
    absolute: NDArray[np.bool_]


def read_truth(path: Path) -> SalientTruth:
    """Read the truth of a picture.

    Raises:
        SourceError: if it cannot be read.
    """
    grey = np.round(read_grey(path) * 255)
    return SalientTruth(grey / (grey.max() + 1e-8) > 0.5, grey > 128)
