"""CoTracker 3: all-pairs correlation of neighbourhoods, updates of place, visibility, confidence.

Written from the paper (Karaev et al., "CoTracker3: Simpler and Better Point Tracking by
Pseudo-Labelling Real Videos", 2024) and from what facebookresearch/co-tracker computes at commit
82e02e8029753ad4ef13cf06be7f4fc5facdda4d; names of weights are those of the released checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from .attention import VirtualTrackTransformer
from .correlation import (
    NEIGHBOURS,
    CellTable,
    supports,
    volumes,
)
from .embeddings import time_embedding
from .encoder import FeatureEncoder
from .fourier import (
    FOURIER_WIDTH,
    fit_time,
    motion_features,
    relative_motion,
)
from .maps import LEVELS, feature_pyramid
from .network import Levels, WindowInput, WindowOutput

VOLUME_WIDTH = 256
VOLUME_TOKEN_WIDTH = 2 + LEVELS * VOLUME_WIDTH + FOURIER_WIDTH


class CorrelationMlp(nn.Module):
    """Condenses the 2401 correlations of a level to 256 values."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(NEIGHBOURS**2, 384)
        self.fc2 = nn.Linear(384, VOLUME_WIDTH)

    def forward(self, volume: Tensor) -> Tensor:
        """Turn (..., 2401) into (..., 256)."""
        condensed: Tensor = self.fc2(F.gelu(self.fc1(volume)))
        return condensed


class CoTracker3(nn.Module):
    """CoTracker 3, a `WindowNetwork`.

    Args:
        window: frames that the weights were trained with: 16 for the released online ones, 60
            for the offline ones.
        whole: take a video of any length in one window, as the offline weights are meant to be
            used, instead of filling windows up.
        resolution: (height, width) in pixels that pictures are resized to: motion is measured in
            fractions of it. All released weights were trained with 384 x 512.
    """

    stride = 4
    logit_channels = 2
    # Neither visible nor hidden, where versions 1 and 2 start at 10.
    initial_logit = 0.0
    waiting_take_part = True
    aligned_corners = True

    time_emb: Tensor

    def __init__(
        self, *, window: int, whole: bool = False, resolution: tuple[int, int] = (384, 512)
    ) -> None:
        super().__init__()
        self.window = window
        self.step = window // 2
        self.pads = not whole
        self.register_buffer("time_emb", time_embedding(window, VOLUME_TOKEN_WIDTH)[None])
        self.fnet = FeatureEncoder()
        self.updateformer = VirtualTrackTransformer(
            VOLUME_TOKEN_WIDTH, outputs=2, depth=3, logits=2
        )
        self.corr_mlp = CorrelationMlp()
        height, width = resolution
        # Of the training resolution, not of the pictures at hand: the public code scales motion so.
        self._extent = (width / self.stride, height / self.stride)

    def encode(self, images: Tensor) -> Levels:
        """Compute the pyramid of (n, 3, H, W) pictures, 0 to 255, from features of length one."""
        features = self.fnet(images).float()
        # The floor belongs to the square, as in the public code, and not to the root.
        length = features.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()
        # Windows read the channels of a cell together, and read each frame many times.
        return feature_pyramid((features / length).contiguous(memory_format=torch.channels_last))

    def describe(self, levels: Levels, xy: Tensor) -> Tensor:
        """Return the neighbourhoods of (N, 2) places, in cells: (N, 4, 49, 128)."""
        return supports(levels, xy)

    def refine(self, window: WindowInput, iterations: int) -> WindowOutput:
        """Follow the points through one window."""
        tables = tuple(CellTable.of(level) for level in window.levels)
        time = fit_time(self.time_emb, len(window.xy))
        xy, logits = window.xy.transpose(0, 1), window.logits.transpose(0, 1)
        for _ in range(iterations):
            tokens = self._tokens(tables, window.features, xy, logits) + time
            update = self.updateformer(tokens).float()
            # Places in cells and raw logits: all four are corrected by adding, round after round.
            xy, logits = xy + update[..., :2], logits + update[..., 2:]
        return WindowOutput(xy.transpose(0, 1).contiguous(), logits.transpose(0, 1).contiguous())

    def _tokens(
        self, tables: tuple[CellTable, ...], features: Tensor, xy: Tensor, logits: Tensor
    ) -> Tensor:
        """Return what is known of N points in S frames, (N, S, 1110), without the time.

        Args:
            tables: the levels of the S frames.
            features: (N, 4, 49, 128) supports.
            xy: (N, S, 2) places in cells.
            logits: (N, S, 2).
        """
        found = [self.corr_mlp(part) for part in volumes(tables, features, xy)]
        correlation = torch.cat(found).flatten(2)
        motion = motion_features(relative_motion(xy, self._extent))
        # 2 + 4 * 256 + 84: the order of the weights. There is no embedding of places.
        return torch.cat((logits, correlation, motion), -1)
