"""How large a picture may be: one limit for every reader, checked before memory is taken."""

from __future__ import annotations

import os

from rvsam_video.errors import UsageError

VARIABLE = "RVSAM_MAX_PIXELS"
"""Environment variable that raises the limit, or lowers it."""

DEFAULT_MAX_PIXELS = 2**26
"""67 million pixels: twice 8K video, and 200 MB as RGB."""

MASKS_TO_PICTURE = 16
"""All masks of one file together may have so many times the pixels of the largest picture: masks of
30 objects in 8K video, or of 128 in 4K video."""


def max_pixels() -> int:
    """Return how many pixels a picture may have.

    Raises:
        UsageError: if the environment variable is no number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return DEFAULT_MAX_PIXELS
    if not text.isascii() or not text.isdigit() or int(text[:20]) < 1:
        msg = f"{VARIABLE} is {text!r}; it must be a number of pixels, such as 200000000"
        raise UsageError(msg)
    return int(text[:20])


def too_large(width: int, height: int) -> str | None:
    """Say why a picture is not read, as the rest of a sentence; None if it is small enough.

    Args:
        width: in pixels, as the file claims.
        height: in pixels, likewise.
    """
    limit = max_pixels()
    if width * height <= limit:
        return None
    return (
        f"{width}x{height} pixels are more than the {limit} that are read; if that is right, "
        f"set the environment variable {VARIABLE} to at least {width * height}"
    )


def too_many_masks(pixels: int) -> str | None:
    """Say why masks are not read that have so many pixels together, likewise."""
    limit = MASKS_TO_PICTURE * max_pixels()
    if pixels <= limit:
        return None
    enough = -(-pixels // MASKS_TO_PICTURE)
    return (
        f"its masks have {pixels} pixels together, more than the {limit} that are read; if that is "
        f"right, set the environment variable {VARIABLE} to at least {enough}"
    )
