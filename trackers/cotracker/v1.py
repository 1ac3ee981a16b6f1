"""CoTracker 1: full attention among the points of a window; and what version 2 shares with it.

Both refine a feature vector per point together with its place. Written from the paper (Karaev et
al., "CoTracker: It is Better to Track Together", 2023) and from what facebookresearch/co-tracker
computes at tag v1.0; names of weights are those of the released checkpoints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from ...errors import UsageError
from .attention import WIDTH, JointAttention, SelfBlock
from .correlation import CORRELATION_WIDTH, correlate
from .embeddings import (
    MOTION_WIDTH,
    motion_embedding,
    place_embedding_at,
    time_embedding,
)
from .encoder import FEATURE_WIDTH, FeatureEncoder
from .maps import LEVELS, feature_pyramid, sample
from .network import Levels, WindowInput, WindowOutput

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

    # A point starts as visible: sigmoid(10) is 0.99995.
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
        # A group norm of one group in the public code: the same sums, under the same names.
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
        # Once a window, from where a point starts: the embedding does not move with the place.
        context = self.context(window, xy[:, 0])
        update_of, turned = self.updater(window), getattr(self, self.feature_updater)
        for _ in range(iterations):
            correlation = correlate(window.levels, features, xy, zeros=self.zeros_outside)
            # Relative to the first frame's place as it is now; that moves, too.
            motion = motion_embedding(xy - xy[:, :1])
            # (N, S, 130 + 196 + 128 + 2): the order of the weights.
            tokens = torch.cat([motion, correlation, features, known], -1) + context
            update = update_of(tokens).float()
            # The exact GELU, unlike in the transformer.
            features = features + F.gelu(turned(self.norm(update[..., 2:])))
            xy = xy + update[..., :2]
        # From the last features alone: the logits that came in are not added.
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


_DEPTH = 6


class FullTransformer(nn.Module):
    """Attention over the frames of each point and over the points of each frame, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.input_transform = nn.Linear(TOKEN_WIDTH, WIDTH)
        self.flow_head = nn.Linear(WIDTH, UPDATE_WIDTH)
        self.time_blocks = nn.ModuleList(SelfBlock(JointAttention()) for _ in range(_DEPTH))
        self.space_blocks = nn.ModuleList(SelfBlock(JointAttention()) for _ in range(_DEPTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn (N, S, TOKEN_WIDTH) tokens into (N, S, UPDATE_WIDTH) updates."""
        mixed = self.input_transform(tokens)
        for over_time, over_points in zip(self.time_blocks, self.space_blocks, strict=True):
            # (N, S, C) for time, (S, N, C) for points.
            mixed = over_points(over_time(mixed).transpose(0, 1)).transpose(0, 1)
        update: Tensor = self.flow_head(mixed)
        return update


class CoTracker1(VectorTracker):
    """CoTracker 1, a `WindowNetwork`.

    Args:
        stride: pixels per cell: 4, or 8 for the fastest of the three released networks.
        window: frames of a window: 8 or 12 with a stride of 4, 16 with one of 8.
    """

    waiting_take_part = False
    aligned_corners = False
    zeros_outside = True
    feature_updater = "ffeat_updater"

    _time: Tensor

    def __init__(self, *, stride: int = 4, window: int = 8) -> None:
        super().__init__(stride=stride, window=window)
        self.updateformer = FullTransformer()
        self.register_buffer("_time", time_embedding(window, TOKEN_WIDTH), persistent=False)

    def encode(self, images: Tensor) -> Levels:
        """Compute the feature pyramid of (n, 3, H, W) float pictures, RGB, 0 to 255.

        Raises:
            UsageError: if a level would have a single row or column, where the public code
                divides by zero.
        """
        height, width = images.shape[2:]
        least = self.stride * 2**LEVELS
        if min(height, width) < least:
            msg = (
                f"pictures of {width}x{height} pixels are too small for CoTracker 1 with a stride "
                f"of {self.stride}; give it pictures of at least {least}x{least}"
            )
            raise UsageError(msg)
        return super().encode(images)

    def known(self, window: WindowInput) -> Tensor:
        """Return the last two values of all tokens, (N, S, 2), as the weights were trained.

        They are meant to be, for each frame, whether the place is new and the visibility. The
        public code joins the two along the points instead, so that the first half of the points
        gets the former of two points each, and the second half the latter. Results depend on the
        order of the points through this alone.
        """
        times = torch.arange(len(window.xy), device=window.xy.device)
        new = (times >= window.query_frames[:, None]) & (times < window.frames)
        # A place is new in frames that no window has covered; padding is not.
        new &= ~window.carried[:, None] | (times >= self.step)
        logits = window.logits[..., 0].T
        # (2 N, S) to (N, S, 2): rows 2 n and 2 n + 1 end up side by side in point n.
        return torch.cat([new.to(logits), logits]).reshape(*logits.shape, 2)

    def context(self, window: WindowInput, xy: Tensor) -> Tensor:
        """Return the embeddings of (N, 2) places in cells and of the frames."""
        height, width = window.levels[0].shape[2:]
        return place_embedding_at(xy, (height, width), TOKEN_WIDTH)[:, None] + self._time

    def updater(self, window: WindowInput) -> Callable[[Tensor], Tensor]:  # noqa: ARG002
        """Return the transformer; waiting points are not given to version 1."""
        return self.updateformer
