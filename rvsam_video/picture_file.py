"""Opening a picture with Pillow, with this package's limit on its size instead of Pillow's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from rvsam_video.limits import too_large

if TYPE_CHECKING:
    from PIL.Image import Image

_LOCK = Lock()
"""Pillow's own limit belongs to the whole process, so one thread at a time may change it."""


@contextmanager
def opened_picture(
    path: str | Path | BinaryIO, formats: tuple[str, ...] | None = None
) -> Iterator[Image]:
    """Open a picture whose pixels are not unpacked yet.

    Args:
        path: of the file, or the file itself, open.
        formats: Pillow's names of the formats that are allowed; None allows all.

    Raises:
        ValueError: if it is too large; says what is allowed.
        OSError: if it cannot be opened; or what else Pillow raises for broken files.
    """
    with _without_pillows_limit(path, formats) as picture:
        check_size(picture)
        yield picture


def picture_size(path: str | Path | BinaryIO) -> tuple[int, int]:
    """Return the (width, height) in pixels that a picture claims, however large, from its head.

    Raises:
        OSError: if it cannot be opened; or what else Pillow raises for broken files.
    """
    with _without_pillows_limit(path) as picture:
        return picture.size


def _without_pillows_limit(
    path: str | Path | BinaryIO, formats: tuple[str, ...] | None = None
) -> Image:
    # Imported when needed: most commands open no picture.
    from PIL import Image

    with _LOCK:
        # Pillow would warn on standard error, and refuse what the user has allowed.
        pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = pillow_limit


def check_size(picture: Image) -> None:
    """Refuse a picture, or a page of one, that claims more pixels than are allowed.

    Raises:
        ValueError: if it is too large; says what is allowed.
    """
    if (reason := too_large(*picture.size)) is not None:
        raise ValueError(reason)
