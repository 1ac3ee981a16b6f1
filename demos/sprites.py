"""Sprites: an outline known exactly, a skin, and how far inside the outline each pixel lies.

An outline is a radius for every direction, so the line itself is known in closed form. A sprite
holds the signed distance to it, not a mask: a distance can be turned and scaled with almost no
loss, and gives smooth edges and an exact truth at any pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..frame import Image
from .textures import Texture

_DIRECTIONS = 1440
"""Samples of an outline, one each quarter degree: the chord error stays below 0.001 pixel."""

_RIM = 0.22
"""Depth, as a share of the radius, over which a sprite darkens towards its edge and looks round."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A closed line around the origin.

    Attributes:
        radii: (N,) float64, distance from the origin in evenly spaced directions; the first
            points along x, the next ones turn towards y.
    """

    radii: NDArray[np.float64]

    def radius(self, direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the radius in the given directions (radians, any shape)."""
        radii: NDArray[np.float64] = np.interp(direction, _angles(), self.radii, period=2 * np.pi)
        return radii

    def vertices(self) -> NDArray[np.float64]:
        """Return the line as a polygon, (N, 2) float64, x then y."""
        angles = _angles()
        return np.stack([self.radii * np.cos(angles), self.radii * np.sin(angles)], axis=-1)


def _angles() -> NDArray[np.float64]:
    return np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)


def star(rng: np.random.Generator) -> Outline:
    """Return a soft star with five uneven arms; the mean radius is about 0.73."""
    angles = _angles()
    arms = 0.73 + 0.25 * np.cos(5 * angles) + 0.02 * np.cos(10 * angles)
    return Outline(arms * _unevenness(rng, 0.04))


def rounded_polygon(rng: np.random.Generator, corners: int = 5) -> Outline:
    """Return a polygon with rounded corners; the radius to a corner is about 0.95."""
    sector = 2 * np.pi / corners
    within = np.mod(_angles(), sector) - sector / 2
    sharp = np.cos(sector / 2) / np.cos(within)
    # A mean over 16 degrees rounds the corners and leaves the sides nearly straight.
    window = np.hanning(16 * _DIRECTIONS // 360)
    # Three rounds, of which the middle one sees no ends.
    padded = np.concatenate([sharp, sharp, sharp])
    smooth = np.convolve(padded, window / window.sum(), mode="same")[_DIRECTIONS : 2 * _DIRECTIONS]
    return Outline(smooth * _unevenness(rng, 0.04))


def ellipse(_rng: np.random.Generator, aspect: float = 0.66) -> Outline:
    """Return an ellipse with half axes 1 and `aspect`."""
    angles = _angles()
    return Outline(aspect / np.hypot(aspect * np.cos(angles), np.sin(angles)))


def _unevenness(rng: np.random.Generator, amount: float) -> NDArray[np.float64]:
    """Return a factor around 1 for each direction, from slow waves: no two objects are alike."""
    waves = [
        np.cos(order * _angles() + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.3, 1.0)
        for order in (1, 2, 3)
    ]
    return np.asarray(1 + amount * sum(waves))


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """An object painted once, to be turned, scaled and moved.

    Attributes:
        outline: the exact line, with radius 1 as `radius` pixels.
        radius: pixels of the sprite per unit of the outline.
        colour: (S, S, 3) uint8 RGB, painted also outside the line.
        depth: (S, S) float32, pixels from the line: positive inside, zero on it. Exact to first
            order at the line, which is where it decides.
    """

    outline: Outline
    radius: float
    colour: Image
    depth: NDArray[np.float32]

    @property
    def centre(self) -> float:
        """Where the origin of the outline lies, the same in x and y, in pixels."""
        return (len(self.depth) - 1) / 2


def paint_sprite(
    rng: np.random.Generator, outline: Outline, texture: Texture, radius: float, unit: float
) -> Sprite:
    """Paint an object.

    Args:
        rng: source of the randomness.
        outline: its line.
        texture: its skin.
        radius: pixels per unit of the outline.
        unit: pixels per scene unit, for the grain of the skin.
    """
    margin = 3  # a pixel of smooth edge and one of interpolation on each side
    side = 2 * int(np.ceil(outline.radii.max() * radius + margin)) + 1
    depth = _depth(outline, radius, side)
    skin = texture(rng, side, unit)
    roundness = np.clip(depth / (_RIM * radius), 0, 1)
    shade = (0.62 + 0.38 * np.sqrt(roundness))[..., None]
    return Sprite(outline, radius, (skin * shade).astype(np.uint8), depth)


def _depth(outline: Outline, radius: float, side: int) -> NDArray[np.float32]:
    """Return the signed distance to the line: radial gap times the cosine of the line's slant."""
    offset = np.arange(side) - (side - 1) / 2
    x, y = np.meshgrid(offset, offset)
    directions = np.arctan2(y, x)
    edge = outline.radius(directions)
    step = 2 * np.pi / _DIRECTIONS
    # Around the circle: the last direction is the first one's neighbour.
    slopes = (np.roll(outline.radii, -1) - np.roll(outline.radii, 1)) / (2 * step)
    slant = Outline(slopes).radius(directions) / edge
    # Where the line slants away from the circle, the nearest point of it is closer than the radial
    # one.
    depth = (radius * edge - np.hypot(x, y)) / np.hypot(1, slant)
    return np.asarray(depth, np.float32)
