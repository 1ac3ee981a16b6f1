"""The scene of the synthetic clip: painted once, then put together anew for every frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Image
from .cast import Actor, Swing
from .sprites import Sprite, paint_sprite
from .textures import sea_bed

SCENE_SIZE = (640, 360)
"""Size of the picture in scene units, in which the paths of the cast are given."""

_CAMERA_X = Swing(mean=0, reach=48, period=420, start=-105)
_CAMERA_Y = Swing(mean=0, reach=16, period=300, start=30)
"""The slow pan: at most 0.7 units a frame, as a hand that follows."""

_BRIGHTNESS = Swing(mean=1.0, reach=0.07, period=110)
"""A thin cloud that comes and goes."""

_SLOPE_X = Swing(mean=0, reach=0.09, period=170, start=40)
_SLOPE_Y = Swing(mean=0.04, reach=0.07, period=230)
"""How much brighter the right and the lower edge are than the middle."""

_SHADOW_OFFSET = (5.0, 7.0)
"""Shadow on what lies below, in scene units: the light comes from the upper left."""

_SHADOW_SOFTNESS = 9.0
"""Width of the shadow's edge, in scene units."""

_SHADOW_STRENGTH = 0.42
"""Share of the light that the shadow takes."""

_NOISE = 2.6
"""Standard deviation of the sensor noise, of 255: a phone indoors."""

_NOISE_MARGIN = 64
"""The noise is cut from a larger picture at one of 64 x 64 places, a new one for each frame."""

_FAR_OUTSIDE = -1e4
"""Depth where a sprite has no pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneLayer:
    """One object placed in a frame.

    Attributes:
        object_id: its value in the truth.
        corner: x, y of the upper left pixel of the part of the frame that is stored.
        depth: (h, w) float32, pixels of the frame inside the object's line; > 0 where the object
            covers more than half of the pixel.
        colour: (h, w, 3) uint8.
        shadow: (h, w) float32, depth as seen from where the shadow falls.
    """

    object_id: int
    corner: tuple[int, int]
    depth: NDArray[np.float32]
    colour: Image
    shadow: NDArray[np.float32]

    def cut(self, picture: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the view of a full frame that this layer covers."""
        x, y = self.corner
        height, width = self.depth.shape
        return picture[y : y + height, x : x + width]


