"""`SyntheticClip`: a short video drawn on the fly, with the exact truth for every pixel.

Three things lie on a sea bed under a slowly moving camera; they drift, turn, grow and pass in front
of one another, in changing light and with sensor noise. It needs no file and no download.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..frame import Frame
from ..prompts.prompt import Prompt
from .cast import FULL_OCCLUSION, PARTIAL_OCCLUSION, Actor
from .mp4 import write_mp4
from .scene import Scene

Occlusion = Literal["partial", "full"]

_CASTS: dict[str, tuple[Actor, ...]] = {"partial": PARTIAL_OCCLUSION, "full": FULL_OCCLUSION}

_CLICKS = {1: 1, 2: 1}
"""Objects that are clicked, and how often. The others get a box, so that both ways are seen."""

_SMALLEST_SIDE, _LARGEST_SIDE = 64, 4096
"""Below, the objects are a few pixels; above, the painted bed alone takes 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticClip:
    """A rendered video with three objects, ids 1 to 3, and their truth.

    Every frame depends on the settings and its own index alone: it can be rendered by itself, in
    any order, and nothing is kept from one frame to the next. Iterating yields the frames.

    Speeds are per frame, a few pixels at 640 x 360, whatever `fps` says. The starfish (1) passes
    in front of the stone (2) around frame 47, and in front of the shell (3) from frame 42 on.
    Longer clips go on with other crossings; the objects never leave the picture for good.

    Attributes:
        frames: length of the clip, at least 1.
        size: (width, height) in pixels, 64 to 4096 each. The scene is scaled to fit.
        fps: frames per second, for the times of the frames and the written file.
        seed: what the objects and the bed look like, and the noise; not how the objects move.
        occlusion: "partial": in the first 72 frames at least a third of every object is seen.
            "full": the shell is smaller, and vanishes behind the starfish from about frame 39 to
            53.

    Raises:
        UsageError: if a setting is out of its range.

    Example:
        >>> clip = SyntheticClip(frames=2)
        >>> [frame.index for frame in clip]
        [0, 1]
        >>> clip.truth(1).shape
        (360, 640)
    """

    frames: int = 72
    size: tuple[int, int] = (640, 360)
    fps: int = 24
    seed: int = 0
    occlusion: Occlusion = "partial"
    _scene: Scene = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the settings and paint the scene."""
        if self.occlusion not in get_args(Occlusion):
            msg = f"occlusion is {self.occlusion!r}; choose one of: {', '.join(_CASTS)}"
            raise UsageError(msg)
        for name, value, low, high in (
            ("frames", self.frames, 1, 10**9),
            ("width", self.size[0], _SMALLEST_SIDE, _LARGEST_SIDE),
            ("height", self.size[1], _SMALLEST_SIDE, _LARGEST_SIDE),
            ("fps", self.fps, 1, 1000),
            ("seed", self.seed, 0, 2**32 - 1),
        ):
            if not low <= value <= high:
                msg = f"{name} of a synthetic clip is {value}; allowed is {low} to {high}"
                raise UsageError(msg)
        # Painted once, here: the class is frozen, and frames share the sprites.
        scene = Scene(_CASTS[self.occlusion], self.size, self.seed)
        object.__setattr__(self, "_scene", scene)

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.frames

    def __iter__(self) -> Iterator[Frame]:
        """Render the frames one after another."""
        return (self.frame(index) for index in range(self.frames))

    def with_truth(self) -> Iterator[tuple[Frame, NDArray[np.uint8]]]:
        """Yield each frame together with its truth, see `frame` and `truth`."""
        return ((self.frame(index), self.truth(index)) for index in range(self.frames))

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The ids of the objects, rising."""
        return tuple(sorted(actor.object_id for actor in self._cast))

    def frame(self, index: int) -> Frame:
        """Render one frame.

        Raises:
            UsageError: if the clip has no such frame.
        """
        self._check_index(index)
        return Frame(index, index / self.fps, self._scene.image(index))

    def truth(self, index: int) -> NDArray[np.uint8]:
        """Return which object is seen where, in one frame.

        Returns:
            (height, width) uint8: 0 for the bed, else the id of the front-most object that covers
            more than half of the pixel. Shadows belong to what they fall on.

        Raises:
            UsageError: if the clip has no such frame.
        """
        self._check_index(index)
        return self._scene.truth(index)

    def outlines(self, index: int) -> dict[int, NDArray[np.float64]]:
        """Return the objects' complete lines, also where hidden, back to front.

        Returns:
            object id to a polygon, (N, 2) float64, x then y in pixels; pixel centres are whole
            numbers.

        Raises:
            UsageError: if the clip has no such frame.
        """
        self._check_index(index)
        return {actor.object_id: self._scene.outline(actor, index) for actor in self._cast}

    def first_mask(self) -> NDArray[np.uint8]:
        """Return the truth of frame 0, what semi-supervised methods start from."""
        return self.truth(0)

    def prompts(self) -> list[Prompt]:
        """Return what a user would say of each object in frame 0: a click, or a box."""
        first = self.first_mask()
        return [_prompt(object_id, first == object_id) for object_id in self.object_ids]

    def write(self, path: Path | str) -> None:
        """Write the clip as H.264 in an MP4 file, for programs that want a file.

        The file appears under its name only when it is complete. Compression changes the pixels
        a little; the truth stays as it is.

        Raises:
            UsageError: if a side of the clip is odd, which H.264 players do not take.
            OutputError: if the file cannot be written.
        """
        write_mp4(Path(path), iter(self), self.size, self.fps)

    @property
    def _cast(self) -> tuple[Actor, ...]:
        return _CASTS[self.occlusion]

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.frames:
            msg = f"frame {index} is not in the clip; it has frames 0 to {self.frames - 1}"
            raise UsageError(msg)


def _prompt(object_id: int, mask: NDArray[np.bool_]) -> Prompt:
    if object_id not in _CLICKS:
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        # Corners of prompts are pixels of the box themselves.
        corners = np.array([x, y, x + width - 1, y + height - 1], np.float32)
        return Prompt(object_id=object_id, box=corners)
    points = _deepest_points(mask, _CLICKS[object_id])
    return Prompt(object_id=object_id, points=points, labels=np.ones(len(points), np.int8))


def _deepest_points(mask: NDArray[np.bool_], count: int) -> NDArray[np.float32]:
    """Return the pixels farthest from the edge, (count, 2) x then y, as people click.

    After each, the largest disc around it that fits in the mask is used up.
    """
    # The border counts as an edge: nobody clicks on the rim of the picture.
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    points: list[tuple[int, int]] = []
    for _ in range(count):
        row, column = np.unravel_index(np.argmax(depth), depth.shape)
        points.append((int(column), int(row)))
        # So that the next point is far from this one, as a person would spread them.
        cv2.circle(depth, points[-1], round(float(depth[row, column])), 0, cv2.FILLED)
    return np.array(points, np.float32)
