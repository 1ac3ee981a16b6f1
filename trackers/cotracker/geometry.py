"""Places between the frames of a video and the pictures a network sees, and regular grids of them.

Regular grids of points: to be tracked for themselves, or to steady the points of a user.

Points influence each other in CoTracker, and it was trained on pictures full of them; a few
support points spread over the picture make a handful of query points track better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ...frame import Image

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Geometry:
    """The two sizes, and the convention that joins them.

    Version 1 resizes by half-pixel centres and scales places by the plain ratio, although the
    two differ by up to half a pixel; it was trained so. Versions 2 and 3 put the centres of the
    corner pixels onto each other and scale by (w - 1) / (W - 1).

    Attributes:
        frame_size: (width, height) of the video's frames in pixels.
        network_size: (width, height) of the pictures that the network sees.
        aligned_corners: the convention of versions 2 and 3.
    """

    frame_size: Size
    network_size: Size
    aligned_corners: bool

    def picture(self, image: Image, device: torch.device | str = "cpu") -> Tensor:
        """Return the (1, 3, h, w) float32 picture, 0 to 255, that the network sees of a frame."""
        # A copy: decoders may hand out memory that must not be written to.
        pixels = torch.tensor(np.ascontiguousarray(image)).to(device)
        picture = pixels.permute(2, 0, 1)[None].float()
        if self.frame_size == self.network_size:
            return picture.contiguous()
        width, height = self.network_size
        return F.interpolate(
            picture, (height, width), mode="bilinear", align_corners=self.aligned_corners
        )

    def to_network(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (..., 2) places in frame pixels into network pixels."""
        return np.asarray(xy, np.float32) * self._scale(self.frame_size, self.network_size)

    def to_frame(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (..., 2) places in network pixels into frame pixels."""
        return np.asarray(xy, np.float32) * self._scale(self.network_size, self.frame_size)

    def _scale(self, source: Size, target: Size) -> NDArray[np.float32]:
        less = 1 if self.aligned_corners else 0
        ratio = [(new - less) / max(old - less, 1) for old, new in zip(source, target, strict=True)]
        return np.array(ratio, np.float32)


def regular_grid(
    count: int, size: tuple[int, int], *, whole_margin: bool = False
) -> NDArray[np.float32]:
    """Return (count * count, 2) places, x then y, row by row, evenly spread over a picture.

    Args:
        count: points on each side; 1 gives the centre of the picture, 0 none.
        size: (width, height) of the picture in pixels.
        whole_margin: round the margin, a 64th of the width on all four sides, down to whole
            pixels, as version 1 does.
    """
    width, height = size
    if count == 1:
        return np.array([[width / 2, height / 2]], np.float32)
    margin = width // 64 if whole_margin else width / 64
    x = np.linspace(margin, width - margin, count)
    y = np.linspace(margin, height - margin, count)
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SupportGrid:
    """When support points are added to a group of query points.

    Attributes:
        count: points on each side of the grid.
        every: frames from one grid to the next; None adds a single grid in the first frame.
        keep: grids that stay; the oldest goes when one more comes. None keeps all, so that time
            and memory grow with the length of the video.
    """

    count: int
    every: int | None = None
    keep: int | None = None

    def due(self, age: int) -> bool:
        """Say whether a grid belongs to the frame that comes `age` frames after the first."""
        return age == 0 if self.every is None else age % self.every == 0


def points_on_mask(
    xy: NDArray[np.float32], mask: NDArray[np.bool_], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Say which points lie on a mask.

    Args:
        xy: (N, 2) places in a picture of `size`.
        mask: (H, W) bool, resized to it by taking the pixel at the scaled corner, as PyTorch's
            nearest neighbour does.
        size: (width, height) in pixels.
    """
    width, height = size
    x, y = np.round(xy).astype(np.int64).T
    rows = np.floor(y * np.float32(mask.shape[0] / height)).astype(np.int64)
    columns = np.floor(x * np.float32(mask.shape[1] / width)).astype(np.int64)
    return np.asarray(mask[rows, columns], np.bool_)
