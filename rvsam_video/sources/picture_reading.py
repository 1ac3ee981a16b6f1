"""One picture file, or a page of one, as RGB pixels of 8 bits."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from rvsam_video.errors import SourceError
from rvsam_video.frame import Image
from rvsam_video.picture_file import check_size, opened_picture
from rvsam_video.sources.base import Tally

MOST_NAMED = 5
"""Broken pictures that the report names one by one; a broken disk may have thousands."""

SAMPLED = 5
"""Pictures looked at for how many bits are used: the first, the last and some between."""

UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    struct.error,
)
"""What Pillow raises for a broken picture, depending on its format."""

_MULTIPLE = frozenset(("TIFF", "WEBP", "PNG"))
"""Formats whose further pictures are pages or frames; the second one of a phone's JPEG is a
preview."""

_REDUCED = 254, 1
"""TIFF's tag for what a page is, and the bit that says: a smaller copy of another one."""

_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Depth:
    """How the deep pictures of a source are brought to 8 bits.

    Attributes:
        bits: how many bits their values use, 8 to 31; 0 if no picture is deeper than 8 bits.
        stored: how many bits the values have in the file.
    """

    bits: int = 0
    stored: int = 16

    def note(self) -> str | None:
        """Say what is done, if it is not the obvious."""
        if self.bits in {0, self.stored}:
            return None
        return (
            f"the pictures have {self.stored} bits, of which {self.bits} are used: values up to "
            f"{2**self.bits - 1} are shown as white"
        )


def pages_of(path: Path) -> list[int]:
    """Return the places of the pictures that show something in a file; [0] for most files.

    Raises:
        ValueError: if it is too large, or what else Pillow raises for broken files.
    """
    with opened_picture(path) as picture:
        if picture.format == "TIFF":
            return _pages_of_tiff(picture)
        count = _count(picture)
        if count == 1:
            return [0]
        # The first picture of some PNG animations is for programs that show no animations.
        return list(range(bool(getattr(picture, "default_image", False)), count))


def _count(picture: PillowImage.Image) -> int:
    """Return how many pictures an open file holds; 1 if it is too damaged to tell."""
    with suppress(*UNREADABLE):
        return int(getattr(picture, "n_frames", 1)) if picture.format in _MULTIPLE else 1
    return 1


def _pages_of_tiff(picture: PillowImage.Image) -> list[int]:
    pages: list[int] = []
    tag, bit = _REDUCED
    # One by one, since each page says where the next one is.
    for page in itertools.count():
        try:
            picture.seek(page)
            reduced = int(getattr(picture, "tag_v2", {}).get(tag, 0)) & bit
        except EOFError:
            break
        except UNREADABLE:
            # Kept, to be told as broken; what comes behind it cannot be found.
            return [*pages, page]
        if not reduced:
            pages.append(page)
    return pages or [0]


def depth_of(paths: Iterable[Path]) -> Depth:
    """Look at some pictures for how many bits they use; those that cannot be read are left out."""
    paths = list(paths)
    highest, stored = 0, 0
    for index in _some(len(paths)):
        try:
            with opened_picture(paths[index]) as picture:
                deep = deep_pixels(picture, paths[index])
                pages = _count(picture) if len(paths) == 1 else 1
                for page in _some(pages)[1:] if deep is not None else ():
                    picture.seek(page)
                    check_size(picture)
                    highest = max(highest, int(np.asarray(picture).max()))
        except UNREADABLE:
            continue
        if deep is not None:
            highest = max(highest, int(deep.max()))
            stored = max(stored, 16 if highest < 1 << 16 else 31)
    return Depth(max(8, highest.bit_length()), stored) if stored else Depth()


def _some(count: int) -> list[int]:
    places = np.unique(np.linspace(0, count - 1, min(SAMPLED, count)).astype(int))
    return [int(place) for place in places]


