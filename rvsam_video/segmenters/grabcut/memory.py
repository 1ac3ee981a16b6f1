"""`ObjectMemory`: all that is remembered of one object from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.base import Memory
from rvsam_video.segmenters.grabcut.colours import ColourModel
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.local_colours import LocalColours
from rvsam_video.segmenters.grabcut.motion import Grey
from rvsam_video.segmenters.grabcut.pose import Pose
from rvsam_video.segmenters.grabcut.texture import TextureModel

FAR = -50.0
"""Signed distance taken for places beyond a shape's crop: off the object, and far from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """An object's outline in one frame.

    Attributes:
        crop: the crop that the object was cut in.
        signed: (height, width) float32 over the crop, pixels of the picture to the object's
            boundary, above 0 inside.
        pose: where the object was then.
    """

    crop: Crop
    signed: Map
    pose: Pose

    @property
    def fullness(self) -> float:
        """Share of the object that is seen."""
        area = float((self.signed > 0).sum()) / self.crop.scale**2
        return area / self.pose.size**2

    def box_at(self, pose: Pose) -> NDArray[np.float64]:
        """Return (4,) x0, y0, x1, y1 around the outline when the object is so."""
        x, y = self.crop.grid()
        inside = self.signed > 0
        if not inside.any():
            return pose.box(0.5)
        corners = [x[inside].min(), y[inside].min(), x[inside].max(), y[inside].max()]
        # Only shift and size: a pose has no rotation, the flow carries that.
        offsets = np.array(corners, np.float64) - np.tile([self.pose.x, self.pose.y], 2)
        box = np.tile([pose.x, pose.y], 2) + offsets * (pose.size / self.pose.size)
        return np.asarray(box, np.float64)

    def at(self, pose: Pose, grid: tuple[Map, Map]) -> Map:
        """Return the signed distance at places x, y of a picture in which the object is so."""
        factor = np.float32(self.pose.size / pose.size)
        # Distances grow with the object.
        return self.crop.sample(self.signed, *self.places(pose, grid), FAR) / factor

    def places(self, pose: Pose, grid: tuple[Map, Map]) -> tuple[Map, Map]:
        """Return where x, y of a picture in which the object is so lie in the outline's frame."""
        factor = np.float32(self.pose.size / pose.size)
        return (
            (grid[0] - np.float32(pose.x)) * factor + np.float32(self.pose.x),
            (grid[1] - np.float32(pose.y)) * factor + np.float32(self.pose.y),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMemory:
    """What one frame leaves for the next.

    Attributes:
        grey: (h, w) uint8, the frame's reduced brightness, to measure motion from.
        pose: where the object is taken to be.
        last: its outline when it was last seen.
        full: its outline when all of it was last seen.
        given: its outline in the frame of the user's prompt.
        given_grey: (h, w) uint8, brightness of that outline's crop.
        anchor: colours in the frame of the user's prompt.
        recent: colours lately.
        near: colours by place in the picture, in the last frame.
        parts: colours by place on the object, over many frames.
        texture: textures in the frame of the user's prompt.
        recent_texture: textures lately.
        typical: how well the object matched its own colours when it was prompted.
        lost: frames since it was last seen; 0 if seen.
        point_ids: (N,) int64, the points of the last frame, by which new ones are known.
    """

    grey: Grey
    pose: Pose
    last: Shape
    full: Shape
    given: Shape
    given_grey: Grey
    anchor: ColourModel
    recent: ColourModel
    near: LocalColours
    parts: LocalColours
    texture: TextureModel
    recent_texture: TextureModel
    typical: float
    lost: int
    point_ids: NDArray[np.int64]

    def arrays(self) -> Memory:
        """Return the memory as plain arrays."""
        return {
            "grey": self.grey,
            "pose": self.pose.array(),
            **_shape_arrays("last", self.last),
            **_shape_arrays("full", self.full),
            **_shape_arrays("given", self.given),
            "given_grey": self.given_grey,
            "anchor": np.stack([self.anchor.on, self.anchor.off]),
            "recent": np.stack([self.recent.on, self.recent.off]),
            "near": self.near.counts,
            "parts": self.parts.counts,
            "texture": self.texture.moments,
            "recent_texture": self.recent_texture.moments,
            "typical": np.array(self.typical),
            "lost": np.array(self.lost),
            "point_ids": self.point_ids,
        }

    @classmethod
    def from_arrays(cls, arrays: Memory) -> ObjectMemory:
        """Rebuild a memory from what `arrays` returned."""
        return cls(
            grey=np.asarray(arrays["grey"], np.uint8),
            pose=_pose(arrays["pose"]),
            last=_shape("last", arrays),
            full=_shape("full", arrays),
            given=_shape("given", arrays),
            given_grey=np.asarray(arrays["given_grey"], np.uint8),
            # On, then off the object, as stacked above.
            anchor=ColourModel(*np.asarray(arrays["anchor"], np.float32)),
            recent=ColourModel(*np.asarray(arrays["recent"], np.float32)),
            near=LocalColours(np.asarray(arrays["near"], np.float32)),
            parts=LocalColours(np.asarray(arrays["parts"], np.float32)),
            texture=TextureModel(np.asarray(arrays["texture"], np.float32)),
            recent_texture=TextureModel(np.asarray(arrays["recent_texture"], np.float32)),
            typical=float(arrays["typical"]),
            lost=int(arrays["lost"]),
            point_ids=np.asarray(arrays["point_ids"], np.int64),
        )


def _shape_arrays(name: str, shape: Shape) -> dict[str, NDArray[np.generic]]:
    return {
        f"{name}_crop": shape.crop.array(),
        f"{name}_signed": shape.signed,
        f"{name}_pose": shape.pose.array(),
    }


def _shape(name: str, arrays: Memory) -> Shape:
    crop = Crop(*(int(side) for side in arrays[f"{name}_crop"]))
    signed = np.asarray(arrays[f"{name}_signed"], np.float32)
    return Shape(crop, signed, _pose(arrays[f"{name}_pose"]))


def _pose(values: NDArray[np.generic]) -> Pose:
    return Pose(*(float(value) for value in values))
