"""The colours of DAVIS and PASCAL VOC mask files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PALETTE_SIZE = 256
_BITS_PER_CHANNEL = 8


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
