"""What CoTracker 1 and 2 have in common: a feature vector per point that is refined with its place.

Follows Karaev et al., "CoTracker: It is Better to Track Together" (2023), and what
facebookresearch/co-tracker computes; names of weights are those of the released checkpoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.trackers.cotracker.correlation import CORRELATION_WIDTH, correlate
from rvsam_video.trackers.cotracker.embeddings import MOTION_WIDTH, motion_embedding
from rvsam_video.trackers.cotracker.encoder import FEATURE_WIDTH, FeatureEncoder
from rvsam_video.trackers.cotracker.network import Levels, WindowInput, WindowOutput
from rvsam_video.trackers.cotracker.pyramid import feature_pyramid
from rvsam_video.trackers.cotracker.sampling import sample

TOKEN_WIDTH = MOTION_WIDTH + CORRELATION_WIDTH + FEATURE_WIDTH + 2

UPDATE_WIDTH = 2 + FEATURE_WIDTH
"""Values of an update: the step in cells, x then y, and the change of the feature vector."""


class VectorTracker(nn.Module, ABC):
    """A `WindowNetwork` whose updates move a place and turn a feature vector.

    Args:
        stride: pixels of the picture per cell.
        window: frames of a window.

    Attributes:
        zeros_outside: cells outside a map count as zeros in correlations; otherwise as the
            nearest inside.
        feature_updater: name of the linear layer that changes of feature vectors go through.
    """

    logit_channels = 1
    initial_logit = 10.0
    pads = True
    zeros_outside: bool
    feature_updater: str

    def __init__(self, *, stride: int, window: int) -> None:
        super().__init__()
        self.stride = stride
        self.window = window
        self.step = window // 2
        self.fnet = FeatureEncoder(stride)
        self.norm = nn.LayerNorm(FEATURE_WIDTH)
        linear = nn.Linear(FEATURE_WIDTH, FEATURE_WIDTH)
        setattr(self, self.feature_updater, nn.Sequential(linear))
        self.vis_predictor = nn.Sequential(nn.Linear(FEATURE_WIDTH, 1))

    def encode(self, images: Tensor) -> Levels:
        """Compute the feature pyramid of (n, 3, H, W) float pictures, RGB, 0 to 255."""
        return feature_pyramid(self.fnet(images).float())

    def describe(self, levels: Levels, xy: Tensor) -> Tensor:
        """Return the (N, 128) feature vectors at (N, 2) places, in cells, of one frame."""
        return sample(levels[0][0], xy)

    def refine(self, window: WindowInput, iterations: int) -> WindowOutput:
        """Follow the points through one window."""
        xy = window.xy.transpose(0, 1)
        features = window.features[:, None].expand(-1, len(window.xy), -1)
        known = self.known(window)
        context = self.context(window, xy[:, 0])
        update_of, turned = self.updater(window), getattr(self, self.feature_updater)
        for _ in range(iterations):
            correlation = correlate(window.levels, features, xy, zeros=self.zeros_outside)
            motion = motion_embedding(xy - xy[:, :1])
            tokens = torch.cat([motion, correlation, features, known], -1) + context
            update = update_of(tokens).float()
            features = features + F.gelu(turned(self.norm(update[..., 2:])))
            xy = xy + update[..., :2]
        logits = self.vis_predictor(features)
        return WindowOutput(xy.transpose(0, 1).contiguous(), logits.transpose(0, 1).contiguous())

    @abstractmethod
    def known(self, window: WindowInput) -> Tensor:
        """Return the last two values of all tokens, (N, S, 2): what is known and was seen."""

    @abstractmethod
    def context(self, window: WindowInput, xy: Tensor) -> Tensor:
        """Return what is added to the tokens of points that start at (N, 2) cells.

        Returns:
            (N, S, TOKEN_WIDTH), the embeddings of these places and of the frames.
        """

    @abstractmethod
    def updater(self, window: WindowInput) -> Callable[[Tensor], Tensor]:
        """Return what turns (N, S, TOKEN_WIDTH) tokens into (N, S, UPDATE_WIDTH) updates."""
