"""How pictures and places go between the frames of a video and the pictures a network sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from ...frame import Image

PictureSize = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FrameGeometry:
    """The two sizes, and the convention that joins them.

    Version 1 resizes by half-pixel centres and scales places by the plain ratio, although the
    two differ by up to half a pixel; it was trained so. Versions 2 and 3 put the centres of the
    corner pixels onto each other and scale by (w - 1) / (W - 1).

    Attributes:
        frame_size: (width, height) of the video's frames in pixels.
        network_size: (width, height) of the pictures that the network sees.
        aligned_corners: the convention of versions 2 and 3.
    """

    frame_size: PictureSize
    network_size: PictureSize
    aligned_corners: bool

    def picture(self, image: Image, device: torch.device | str = "cpu") -> Tensor:
        """Return the (1, 3, h, w) float32 picture, 0 to 255, that the network sees of a frame."""
        # A copy: decoders may hand out memory that must not be written to.
        pixels = torch.tensor(np.ascontiguousarray(image)).to(device)
        picture = pixels.permute(2, 0, 1)[None].float()
        if self.frame_size == self.network_size:
            return picture.contiguous()
        width, height = self.network_size
        # Neither antialiased nor rounded to whole values: the public predictors do neither.
        return F.interpolate(
            picture, (height, width), mode="bilinear", align_corners=self.aligned_corners
        )

    def to_network(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (..., 2) places in frame pixels into network pixels."""
        return np.asarray(xy, np.float32) * self._scale(self.frame_size, self.network_size)

    def to_frame(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (..., 2) places in network pixels into frame pixels."""
        return np.asarray(xy, np.float32) * self._scale(self.network_size, self.frame_size)

    def _scale(self, source: PictureSize, target: PictureSize) -> NDArray[np.float32]:
        less = 1 if self.aligned_corners else 0
        # A picture one pixel wide has no distance between corners to divide by.
        ratio = [(new - less) / max(old - less, 1) for old, new in zip(source, target, strict=True)]
        return np.array(ratio, np.float32)
