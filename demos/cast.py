"""The cast of the synthetic clip: who plays, how large, and where each one is in every frame.

All motion is a sum of slow swings given by the number of the frame alone. Any frame can therefore
be rendered by itself, and a clip of any length stays inside the picture.

Lengths are in scene units: the picture is 640 x 360 of them (see `synthetic.SyntheticClip`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import sprites, textures


@dataclass(frozen=True, slots=True)
class Swing:
    """A value that swings around a mean.

    Attributes:
        mean: the middle.
        reach: largest distance from it.
        period: frames from one end back to the same end.
        start: frames by which frame 0 lies after the value's rise through the mean.
    """

    mean: float
    reach: float = 0.0
    period: float = 1.0
    start: float = 0.0

    def at(self, index: float) -> float:
        """Return the value in a frame."""
        return self.mean + self.reach * math.sin(2 * math.pi * (index + self.start) / self.period)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an object is.

    Attributes:
        x: its centre, in scene units from the left edge.
        y: its centre, in scene units from the upper edge.
        angle: turn in radians, from x towards y.
        scale: size as a factor.
    """

    x: float
    y: float
    angle: float
    scale: float


@dataclass(frozen=True, slots=True)
class Actor:
    """One object of the scene.

    Attributes:
        object_id: its value in the truth.
        outline: makes its line.
        texture: paints its skin.
        radius: size in scene units.
        x: path of its centre.
        y: path of its centre.
        angle: its turning, in radians.
        scale: its growing and shrinking, as a factor.
    """

    object_id: int
    outline: Callable[[np.random.Generator], sprites.Outline]
    texture: textures.Texture
    radius: float
    x: Swing
    y: Swing
    angle: Swing
    scale: Swing

    def pose(self, index: int) -> Placement:
        """Return where the object is in a frame."""
        return Placement(
            self.x.at(index), self.y.at(index), self.angle.at(index), self.scale.at(index)
        )


# Periods that have no small common multiple: in a long clip no two passings are alike.
STARFISH = Actor(
    object_id=1,
    outline=sprites.star,
    texture=textures.starfish_skin,
    radius=82,
    x=Swing(mean=322, reach=150, period=170, start=-42.5),
    y=Swing(mean=188, reach=26, period=120, start=20),
    angle=Swing(mean=0.3, reach=1.3, period=210, start=-40),
    scale=Swing(mean=1.0, reach=0.12, period=130, start=-25),
)

STONE = Actor(
    object_id=2,
    outline=sprites.rounded_polygon,
    texture=textures.striped_stone,
    radius=70,
    x=Swing(mean=340, reach=130, period=190, start=47.5),
    y=Swing(mean=112, reach=22, period=150, start=-10),
    angle=Swing(mean=0.0, reach=0.9, period=240, start=10),
    scale=Swing(mean=0.98, reach=0.14, period=160, start=40),
)

SHELL = Actor(
    object_id=3,
    outline=sprites.ellipse,
    texture=textures.spotted_shell,
    radius=58,
    x=Swing(mean=420, reach=100, period=200, start=-45),
    y=Swing(mean=272, reach=26, period=170, start=50),
    angle=Swing(mean=-0.4, reach=0.8, period=180, start=-30),
    scale=Swing(mean=1.0, reach=0.1, period=140, start=0),
)

# Under the id of the shell it stands for, and slower, so that it stays behind the starfish.
SMALL_SHELL = Actor(
    object_id=3,
    outline=sprites.ellipse,
    texture=textures.spotted_shell,
    radius=27,
    x=Swing(mean=336, reach=60, period=230, start=-46),
    y=Swing(mean=182, reach=14, period=220, start=100),
    angle=Swing(mean=-0.4, reach=0.8, period=180, start=-30),
    scale=Swing(mean=1.0, reach=0.1, period=140, start=0),
)

PARTIAL_OCCLUSION = (SHELL, STONE, STARFISH)
"""Back to front: the starfish passes in front of the stone, later in front of the shell."""

FULL_OCCLUSION = (SMALL_SHELL, STONE, STARFISH)
"""The same with a smaller shell that vanishes behind the starfish for some frames."""
