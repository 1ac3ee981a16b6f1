"""Encodes clips whose frames carry their own number, so that readers can be found out.

The number is drawn as ten bright or dark blocks, large enough to survive any codec: a frame that
was lost, repeated or put together wrongly gives itself away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

SIZE = (320, 240)
RATE = 30
FRAMES = 60

_BITS, _PER_ROW, _BLOCK_WIDTH, _BLOCK_HEIGHT = 10, 5, 46, 36
_DARK, _BRIGHT = 16, 235
_RED, _BLUE = (200, 30, 30), (30, 30, 200)

# The AV1 encoder talks to standard error unless it is told not to.
os.environ.setdefault("SVT_LOG", "0")


def draw(number: int, size: tuple[int, int] = SIZE) -> Image:
    """Draw frame `number` as (H, W, 3) uint8 RGB: its bits, a moving square, a red corner.

    The red square in the lower left corner tells which way up and whether mirrored.
    """
    width, height = size
    image = np.full((height, width, 3), 110, np.uint8)
    for bit in range(_BITS):
        row, column = divmod(bit, _PER_ROW)
        y, x = row * _BLOCK_HEIGHT, column * _BLOCK_WIDTH
        shade = _BRIGHT if number >> bit & 1 else _DARK
        image[y : y + _BLOCK_HEIGHT, x : x + _BLOCK_WIDTH] = shade
    left = number * 3 % (width - 40)
    image[100:140, left : left + 40] = _BLUE
    image[height - 40 :, :40] = _RED
    return image


def read_number(image: Image) -> int:
    """Read back the number that `draw` wrote into a frame of any size near the drawn one."""
    number = 0
    for bit in range(_BITS):
        row, column = divmod(bit, _PER_ROW)
        y, x = row * _BLOCK_HEIGHT, column * _BLOCK_WIDTH
        middle = image[y + 8 : y + _BLOCK_HEIGHT - 8, x + 12 : x + _BLOCK_WIDTH - 12]
        number |= int(middle.mean() > 125) << bit
    return number


def is_upright(image: Image) -> bool:
    """Whether the red corner is where `draw` put it."""
    return bool(np.abs(image[-30:-10, 10:30].reshape(-1, 3).mean(0) - _RED).max() < 40)


@dataclass(frozen=True)
class Recipe:
    """How to encode a clip.

    Attributes:
        codec: encoder.
        pixels: pixel format.
        size: (width, height).
        options: of the encoder.
        container: options of the container.
        stamps: time stamps of the frames in units of `unit`; None is one per frame.
        unit: seconds.
        numbers: which frames to draw.
        stored: what to do with a drawn frame before it is encoded.
    """

    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    options: dict[str, str] = field(default_factory=lambda: {"preset": "veryfast", "g": "20"})
    container: dict[str, str] = field(default_factory=dict)
    stamps: Sequence[int] | None = None
    unit: Fraction = Fraction(1, RATE)
    numbers: Sequence[int] = range(FRAMES)
    stored: Callable[[Image], Image] = lambda image: image


def encode(path: Path, recipe: Recipe) -> list[int]:
    """Write a clip; return the numbers of its frames."""
    stamps = range(len(recipe.numbers)) if recipe.stamps is None else recipe.stamps
    with av.open(str(path), "w", options=recipe.container) as container:
        stream = container.add_stream(recipe.codec, rate=RATE, options=dict(recipe.options))
        stream.pix_fmt = recipe.pixels
        stream.codec_context.time_base = recipe.unit
        stream.height, stream.width = recipe.stored(draw(0, recipe.size)).shape[:2]
        for number, stamp in zip(recipe.numbers, stamps, strict=True):
            image = np.ascontiguousarray(recipe.stored(draw(number, recipe.size)))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = stamp, recipe.unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return list(recipe.numbers)


def uneven_stamps(count: int = FRAMES) -> list[int]:
    """Return rising time stamps in 1/90000 s with three different distances."""
    stamps = [0]
    for index in range(count - 1):
        stamps.append(stamps[-1] + (1000, 3000, 7003)[index % 3])
    return stamps
