"""Finding MVTec-AD in its public layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ....errors import SourceError
from ..pictures import PictureChoice, pictures_by_name, read_grey
from .settings import MVTEC_SETTINGS

_GOOD = "good"
"""The kind of pictures without a defect; they have no truth."""


@dataclass(frozen=True, slots=True)
class AnomalyPicture:
    """One picture of the set.

    Attributes:
        category: what it shows.
        kind: of defect, "good" for none.
        name: of the file, without ending.
        picture: its file.
        truth: a grey picture of the defect; None if there is none.
    """

    category: str
    kind: str
    name: str
    picture: Path
    truth: Path | None

    @property
    def key(self) -> str:
        """Its path below the folder of its category, as proposals call it."""
        return f"test/{self.kind}/{self.picture.name}"

    @property
    def title(self) -> str:
        """Category, kind and name."""
        return f"{self.category}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class AnomalySet:
    """The pictures that are evaluated.

    Attributes:
        root: the folder of the set.
        pictures: the chosen ones, category by category.
        total: how many there are of the chosen categories.
    """

    root: Path
    pictures: tuple[AnomalyPicture, ...]
    total: int

    @property
    def categories(self) -> list[str]:
        """Those of the chosen pictures, in order."""
        return list(dict.fromkeys(item.category for item in self.pictures))


def find_mvtec(
    root: Path, categories: Sequence[str] | None = None, choice: PictureChoice | None = None
) -> AnomalySet:
    """Find the test pictures of categories, and their truth.

    Args:
        root: the folder with a folder for each category.
        categories: those wanted; None takes the published 15.
        choice: which pictures are taken, by `CATEGORY/KIND/NAME`; None takes all.

    Raises:
        UsageError: if there is no picture of one of the names.
        SourceError: if a category, or the truth of a picture, is missing.
    """
    wanted = list(MVTEC_SETTINGS) if categories is None else list(categories)
    found = {item.title: item for category in wanted for item in _category(root, category)}
    chosen = (choice or PictureChoice()).choose(list(found))
    return AnomalySet(root, tuple(found[title] for title in chosen), len(found))


def _category(root: Path, category: str) -> list[AnomalyPicture]:
    tests = root / category / "test"
    if not tests.is_dir():
        msg = (
            f"there is no folder {tests}; it should hold KIND/000.png, beside ground_truth (get it "
            "from https://www.mvtec.com/company/research/datasets/mvtec-ad), or choose --categories"
        )
        raise SourceError(msg)
    found = []
    for kind in sorted(path.name for path in tests.iterdir() if path.is_dir()):
        for name, picture in pictures_by_name(tests / kind, (".png", ".jpg")).items():
            truth = root / category / "ground_truth" / kind / f"{name}_mask.png"
            if kind != _GOOD and not truth.is_file():
                msg = f"there is no truth {truth} for {picture}; get the whole set"
                raise SourceError(msg)
            found.append(
                AnomalyPicture(category, kind, name, picture, None if kind == _GOOD else truth)
            )
    return found


def read_defect(item: AnomalyPicture, side: int) -> NDArray[np.bool_]:
    """Read the truth of a picture, scaled to (side, side) bool by the nearest pixel.

    Raises:
        SourceError: if it cannot be read.
    """
    if item.truth is None:
        return np.zeros((side, side), np.bool_)
    mask = (read_grey(item.truth) > 0).astype(np.uint8)
    return np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST) > 0)
