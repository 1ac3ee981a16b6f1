"""Reading the pictures and grey maps of a set, and choosing which of them to take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from ...errors import SourceError, UsageError, unknown_name
from ...frame import Image

_ORIENTATION = 0x0112
"""EXIF tag; 1 is upright."""

_UNREADABLE = (OSError, SyntaxError, ValueError, PillowImage.DecompressionBombError)
"""What Pillow raises for a broken picture, depending on its format."""

_DEEP = ("I", "I;16", "I;16B", "I;16L")
"""Pillow's names for grey of 16 bits."""

_MOST_NAMED = 3


def read_picture(path: Path) -> Image:
    """Read a picture as (H, W, 3) uint8 RGB, as its pixels are stored.

    Raises:
        SourceError: if it cannot be read, or a camera's note says that it has to be turned: public
            code reads such pictures in two ways, and annotations fit only one of them.
    """
    with _opened(path) as picture:
        turned = picture.getexif().get(_ORIENTATION, 1)
        if turned != 1:
            msg = (
                f"{path} is marked to be turned (EXIF orientation {turned}); save it upright and "
                "without that mark"
            )
            raise SourceError(msg)
        return np.asarray(_loaded(picture, path, "RGB"))


def read_grey(path: Path) -> NDArray[np.float64]:
    """Read a grey picture of 8 or 16 bits as (H, W) float64 in [0, 1].

    Raises:
        SourceError: if it cannot be read, or has colours.
    """
    with _opened(path) as picture:
        if picture.mode in _DEEP:
            return np.asarray(_loaded(picture, path, picture.mode), np.float64) / 65535
        if picture.mode not in ("L", "1"):
            msg = f"{path} is no grey picture of 8 or 16 bits (mode {picture.mode}); save it as one"
            raise SourceError(msg)
        return np.asarray(_loaded(picture, path, "L"), np.float64) / 255


def _opened(path: Path) -> PillowImage.Image:
    try:
        return PillowImage.open(path)
    except FileNotFoundError as error:
        msg = f"there is no picture {path}; check the folder"
        raise SourceError(msg) from error
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _loaded(picture: PillowImage.Image, path: Path, mode: str) -> PillowImage.Image:
    try:
        return picture.convert(mode)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> SourceError:
    return SourceError(f"the picture {path} cannot be read ({error}); copy it again")


def pictures_by_name(folder: Path, endings: Collection[str]) -> dict[str, Path]:
    """Return the pictures of a folder by file name without ending, sorted.

    Args:
        folder: with the pictures; others of its files are left alone.
        endings: in lower case, as ".jpg".

    Raises:
        SourceError: if there is no such folder, or two pictures have the same name.
    """
    if not folder.is_dir():
        msg = f"there is no folder {folder}; check the path"
        raise SourceError(msg)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in endings:
            continue
        if path.stem in found:
            msg = f"{found[path.stem]} and {path.name} have the same name; remove one of them"
            raise SourceError(msg)
        found[path.stem] = path
    return found


def refuse_gaps(wanted: Collection[str], there: Mapping[str, object], what: str) -> None:
    """Refuse names without a file.

    Args:
        wanted: all names.
        there: those that there are.
        what: is missing and where, as "picture in FOLDER".

    Raises:
        SourceError: naming the first few.
    """
    missing = [name for name in wanted if name not in there]
    if missing:
        shown = ", ".join(missing[:_MOST_NAMED]) + (", ..." if len(missing) > _MOST_NAMED else "")
        msg = f"{len(missing)} of {len(wanted)} have no {what}: {shown}; get the whole set"
        raise SourceError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChoice:
    """Which pictures of a set are taken; all unless told otherwise.

    Attributes:
        names: only these; None for all.
        every: of those, the first of every so many.
        limit: of those, so many at most; None for all.
    """

    names: Sequence[str] | None = None
    every: int = 1
    limit: int | None = None

    def choose(self, known: Sequence[str]) -> list[str]:
        """Return the chosen ones of all names, in their order.

        Raises:
            UsageError: if there is none of a name, or nothing is left.
        """
        wanted = known if self.names is None else list(dict.fromkeys(self.names))
        there = set(known)
        for name in wanted:
            if name not in there:
                raise unknown_name("picture", name, [*known[:_MOST_NAMED], "..."])
        chosen = list(wanted)[:: self.every][: self.limit]
        if not chosen:
            msg = "no picture is left; choose others with --names, --every and --limit"
            raise UsageError(msg)
        return chosen
