"""From a picture file to the numbers, brightness or colours of its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import PromptError
from rvsam_video.mask_rle import MAX_SIDE
from rvsam_video.picture_file import opened_picture

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "BMP")
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, TypeError, struct.error)
"""What Pillow raises for files that are missing, damaged or no pictures."""

Kind = Literal["palette", "grey", "colour"]


@dataclass(frozen=True, slots=True, eq=False)
class MaskPicture:
    """The pixels of a mask file, not yet understood.

    Attributes:
        kind: whether they are entries of a palette, grey values, or colours.
        pixels: (H, W) uint8 or uint16; of a colour picture (H, W, 3) uint8.
        alpha: (H, W) uint8, 255 where the picture is opaque; None if it has no transparency.
        shades: (256,) uint8, how bright the entries of the palette are if all that are used are
            grey; else None.
        lossy: whether the file is a JPEG, whose numbers are only about right.
    """

    kind: Kind
    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    alpha: NDArray[np.uint8] | None = None
    shades: NDArray[np.uint8] | None = None
    lossy: bool = False


def read_mask_picture(path: Path) -> MaskPicture:
    """Read a PNG, JPEG or BMP file.

    Raises:
        PromptError: if it cannot be read, or is too large.
    """
    try:
        # Only these: Pillow's rarer readers are the ones that hostile files are made for.
        with opened_picture(path, _FORMATS) as picture:
            if max(picture.size) > MAX_SIDE:
                width, height = picture.size
                msg = f"its sides are {width}x{height} pixels; allowed are up to {MAX_SIDE}"
                raise ValueError(msg)
            return _unpacked(picture)
    except _DAMAGED as error:
        msg = f"the mask {path} cannot be read: {error}"
        raise PromptError(msg) from error


def _unpacked(picture: Image) -> MaskPicture:
    lossy = picture.format == "JPEG"
    mode = picture.mode
    if mode == "P" and not _has_many_alphas(picture):
        # The stored numbers, never the palette's colours: those are for the eye.
        numbers = np.asarray(picture, np.uint8)
        return MaskPicture("palette", numbers, shades=_shades(picture, numbers))
    if mode in {"1", "L"}:
        # Black and white as 0 and 255, whichever of the two forms it has.
        return MaskPicture("grey", np.array(picture.convert("L"), np.uint8), lossy=lossy)
    if mode.startswith("I"):
        deep = np.asarray(picture)
        return MaskPicture("grey", np.clip(deep, 0, 65535).astype(np.uint16))
    alpha = None
    # RGB with one transparent colour is taken as it is: that colour is mostly the background.
    if mode in {"LA", "PA", "RGBA", "La", "RGBa", "P"}:
        picture = picture.convert("RGBA")
        alpha = np.array(picture.getchannel("A"), np.uint8)
    colours = np.array(picture.convert("RGB"), np.uint8)
    # Painting programs save grey in colour; equal channels are grey all the same.
    if (colours[..., :1] == colours[..., 1:]).all():
        return MaskPicture("grey", colours[..., 0].copy(), alpha, lossy=lossy)
    return MaskPicture("colour", colours, alpha, lossy=lossy)


def _has_many_alphas(picture: Image) -> bool:
    """Whether a palette picture is one with transparency that some program made smaller."""
    transparency = picture.info.get("transparency")
    # One transparent entry, an index, is only how the background of an index map is shown.
    return isinstance(transparency, bytes) and len(set(transparency)) > 1


def _shades(picture: Image, numbers: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    table = np.zeros((256, 3), np.uint8)
    # None for files that lack the palette that their mode wants.
    entries = np.array(picture.getpalette() or [], np.uint8).reshape(-1, 3)
    table[: len(entries)] = entries
    used = table[np.unique(numbers)]
    return table[:, 0].copy() if (used[:, :1] == used[:, 1:]).all() else None
