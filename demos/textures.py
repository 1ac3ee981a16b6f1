"""Textures painted from noise: a sea bed with pebbles, and the skins of what lies on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Image

Texture = Callable[[np.random.Generator, int, float], Image]
"""Paints a square: random generator, side in pixels, pixels per scene unit."""

RgbColour = tuple[int, int, int]

_SAND: Sequence[RgbColour] = ((66, 80, 76), (104, 114, 98), (148, 144, 118), (178, 168, 138))
_PEBBLES: Sequence[RgbColour] = ((92, 96, 98), (128, 122, 110), (74, 84, 92), (158, 148, 128))
_ORANGE: Sequence[RgbColour] = ((150, 58, 34), (196, 88, 44), (222, 126, 66))
_BLUE: Sequence[RgbColour] = ((58, 78, 108), (88, 118, 146), (158, 180, 188))
_CREAM: Sequence[RgbColour] = ((196, 176, 138), (222, 206, 172), (236, 226, 200))
_FRECKLE: RgbColour = (242, 196, 140)
_SPOT: RgbColour = (112, 66, 48)

_PEBBLE_DENSITY = 1 / 900
"""Pebbles per square unit: about one where a thumb nail would fit, so that sand still shows."""


def fractal_noise(
    rng: np.random.Generator, size: tuple[int, int], *, coarsest: float, octaves: int
) -> NDArray[np.float32]:
    """Sum random fields, each half as large in grain and half as strong as the one before.

    Args:
        rng: source of the randomness.
        size: (width, height) in pixels.
        coarsest: grain of the first field in pixels.
        octaves: number of fields; grains below one pixel are left out.

    Returns:
        (height, width) float32 in [0, 1], both ends reached.
    """
    width, height = size
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        grain = coarsest / 2**octave
        # Finer than pixels, noise would only become grey.
        if grain < 1 and octave:
            break
        cells = (max(2, round(height / grain) + 2), max(2, round(width / grain) + 2))
        field = rng.standard_normal(cells, dtype=np.float32)
        # Cubic: linear interpolation shows the cells as creases.
        total += cv2.resize(field, size, interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / np.float32(max(high - low, 1e-6))


def gradient(values: NDArray[np.float32], colours: Sequence[RgbColour]) -> Image:
    """Map values in [0, 1] to colours, blending evenly from the first to the last.

    Args:
        values: (H, W) float32.
        colours: at least two RGB colours.

    Returns:
        (H, W, 3) uint8.
    """
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(values, stops, channel) for channel in zip(*colours, strict=True)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def sea_bed(rng: np.random.Generator, size: tuple[int, int], unit: float) -> Image:
    """Paint sand with pebbles.

    Args:
        rng: source of the randomness.
        size: (width, height) in pixels.
        unit: pixels per scene unit.

    Returns:
        (height, width, 3) uint8.
    """
    dunes = fractal_noise(rng, size, coarsest=110 * unit, octaves=7)
    image = gradient(dunes, _SAND)
    count = round(size[0] * size[1] / unit**2 * _PEBBLE_DENSITY)
    for _ in range(count):
        _pebble(rng, image, unit)
    # Over sand and pebbles alike: without texture at this scale flow would have nothing to hold on
    # to.
    grain = fractal_noise(rng, size, coarsest=3 * unit, octaves=3)[..., None]
    return np.clip(image * (0.84 + 0.32 * grain), 0, 255).astype(np.uint8)


def _pebble(rng: np.random.Generator, image: Image, unit: float) -> None:
    height, width = image.shape[:2]
    # Many small ones and few large ones, as on a beach.
    radius = unit * min(3 + rng.exponential(3.2), 17)
    axes = np.array([radius, radius * rng.uniform(0.55, 0.95)])
    centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    turn = float(rng.uniform(0, 180))
    base = np.array(_PEBBLES[int(rng.integers(len(_PEBBLES)))]) * rng.uniform(0.85, 1.12)
    # Dark side, body, and a small light top: lit from the upper left like everything here.
    for shift, share, tone in ((0.22, 1.0, 0.6), (0.0, 1.0, 1.0), (-0.22, 0.55, 1.16)):
        colour = tuple(float(value) for value in np.clip(base * tone, 0, 255))
        _fill_ellipse(image, centre + shift * axes.min(), axes * share, turn, colour)


def _fill_ellipse(
    image: Image,
    centre: NDArray[np.float64],
    axes: NDArray[np.float64],
    turn: float,
    colour: tuple[float, ...],
) -> None:
    # OpenCV takes fixed-point coordinates: 4 bits are a sixteenth of a pixel.
    bits = 4
    x, y = (round(value * 2**bits) for value in centre)
    a, b = (max(1, round(value * 2**bits)) for value in axes)
    cv2.ellipse(image, (x, y), (a, b), turn, 0, 360, colour, cv2.FILLED, cv2.LINE_AA, bits)


def starfish_skin(rng: np.random.Generator, side: int, unit: float) -> Image:
    """Paint orange skin with pale freckles; (side, side, 3) uint8."""
    image = gradient(fractal_noise(rng, (side, side), coarsest=34 * unit, octaves=6), _ORANGE)
    _dots(rng, image, _FRECKLE, spacing=9 * unit, radii=(1.0 * unit, 2.3 * unit))
    return image


def striped_stone(rng: np.random.Generator, side: int, unit: float) -> Image:
    """Paint a blue stone with uneven light veins; (side, side, 3) uint8."""
    warp = fractal_noise(rng, (side, side), coarsest=40 * unit, octaves=4)
    along = np.linspace(0, side / unit, side, dtype=np.float32)[None, :]
    # A vein every 21 units; the noise bends them by up to two veins.
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (along / 21 + 2 * warp))
    mottle = fractal_noise(rng, (side, side), coarsest=18 * unit, octaves=5)
    return gradient((0.55 * wave**2 + 0.45 * mottle).astype(np.float32), _BLUE)


def spotted_shell(rng: np.random.Generator, side: int, unit: float) -> Image:
    """Paint a cream shell with brown spots; (side, side, 3) uint8."""
    image = gradient(fractal_noise(rng, (side, side), coarsest=30 * unit, octaves=5), _CREAM)
    _dots(rng, image, _SPOT, spacing=14 * unit, radii=(2.5 * unit, 5.0 * unit))
    return image


def _dots(
    rng: np.random.Generator,
    image: Image,
    colour: RgbColour,
    *,
    spacing: float,
    radii: tuple[float, float],
) -> None:
    """Set one dot in each cell of a grid, shaken so that no row shows."""
    side = image.shape[0]
    for row in np.arange(spacing / 2, side, spacing):
        for column in np.arange(spacing / 2, side, spacing):
            centre = np.array([column, row]) + rng.uniform(-0.35, 0.35, 2) * spacing
            radius = rng.uniform(*radii)
            axes = np.array([radius, radius * rng.uniform(0.7, 1.0)])
            _fill_ellipse(image, centre, axes, float(rng.uniform(0, 180)), colour)
