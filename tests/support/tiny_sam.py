"""The least that is a whole SAM: one convolution for an encoder, and weights made by rule."""

from __future__ import annotations

import deterministic_weights
from segment_anything.modeling import Sam
from torch import Tensor, nn

from rvsam_video.segmenters.sam.model import sam_around

_GAIN = 1.3


class PatchEncoder(nn.Module):
    """The least that can stand in for an image encoder: one convolution."""

    img_size = 1024

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, 256, 16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x)


def tiny_sam() -> Sam:
    """Return it with its weights."""
    sam = sam_around(PatchEncoder())
    deterministic_weights.fill(sam, gain=_GAIN)
    return sam