class Scene:
    """The painted objects and their bed, for one size and one seed."""

    def __init__(self, cast: tuple[Actor, ...], size: tuple[int, int], seed: int) -> None:
        """Paint everything.

        Args:
            cast: the objects, back to front.
            size: (width, height) of the frames in pixels.
            seed: start of all randomness.
        """
        self._cast = cast
        self._size = size
        self._seed = seed
        # The smaller of the two: the scene fits whole, whatever the shape of the picture.
        self._unit = min(size[0] / SCENE_SIZE[0], size[1] / SCENE_SIZE[1])
        self._sprites = {actor.object_id: self._paint(actor) for actor in cast}
        # Twice the swing, and a pixel on each side to interpolate from.
        reach = [round(2 * swing.reach * self._unit) + 2 for swing in (_CAMERA_X, _CAMERA_Y)]
        bed_size = (size[0] + reach[0], size[1] + reach[1])
        # Generators of their own, by what they paint: another object does not change the bed.
        self._bed = sea_bed(np.random.default_rng([seed, 0]), bed_size, self._unit)
        noise_shape = (size[1] + _NOISE_MARGIN, size[0] + _NOISE_MARGIN, 3)
        noise_source = np.random.default_rng([seed, 0, 1])
        # Drawn once: a fresh field for every frame would take most of the time of rendering.
        self._noise = _NOISE * noise_source.standard_normal(noise_shape, dtype=np.float32)

    def image(self, index: int) -> Image:
        """Render a frame; (H, W, 3) uint8 RGB."""
        picture = self._view_of_bed(index)
        # Back to front; each darkens what lies below before it covers it.
        for actor in self._cast:
            layer = self._place(actor, index)
            if layer is not None:
                _paint_layer(picture, layer, self._unit)
        return self._expose(picture, index)

    def truth(self, index: int) -> NDArray[np.uint8]:
        """Return (H, W) uint8: id of the front-most object that covers over half of the pixel."""
        indices = np.zeros((self._size[1], self._size[0]), np.uint8)
        for actor in self._cast:
            layer = self._place(actor, index)
            if layer is not None:
                # Depth 0 is the line itself, so above it more than half of the pixel is covered.
                layer.cut(indices)[layer.depth > 0] = actor.object_id
        return indices

    def outline(self, actor: Actor, index: int) -> NDArray[np.float64]:
        """Return an object's line as a polygon in pixels of the frame, (N, 2) float64."""
        sprite = self._sprites[actor.object_id]
        line = sprite.outline.vertices() * sprite.radius + sprite.centre
        transform = self._transform(actor, index)
        return line @ transform[:, :2].T + transform[:, 2]

    def _paint(self, actor: Actor) -> Sprite:
        rng = np.random.default_rng([self._seed, actor.object_id])
        # As large as it ever gets, so that it is only ever made smaller.
        radius = actor.radius * self._unit * (actor.scale.mean + actor.scale.reach)
        return paint_sprite(rng, actor.outline(rng), actor.texture, radius, self._unit)

    def _zoom(self, actor: Actor, index: int) -> float:
        """Return pixels of the frame per pixel of the sprite."""
        sprite = self._sprites[actor.object_id]
        return actor.pose(index).scale * actor.radius * self._unit / sprite.radius

    def _transform(self, actor: Actor, index: int) -> NDArray[np.float64]:
        """Return the (2, 3) affine map from pixels of the sprite to pixels of the frame."""
        sprite, pose = self._sprites[actor.object_id], actor.pose(index)
        zoom = self._zoom(actor, index)
        cosine, sine = zoom * np.cos(pose.angle), zoom * np.sin(pose.angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        middle = (np.array(self._size) - 1) / 2
        from_middle = np.array([pose.x, pose.y]) - np.array(SCENE_SIZE) / 2
        place = middle + from_middle * self._unit
        shift = place - turn @ np.full(2, sprite.centre)
        return np.column_stack([turn, shift])

    def _place(self, actor: Actor, index: int) -> SceneLayer | None:
        """Turn, scale and move an object; None if no pixel of it is in the frame."""
        sprite, zoom = self._sprites[actor.object_id], self._zoom(actor, index)
        transform = self._transform(actor, index)
        middle = transform @ np.array([sprite.centre, sprite.centre, 1.0])
        offset = np.array(_SHADOW_OFFSET) * self._unit
        # A square that holds the object at any turn, and its shadow.
        reach = sprite.centre * zoom + max(offset) + _SHADOW_SOFTNESS * self._unit
        low = np.maximum(np.floor(middle - reach), 0).astype(int)
        high = np.minimum(np.ceil(middle + reach) + 1, self._size).astype(int)
        if np.any(high <= low):
            return None
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        local = transform - np.column_stack([np.zeros((2, 2)), low])
        fallen = local + np.column_stack([np.zeros((2, 2)), offset])
        return SceneLayer(
            object_id=actor.object_id,
            corner=(int(low[0]), int(low[1])),
            # Distances shrink with the picture; colours do not.
            depth=_warp_depth(sprite, local, size) * np.float32(zoom),
            colour=_warp_colour(sprite, local, size),
            shadow=_warp_depth(sprite, fallen, size) * np.float32(zoom),
        )

    def _view_of_bed(self, index: int) -> Image:
        """Return what the camera sees of the bed, to fractions of a pixel."""
        middle = (np.array(self._bed.shape[1::-1]) - 1) / 2
        pan = np.array([_CAMERA_X.at(index), _CAMERA_Y.at(index)]) * self._unit
        centre = (float(middle[0] + pan[0]), float(middle[1] + pan[1]))
        # Between pixels: whole steps would make a slow pan jerk.
        return np.asarray(cv2.getRectSubPix(self._bed, self._size, centre), np.uint8)

    def _expose(self, picture: Image, index: int) -> Image:
        """Apply the light of the moment and the noise of the sensor."""
        x = np.linspace(-1, 1, self._size[0], dtype=np.float32)
        y = np.linspace(-1, 1, self._size[1], dtype=np.float32)[:, None]
        light = _BRIGHTNESS.at(index) + _SLOPE_X.at(index) * x + _SLOPE_Y.at(index) * y
        lit = cv2.multiply(picture, cv2.merge([light] * 3), dtype=cv2.CV_32F)
        # By the number of the frame, so that any frame can be rendered by itself.
        rng = np.random.default_rng([self._seed, 0, 2, index])
        row, column = rng.integers(_NOISE_MARGIN, size=2)
        height, width = picture.shape[:2]
        noise = self._noise[row : row + height, column : column + width]
        # OpenCV rounds and saturates; NumPy's bytes would wrap around.
        return np.asarray(cv2.add(lit, noise, dtype=cv2.CV_8U), np.uint8)


def _warp_depth(
    sprite: Sprite, transform: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    depth = cv2.warpAffine(
        sprite.depth,
        transform,
        size,
        # Outside the sprite is outside the object; the colours instead go on, for the half-covered
        # rim.
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_FAR_OUTSIDE,
    )
    return np.asarray(depth, np.float32)


def _warp_colour(sprite: Sprite, transform: NDArray[np.float64], size: tuple[int, int]) -> Image:
    colour = cv2.warpAffine(sprite.colour, transform, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(colour, np.uint8)


def _paint_layer(picture: Image, layer: SceneLayer, unit: float) -> None:
    """Darken what lies in the object's shadow, then blend the object over it."""
    part = layer.cut(picture)
    softness = _SHADOW_SOFTNESS * unit
    # Half of the shadow's edge lies inside its line, half outside.
    shade = np.clip(layer.shadow / (2 * softness) + 0.5, 0, 1)
    # A pixel's share inside a straight line that runs this far from its centre.
    coverage = np.clip(layer.depth + 0.5, 0, 1)[..., None]
    below = part * (1 - _SHADOW_STRENGTH * shade)[..., None]
    part[...] = np.rint(below + coverage * (layer.colour - below)).astype(np.uint8)
