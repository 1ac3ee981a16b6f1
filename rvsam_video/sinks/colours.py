"""Colours of objects in drawings: brighter kin of the palette of mask files."""

from __future__ import annotations

import colorsys
from functools import cache

from rvsam_video.palette import PALETTE_SIZE, davis_palette

# Drawn on a video, palette entries such as (64, 0, 0) would drown in the shadows: this curve lifts
# dark values most and keeps different ones apart (0, 64, 128, 192 become 30, 169, 207, 233).
_DRAWING_FLOOR = 30
_DRAWING_GAMMA = 0.35

_GOLDEN_RATIO = 0.618033988749895


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