def deep_pixels(
    picture: PillowImage.Image, path: Path | None
) -> NDArray[np.unsignedinteger] | None:
    """Return the pixels of a picture with more than 8 bits; None if it has not.

    Args:
        picture: open.
        path: its file; None if it has none of its own: then colours are never deep.

    Returns:
        (H, W) or (H, W, 3), RGB.

    Raises:
        ValueError: if its pixels are floating-point numbers.
    """
    if picture.mode == "F":
        msg = "its pixels are floating-point numbers; convert it to 8 bits"
        raise ValueError(msg)
    if picture.mode.startswith("I"):
        return np.asarray(np.maximum(np.asarray(picture), 0), np.uint32)
    # What the decoder is told; Pillow's types leave it out.
    tiles = getattr(picture, "tile", ())
    raw = str(tiles[0][3]) if tiles else ""
    # Pillow cuts colours of 16 bits to 8; OpenCV reads them whole, but only the first page.
    if path is None or ";16" not in raw:
        return None
    if picture.tell() == 0 and picture.getexif().get(_ORIENTATION, 1) == 1:
        stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if stored is not None and stored.dtype == np.uint16 and stored.ndim == 3:
            return np.asarray(stored[..., 2::-1], np.uint16)
    return None


def to_rgb(picture: PillowImage.Image, path: Path | None, depth: Depth) -> Image:
    """Return (H, W, 3) uint8 RGB, turned as a camera's orientation says.

    Args:
        picture: open, at the page that is wanted.
        path: its file; None as for `deep_pixels`.
        depth: how deep pictures are brought to 8 bits.

    Raises:
        ValueError: if its pixels are floating-point numbers, or it is damaged.
    """
    deep = deep_pixels(picture, path)
    if deep is None:
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"), np.uint8)
    # Pillow would cut values above 255 off instead of scaling them.
    shown = np.minimum(deep >> max(0, depth.bits - 8), 255).astype(np.uint8)
    if shown.ndim == 2:
        shown = np.asarray(ImageOps.exif_transpose(_with_exif(picture, shown)), np.uint8)
        shown = np.repeat(shown[:, :, None], 3, axis=2)
    return np.ascontiguousarray(shown)


def _with_exif(picture: PillowImage.Image, pixels: NDArray[np.uint8]) -> PillowImage.Image:
    turned = PillowImage.fromarray(pixels)
    orientation = picture.getexif().get(_ORIENTATION, 1)
    turned.getexif()[_ORIENTATION] = orientation
    return turned


def load_picture(path: Path, tally: Tally, depth: Depth) -> Image | None:
    """Read the first picture of a file; None, and a note in `tally`, if that fails."""
    try:
        with opened_picture(path) as picture:
            count = _count(picture)
            image = to_rgb(picture, path, depth)
    except UNREADABLE as error:
        note_broken(tally, f"{path} cannot be read ({reason_of(error)})")
        return None
    if count > 1:
        tally.note(f"{path} holds {count} pictures, of which the first is used; give it alone")
    return image


def decode_picture(data: bytes, name: str) -> Image:
    """Decode the bytes of a picture, which may have no file of its own.

    Args:
        data: the whole file.
        name: what to call it in messages.

    Returns:
        (H, W, 3) uint8 RGB, upright; of 16 bits the upper 8.

    Raises:
        SourceError: if it is damaged, too large or no picture.
    """
    try:
        with opened_picture(BytesIO(data)) as picture:
            return to_rgb(picture, None, Depth(16))
    except UNREADABLE as error:
        raise SourceError(f"{name} cannot be read ({reason_of(error)})") from error


def note_broken(tally: Tally, sentence: str) -> None:
    """Count a broken picture, and keep what is wrong with the first few."""
    tally.bad += 1
    if tally.bad <= MOST_NAMED:
        tally.note(sentence)


def reason_of(error: BaseException) -> str:
    """Say in a few words why Pillow could not read a picture."""
    if isinstance(error, UnidentifiedImageError):
        return "no picture, or its beginning is damaged"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error)
    return text[:1].lower() + text[1:]
