"""The update transformer of CoTracker 2 and 3: attention over time, and over points in two hops.

Points do not attend to each other directly. 64 virtual tracks, which are learned, attend to the
points, then to each other, and the points attend to them: the work grows with the number of points
and not with its square (Karaev et al., "CoTracker", 2023, section 3.4; facebookresearch/co-tracker,
cotracker/models/core/cotracker/cotracker.py). Child names are those of the released checkpoints.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rvsam_video.trackers.cotracker.attention import (
    WIDTH,
    CrossBlock,
    SelfBlock,
    SplitAttention,
)

TRACKS = 64


class VirtualTrackTransformer(nn.Module):
    """Turns the tokens of all points and frames into updates.

    Args:
        inputs: width of a token.
        outputs: values that `flow_head` gives for each token.
        depth: blocks over time; as many of each kind over points.
        logits: values of `vis_conf_head`, which follow those of `flow_head`; 0 for none.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, logits: int = 0) -> None:
        super().__init__()
        self.virual_tracks = nn.Parameter(torch.randn(1, TRACKS, 1, WIDTH))  # sic
        self.input_transform = nn.Linear(inputs, WIDTH)
        self.flow_head = nn.Linear(WIDTH, outputs)
        self.vis_conf_head = nn.Linear(WIDTH, logits) if logits else None
        self.time_blocks = nn.ModuleList(SelfBlock(SplitAttention()) for _ in range(depth))
        self.space_virtual_blocks = nn.ModuleList(SelfBlock(SplitAttention()) for _ in range(depth))
        self.space_point2virtual_blocks = nn.ModuleList(CrossBlock() for _ in range(depth))
        self.space_virtual2point_blocks = nn.ModuleList(CrossBlock() for _ in range(depth))

    def forward(self, tokens: Tensor, active: Tensor | None = None) -> Tensor:
        """Update.

        Args:
            tokens: (N, S, inputs).
            active: (N,) bool, points that the others may attend to, or None for all.

        Returns:
            (N, S, outputs + logits).
        """
        points = self.input_transform(tokens)
        # All frames start from the same virtual tracks, so attention over time leaves them alike:
        # the first block over time needs to see one frame of them only.
        virtual = self.virual_tracks[0]
        gathering, scattering = _biases(active, points.dtype)
        for index, over_time in enumerate(self.time_blocks):
            points = over_time(points).transpose(0, 1)
            virtual = over_time(virtual).expand(-1, len(points), -1).transpose(0, 1)
            virtual = self.space_virtual2point_blocks[index](virtual, points, gathering)
            virtual = self.space_virtual_blocks[index](virtual)
            points = self.space_point2virtual_blocks[index](points, virtual, scattering)
            points, virtual = points.transpose(0, 1), virtual.transpose(0, 1)
        updates: Tensor = self.flow_head(points)
        if self.vis_conf_head is None:
            return updates
        return torch.cat((updates, self.vis_conf_head(points)), -1)


def _biases(active: Tensor | None, dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
    """Return what to add to the scores of virtual tracks on points, and of points on them.

    A finite minimum instead of minus infinity: where all scores of a row get it, attention is
    uniform, as in the public code, and never NaN.

    The public code takes a mask for one of rows if it is as long as there are queries. So the
    mask has its intended effect (points that wait are not attended to) unless there are exactly
    64 points: then virtual track j attends to all points alike if point j waits, and to
    every point as it likes otherwise. Points that wait attend to the virtual tracks alike.
    """
    if active is None:
        return None, None
    bias = torch.zeros(len(active), dtype=dtype, device=active.device)
    bias.masked_fill_(~active, torch.finfo(dtype).min)
    rows = bias[:, None]
    return rows if len(active) == TRACKS else bias[None], rows
