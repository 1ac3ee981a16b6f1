"""Read masks from pictures: one object or several, each becoming a `Prompt`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import PromptError
from rvsam_video.limits import too_many_masks
from rvsam_video.palette import davis_palette
from rvsam_video.prompts.mask_meaning import (
    GreyValues,
    bright_part,
    flat_colours,
    is_soft,
    shades_of_one_colour,
    without_slivers,
)
from rvsam_video.prompts.mask_picture import MaskPicture, read_mask_picture
from rvsam_video.prompts.prompt import MAX_OBJECT_ID, Prompt

_LOGGER = logging.getLogger(__name__)

MaskMode = Literal["auto", "one", "ids"]
"""How a mask picture is read: as it looks; as one object; or by the numbers of its pixels."""

VOID_INDEX = 255
"""Number of pixels that belong to nobody, in DAVIS and the sets that follow it."""

HIGHEST_COUNTED = 32
"""Numbers up to this are counted by hand; larger ones beside 255 are levels of brightness, of which
255 is one more."""

_OPAQUE = 128
_FULLY_OPAQUE = 250
_DARKEST_JPEG = 64
"""JPEG turns the numbers of objects, which are small, into noise."""

_Objects = Mapping[int, NDArray[np.bool_]]


def load_mask(
    path: str | Path, frame: int = 0, object_id: int | None = None, *, mode: MaskMode = "auto"
) -> list[Prompt]:
    """Read the objects of a mask picture.

    * Palette PNG: the number of a pixel is its object; 0 is background, and 255 void (ignored) if
      there are others.
    * Grey picture of 8 or 16 bits: the same where it has flat regions; where it is mostly of one
      value with shades between, as after resizing or smoothing, it is one object, cut at half
      brightness. One number alone is one object, and white alone is object 1.
    * Colour picture: the objects of the DAVIS palette; else one object per plain colour, or one
      object of shades of a colour. JPEG: one object.
    * Picture with transparency: what is not transparent, unless its colours show objects.

    Whatever could be meant otherwise is said in a warning.

    Args:
        path: a PNG, JPEG or BMP file.
        frame: 0-based index of the frame that the mask belongs to.
        object_id: if the picture holds one object, its id (default: its number in the picture,
            or 1); if it holds several, the only one to be taken.
        mode: "auto" as above; "one" takes all that is at least half bright as one object; "ids"
            takes the numbers of pixels as they are, 255 too.

    Returns:
        one prompt per object, by rising id.

    Raises:
        PromptError: if the file cannot be read, is too large, or does not hold what was asked for.
    """
    path = Path(path)
    if mode not in get_args(MaskMode):
        msg = f"the mask mode is {mode!r}; choose one of: {', '.join(get_args(MaskMode))}"
        raise PromptError(msg)
    # Who asks for 255 by name does not mean void.
    exact = mode == "ids" or (mode == "auto" and object_id == VOID_INDEX)
    objects = _Reading(read_mask_picture(path), path, exact=exact).objects(mode)
    if object_id is not None:
        objects = {object_id: _the_one(objects, object_id, path)}
    return [Prompt.create(number, frame, mask=objects[number]) for number in sorted(objects)]


class _Reading:
    """One mask picture being understood.

    Args:
        picture: its pixels.
        path: of the file, for messages.
        exact: whether 255 is a number like others.
    """

    def __init__(self, picture: MaskPicture, path: Path, *, exact: bool) -> None:
        self._picture, self._path, self._exact = picture, path, exact

    def objects(self, mode: MaskMode) -> _Objects:
        """Return the masks by object id."""
        picture = self._picture
        if not picture.pixels.any() and picture.alpha is None:
            self._refuse_empty("all its pixels are 0 (background)")
        if mode == "ids":
            return self._numbered(self._plain_numbers())
        if mode == "one":
            return {1: self._one()}
        if picture.kind == "palette":
            return self._palette()
        if picture.alpha is not None and picture.alpha.min() < _FULLY_OPAQUE:
            return self._with_alpha(picture.alpha)
        if picture.kind == "colour":
            return self._coloured(picture.pixels.astype(np.uint8))
        return self._grey(picture.pixels)

    def _plain_numbers(self) -> GreyValues:
        if self._picture.kind == "colour":
            msg = (
                f"the mask {self._path} is a colour picture, whose pixels have no numbers; save it "
                "as a palette PNG or as grey"
            )
            raise PromptError(msg)
        return self._picture.pixels

    def _one(self) -> NDArray[np.bool_]:
        picture = self._picture
        if picture.alpha is not None and picture.alpha.min() < _FULLY_OPAQUE:
            return self._filled(bright_part(picture.alpha))
        if picture.kind == "palette":
            return np.asarray(picture.pixels != 0)
        grey = picture.pixels if picture.kind == "grey" else picture.pixels.max(2)
        return self._filled(bright_part(grey))

    def _palette(self) -> _Objects:
        pixels, shades = self._picture.pixels, self._picture.shades
        if shades is not None:
            bright = shades[pixels]
            # Smaller files are made by giving the shades of a soft mask a palette.
            if len(np.unique(bright[bright > 0])) > 1 and is_soft(bright):
                return self._soft(bright)
        return self._numbered(pixels)

    def _grey(self, grey: GreyValues) -> _Objects:
        if self._picture.lossy:
            return self._lossy(grey)
        numbers = np.unique(grey[grey != 0]).tolist()
        if len(numbers) > 1 and is_soft(grey):
            return self._soft(grey)
        # White alone is an object: void needs something to be void of.
        if len(numbers) == 1 and (numbers[0] == VOID_INDEX or numbers[0] > MAX_OBJECT_ID):
            return {numbers[0] if self._exact and numbers[0] == VOID_INDEX else 1: grey != 0}
        cleaned = without_slivers(grey)
        if cleaned is not grey:
            self._say(
                "read as an index map that was resized with smoothing: the numbers between went "
                "to the objects they edge",
                "ids",
            )
        return self._numbered(cleaned)

    def _lossy(self, grey: GreyValues) -> _Objects:
        if grey.max() < _DARKEST_JPEG:
            msg = (
                f"the mask {self._path} is a JPEG whose brightest pixel is {grey.max()} of 255; "
                "JPEG does not keep numbers of objects: save the mask as PNG"
            )
            raise PromptError(msg)
        return {1: bright_part(grey)}

    def _soft(self, grey: GreyValues) -> _Objects:
        top = int(grey.max())
        # So dark a picture is made of numbers, of which the highest is that of the object.
        number = top if top <= HIGHEST_COUNTED else 1
        self._say(
            f"read as one object with soft edges ({len(np.unique(grey)) - 1} shades), cut at half "
            "brightness",
            "ids",
        )
        return {number: bright_part(grey)}

    def _coloured(self, colours: NDArray[np.uint8]) -> _Objects:
        if not colours.any():
            self._refuse_empty("all its pixels are black")
        shades = shades_of_one_colour(colours)
        if shades is not None:
            return {1: bright_part(shades)}
        found = None if self._picture.lossy else flat_colours(colours)
        if found is None:
            msg = (
                f"the mask {self._path} is a colour picture without plain regions; save it as a "
                "palette PNG with one number per object, or as 8-bit grey"
            )
            raise PromptError(msg)
        numbers, table = found
        palette = (davis_palette().astype(np.int64) @ np.array([65536, 256, 1])).tolist()
        if set(table) <= set(palette):
            return self._numbered(np.array([palette.index(code) for code in table])[numbers])
        names = [f"#{code:06x} is object {number}" for number, code in enumerate(table) if number]
        background = f"background #{table[0]:06x}"
        self._say(f"read as plain colours: {', '.join([background, *names])}", "one")
        return self._numbered(numbers, voids=False)

    def _with_alpha(self, alpha: NDArray[np.uint8]) -> _Objects:
        picture = self._picture
        if not alpha.any():
            # Some programs save masks like this by mistake; there is nothing else to read.
            self._say("wholly transparent, so its colours were read", "")
            alpha = np.full_like(alpha, 255)
        visible = alpha >= _OPAQUE
        colours = picture.pixels.astype(np.uint8)
        if picture.kind == "grey":
            colours = np.repeat(colours[..., None], 3, 2)
        shown = colours[alpha >= _FULLY_OPAQUE]
        # White on nothing, black on nothing: the one colour tells nothing, the transparency all.
        if not len(shown) or (shown == shown[0]).all():
            return {1: self._filled(bright_part(alpha))}
        composed = np.where(visible[..., None], colours, 0).astype(np.uint8)
        found = flat_colours(composed)
        if found is None:
            self._say("read as a cut-out picture: what is not transparent is the object", "one")
            return {1: visible}
        grey = (composed[..., :1] == composed[..., 1:]).all()
        return self._grey(composed[..., 0]) if grey else self._coloured(composed)

    def _numbered(self, numbers: NDArray[np.generic], *, voids: bool = True) -> _Objects:
        """Return the masks of an index map."""
        ids = [int(number) for number in np.unique(numbers) if number]
        if not ids:
            self._refuse_empty("all its pixels are 0 (background)")
        if ids == [VOID_INDEX] and not self._exact:
            self._say(f"read as object {VOID_INDEX}, since it holds no other number", "")
        rest = [number for number in ids if number not in {VOID_INDEX, 65535}]
        if voids and not self._exact and rest and len(rest) < len(ids):
            ids = self._without_void(ids, rest)
        if max(ids) > MAX_OBJECT_ID:
            msg = (
                f"the mask {self._path} holds the number {max(ids)}; objects have numbers from 1 "
                f"to {MAX_OBJECT_ID}"
            )
            raise PromptError(msg)
        # Small files can ask for a picture's memory for each of many numbers.
        if (reason := too_many_masks(len(ids) * numbers.size)) is not None:
            raise PromptError(f"the mask {self._path} cannot be read: {reason}")
        return {number: np.asarray(numbers == number) for number in ids}

    def _without_void(self, ids: list[int], rest: list[int]) -> list[int]:
        # Masks drawn to be seen: 85, 170 and 255 are three objects.
        if self._picture.kind != "palette" and min(rest) > HIGHEST_COUNTED:
            self._say(f"read as {len(ids)} objects, {_listing(ids)}", "one")
            return ids
        self._say(f"read as objects {_listing(rest)} with {VOID_INDEX} as void (ignored)", "ids")
        return rest

    def _filled(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if mask.all():
            self._say("read as an object that fills the whole picture", "")
        return mask

    def _say(self, what: str, other: str) -> None:
        """Say how the picture was understood, and how it is understood otherwise."""
        means = {"ids": "takes every number as an object", "one": "takes all as one object"}
        advice = f"; --mask-mode {other} {means[other]}" if other else ""
        _LOGGER.warning("the mask %s was %s%s", self._path, what, advice)

    def _refuse_empty(self, why: str) -> None:
        msg = (
            f"the mask {self._path} holds no object: {why}; give each object a number from 1 to "
            f"{MAX_OBJECT_ID}"
        )
        raise PromptError(msg)


def _the_one(objects: _Objects, object_id: int, path: Path) -> NDArray[np.bool_]:
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
