"""CoTracker 1: full attention among the points of a window.

Written from the paper (Karaev et al., "CoTracker: It is Better to Track Together", 2023) and from
what facebookresearch/co-tracker computes at tag v1.0; names of weights are those of the released
checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rvsam_video.errors import UsageError
from rvsam_video.trackers.cotracker.attention import WIDTH, JointAttention, SelfBlock
from rvsam_video.trackers.cotracker.embeddings import place_embedding_at, time_embedding
from rvsam_video.trackers.cotracker.network import Levels, WindowInput
from rvsam_video.trackers.cotracker.pyramid import LEVELS
from rvsam_video.trackers.cotracker.vector_tracker import (
    TOKEN_WIDTH,
    UPDATE_WIDTH,
    VectorTracker,
)

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
        new &= ~window.carried[:, None] | (times >= self.step)
        logits = window.logits[..., 0].T
        return torch.cat([new.to(logits), logits]).reshape(*logits.shape, 2)

    def context(self, window: WindowInput, xy: Tensor) -> Tensor:
        """Return the embeddings of (N, 2) places in cells and of the frames."""
        height, width = window.levels[0].shape[2:]
        return place_embedding_at(xy, (height, width), TOKEN_WIDTH)[:, None] + self._time

    def updater(self, window: WindowInput) -> Callable[[Tensor], Tensor]:  # noqa: ARG002
        """Return the transformer; waiting points are not given to version 1."""
        return self.updateformer
