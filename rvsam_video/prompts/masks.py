"""Read masks from pictures: one object or several, each becoming a `Prompt`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import PromptError
from rvsam_video.mask_rle import MAX_SIDE
from rvsam_video.prompts.prompt import Prompt

VOID_INDEX = 255
"""Number of pixels that belong to nobody, in DAVIS and the sets that follow it."""

MAX_GREY_OBJECTS = 32
"""A grey picture with more numbers than this is one mask with soft edges, not an index map: hand
made index maps hold few objects, and the edge of a single soft blob has more shades than that."""

SOFT_THRESHOLD = 128
"""Pixels at least half bright belong to the object of a soft mask."""

_FORMATS = ("PNG", "JPEG", "BMP")
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, TypeError, struct.error)
"""What Pillow raises for files that are missing, damaged or no pictures."""


def load_mask(path: str | Path, frame: int = 0, object_id: int | None = None) -> list[Prompt]:
    """Read the objects of a mask picture.

    * Palette PNG: the number of a pixel is its object; 0 is background and 255 void (ignored).
    * Grey picture with up to 32 different numbers besides 0: the same; but if there is nothing
      besides 0 and 255, or 0 and 1, it is one object.
    * Any other grey picture, and every JPEG: one object with soft edges, cut at half brightness.

    Args:
        path: a PNG, JPEG or BMP file.
        frame: 0-based index of the frame that the mask belongs to.
        object_id: if the picture holds one object, its id (default: its number in the picture,
            or 1); if it holds several, the only one to be taken.

    Returns:
        one prompt per object, by rising id.

    Raises:
        PromptError: if the file cannot be read, or does not hold what was asked for.
    """
    path = Path(path)
    objects = _objects(_pixels(path), path)
    if object_id is not None:
        objects = {object_id: _the_one(objects, object_id, path)}
    return [Prompt.create(number, frame, mask=objects[number]) for number in sorted(objects)]


def _pixels(path: Path) -> NDArray[np.uint8]:
    """Return (H, W) uint8: object numbers (0 and `VOID_INDEX` are none); see `load_mask`."""
    # Imported when needed: most runs have no mask.
    from PIL import Image

    try:
        # Only these: Pillow's rarer readers are the ones that hostile files are made for.
        with Image.open(path, formats=_FORMATS) as picture:
            mode, kind, (width, height) = picture.mode, picture.format, picture.size
            # Before the pixels are unpacked: a small file can claim an enormous picture.
            if max(width, height) > MAX_SIDE:
                msg = f"its sides are {width}x{height} pixels; allowed are up to {MAX_SIDE}"
                raise ValueError(msg)
            pixels = np.asarray(picture)
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        msg = f"the mask {path} cannot be read: {error}"
        raise PromptError(msg) from error
    # The stored numbers, never the palette's colours: those are for the eye.
    if mode == "P":
        return np.asarray(pixels, np.uint8)
    return _numbers_of_grey(_grey(pixels, mode, path), lossy=kind == "JPEG")


def _grey(pixels: NDArray[np.generic], mode: str, path: Path) -> NDArray[np.uint8]:
    if mode in {"L", "1"}:
        return np.asarray(pixels, np.uint8)
    # Painting programs save grey in colour; equal channels are grey all the same.
    if mode in {"RGB", "RGBA"} and (pixels[..., :1] == pixels[..., 1:3]).all():
        return np.asarray(pixels[..., 0], np.uint8)
    msg = (
        f"the mask {path} is a colour or deep picture (mode {mode}); save it as a palette PNG with "
        "one number per object, or as 8-bit grey"
    )
    raise PromptError(msg)


def _numbers_of_grey(grey: NDArray[np.uint8], *, lossy: bool) -> NDArray[np.uint8]:
    numbers = np.unique(grey[grey != 0])
    # JPEG blurs edges, so its numbers mean nothing.
    if lossy or len(numbers) > MAX_GREY_OBJECTS:
        return np.asarray(grey >= SOFT_THRESHOLD, np.uint8)
    # White alone is an object: void needs something to be void of.
    if numbers.tolist() == [VOID_INDEX]:
        return np.asarray(grey != 0, np.uint8)
    return grey


def _objects(pixels: NDArray[np.uint8], path: Path) -> dict[int, NDArray[np.bool_]]:
    numbers = [int(number) for number in np.unique(pixels) if number not in {0, VOID_INDEX}]
    if not numbers:
        msg = (
            f"the mask {path} holds no object: all its pixels are 0 (background) or 255 (void); "
            "give each object a number from 1 to 254"
        )
        raise PromptError(msg)
    return {number: pixels == number for number in numbers}


def _the_one(
    objects: dict[int, NDArray[np.bool_]], object_id: int, path: Path
) -> NDArray[np.bool_]:
    # A single mask is the object asked for, whatever number it was painted with.
    if len(objects) == 1:
        return next(iter(objects.values()))
    if object_id in objects:
        return objects[object_id]
    msg = (
        f"the mask {path} holds the objects {_listing(list(objects))}, not {object_id}; "
        "name one of them, or none to take all"
    )
    raise PromptError(msg)


def _listing(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
