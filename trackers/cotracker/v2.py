"""CoTracker 2 and 2.1: attention among points through virtual tracks.

Written from the paper (Karaev et al., "CoTracker: It is Better to Track Together", 2023) and from
what facebookresearch/co-tracker computes at commit 82e02e8029753ad4ef13cf06be7f4fc5facdda4d; names
of weights are those of the released checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .attention import VirtualTrackTransformer
from .embeddings import place_embedding, time_embedding
from .maps import sample
from .network import WindowInput
from .v1 import (
    TOKEN_WIDTH,
    UPDATE_WIDTH,
    VectorTracker,
)

_STRIDE = 4


class CoTracker2(VectorTracker):
    """CoTracker 2, a `WindowNetwork`.

    Args:
        window: frames of a window: 8 for version 2, 16 for version 2.1.
        resolution: (height, width) in pixels that pictures are resized to; the embedding of
            places covers it. The released weights were trained with 384 x 512.
    """

    waiting_take_part = True
    aligned_corners = True
    zeros_outside = False
    feature_updater = "track_feat_updater"

    time_emb: Tensor
    pos_emb: Tensor

    def __init__(self, *, window: int = 8, resolution: tuple[int, int] = (384, 512)) -> None:
        super().__init__(stride=_STRIDE, window=window)
        height, width = (side // _STRIDE for side in resolution)
        self.register_buffer("time_emb", time_embedding(window, TOKEN_WIDTH)[None])
        self.register_buffer("pos_emb", place_embedding(height, width, TOKEN_WIDTH)[None])
        self.updateformer = VirtualTrackTransformer(TOKEN_WIDTH, UPDATE_WIDTH, depth=6)

    def known(self, window: WindowInput) -> Tensor:
        """Return the last two values of all tokens, (N, S, 2): whether the place is new, logit."""
        times = torch.arange(len(window.xy), device=window.xy.device)
        new = times >= window.query_frames[:, None]
        # For points that are new as well: the public code clears the whole overlap.
        if not window.first:
            new = new & (times >= self.step)
        logits = window.logits[..., 0].T
        return torch.stack([new.to(logits), logits], -1)

    def context(self, window: WindowInput, xy: Tensor) -> Tensor:  # noqa: ARG002
        """Return the embeddings of (N, 2) places in cells and of the frames."""
        # From the saved map, whatever the size of the pictures: the weights know no other.
        return sample(self.pos_emb[0], xy)[:, None] + self.time_emb[0]

    def updater(self, window: WindowInput) -> Callable[[Tensor], Tensor]:
        """Return the transformer, told which points have started by the end of the window."""
        # Without a mask where it would hide nobody: an added zero is not free.
        active = window.query_frames < len(window.xy)
        return partial(self.updateformer, active=None if bool(active.all()) else active)
