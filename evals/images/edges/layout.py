"""Finding and reading BSDS500 in its public layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ....export.extras import require
from ..pictures import PictureChoice, pictures_by_name

_LAYOUT = (
    "it should hold images/test/NAME.jpg and groundTruth/test/NAME.mat; BSDS500 is not downloaded "
    "by this program, get it from https://github.com/BIDS/BSDS500"
)

_INNER = (".", "data", "BSDS500/data", "BSR/BSDS500/data", "BSDS500")
"""Folders below the root that may hold the set, depending on where it was unpacked."""

_PICTURE_ENDINGS = (".jpg", ".png")
"""BSDS500 has the first, NYUD in the same layout the second."""


@dataclass(frozen=True, slots=True)
class EdgePicture:
    """One picture of the set.

    Attributes:
        name: of the picture, without ending.
        picture: its file; need not exist to score.
        truth: the annotators' edges, a MATLAB file.
    """

    name: str
    picture: Path
    truth: Path


@dataclass(frozen=True, slots=True)
class EdgeSet:
    """The pictures that are evaluated.

    Attributes:
        root: the folder of images and groundTruth.
        split: name of the part.
        pictures: the chosen ones, by name.
        total: how many the part has.
    """

    root: Path
    split: str
    pictures: tuple[EdgePicture, ...]
    total: int


def find_bsds(root: Path, split: str = "test", choice: PictureChoice | None = None) -> EdgeSet:
    """Find a part of BSDS500.

    Args:
        root: the folder with `images` and `groundTruth`, or one above it.
        split: "test", "val" or "train".
        choice: which pictures are taken; None takes all.

    Raises:
        UsageError: if SciPy is not installed, or there is no picture of one of the names.
        SourceError: if something is missing.
    """
    require("scipy", "evals")
    places = [root / inner for inner in _INNER]
    base = next((place for place in places if (place / "groundTruth" / split).is_dir()), None)
    if base is None:
        msg = f"there is no folder {root / 'groundTruth' / split}; {_LAYOUT}"
        raise SourceError(msg)
    truth = {path.stem: path for path in sorted((base / "groundTruth" / split).glob("*.mat"))}
    if not truth:
        msg = f"there are no .mat files in {base / 'groundTruth' / split}; {_LAYOUT}"
        raise SourceError(msg)
    images = base / "images" / split
    there = pictures_by_name(images, _PICTURE_ENDINGS) if images.is_dir() else {}
    chosen = (choice or PictureChoice()).choose(list(truth))
    pictures = tuple(
        EdgePicture(name, there.get(name, images / f"{name}.jpg"), truth[name]) for name in chosen
    )
    return EdgeSet(base, split, pictures, len(truth))


def read_annotators(path: Path) -> list[NDArray[np.bool_]]:
    """Read the edges that the annotators of a picture drew.

    Args:
        path: a MATLAB file as BSDS500 has them: a list of annotators, `Boundaries` of each.

    Returns:
        (H, W) bool each.

    Raises:
        SourceError: if it is damaged, of MATLAB 7.3, or holds no annotator.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        cells = loadmat(path)["groundTruth"]
        edges = [np.asarray(cell["Boundaries"][0, 0]) for cell in cells.ravel()]
    except NotImplementedError as error:
        msg = f"{path} is a file of MATLAB 7.3; save it in MATLAB with save(..., '-v7')"
        raise SourceError(msg) from error
    except (OSError, KeyError, ValueError, TypeError, IndexError, MatReadError) as error:
        msg = f"{path} holds no annotators as BSDS500 has them ({error}); unpack the set again"
        raise SourceError(msg) from error
    shapes = {item.shape for item in edges}
    if len(shapes) != 1 or any(len(shape) != 2 for shape in shapes):
        sizes = ", ".join(map(str, sorted(shapes))) or "none"
        msg = f"the annotators in {path} have maps of shapes {sizes}; unpack the set again"
        raise SourceError(msg)
    return [item > 0 for item in edges]
