"""Colours of objects: the DAVIS palette for mask files, and brighter kin of it for drawing."""

from __future__ import annotations

import colorsys
from functools import cache

import numpy as np
from numpy.typing import NDArray

PALETTE_SIZE = 256
_BITS_PER_CHANNEL = 8

# Drawn on a video, palette entries such as (64, 0, 0) would drown in the shadows: this curve lifts
# dark values most and keeps different ones apart (0, 64, 128, 192 become 30, 169, 207, 233).
_DRAWING_FLOOR = 30
_DRAWING_GAMMA = 0.35

_GOLDEN_RATIO = 0.618033988749895


def davis_palette() -> NDArray[np.uint8]:
    """Return the palette of the DAVIS and PASCAL VOC mask files: (256, 3) uint8, RGB.

    The object id is spread over the channels bit by bit: bits 0, 1, 2 of the id become the
    highest bits of red, green, blue, bits 3, 4, 5 the next highest, and so on. This is the
    definition by the VOC development kit, which DAVIS took over.
    """
    ids = np.arange(PALETTE_SIZE)
    palette = np.zeros((PALETTE_SIZE, 3), np.uint8)
    for bit in range(_BITS_PER_CHANNEL):
        for channel in range(3):
            source_bit = 3 * bit + channel
            # Bit by bit from the top, so that small ids differ most.
            palette[:, channel] |= ((ids >> source_bit & 1) << (7 - bit)).astype(np.uint8)
    return palette


@cache
def drawing_colour(object_id: int) -> tuple[int, int, int]:
    """Return the RGB colour an object is drawn in: the hue of its palette entry, made bright.

    Args:
        object_id: 1 to 255; the colours of different ids differ.
    """
    red, green, blue = (
        round(_DRAWING_FLOOR + (255 - _DRAWING_FLOOR) * (float(value) / 255) ** _DRAWING_GAMMA)
        # Ids above 255 share colours; mask files end there anyway.
        for value in davis_palette()[object_id % PALETTE_SIZE]
    )
    return red, green, blue


@cache
def point_colour(point_id: int) -> tuple[int, int, int]:
    """Return a bright RGB colour for a point that belongs to no object.

    Hues go round by the golden ratio, so that neighbours in number differ strongly however many
    points there are.

    Args:
        point_id: 0 or higher.
    """
    # Nearly full saturation and brightness: no object is drawn in such a colour.
    red, green, blue = colorsys.hsv_to_rgb(point_id * _GOLDEN_RATIO % 1.0, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
