"""Where a point might be anywhere in a frame: the first guess, from all cells of the coarse map.

Names are those of the released weights, below `torch_cost_volume_track_mods` (google-deepmind/
tapnet, `tapnet/torch/tapir_model.py` at commit c2cbab8).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

_RADIUS = 5.0
"""Cells around the best one that the place is averaged over."""

_LEAST_WEIGHT = 1e-12


class FirstGuess(nn.Module):
    """Small convolutions over how like each cell is to a point."""

    def __init__(self) -> None:
        super().__init__()
        self.hid1 = nn.Conv2d(1, 16, 3, padding=1)
        self.hid2 = nn.Conv2d(16, 1, 3, padding=1)
        self.hid3 = nn.Conv2d(16, 32, 3, 2)
        self.hid4 = nn.Linear(32, 16)
        self.occ_out = nn.Linear(16, 2)

    def forward(self, grid: Tensor, queries: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Guess where points are in one frame.

        Args:
            grid: (h, w, 256), the coarse map.
            queries: (N, 256).
            temperature: factor of the heat map before its softmax.

        Returns:
            Places (N, 2) in cells, x then y, and logits (N, 2): hidden, and far off.
        """
        height, width, channels = grid.shape
        costs = (queries @ grid.reshape(-1, channels).t()).view(-1, 1, height, width)
        inner = torch.relu(self.hid1(costs))
        heat = self.hid2(inner)[:, 0]
        # Right and below only, as in the encoder.
        coarse = torch.relu(self.hid3(F.pad(inner, (0, 1, 0, 1))))
        logits = self.occ_out(torch.relu(self.hid4(coarse.mean((2, 3)))))
        return _mean_place(heat, temperature), logits


def _mean_place(heat: Tensor, temperature: float) -> Tensor:
    """Return the mean place (N, 2), in cells, around the best cell of (N, h, w) heat maps."""
    height, width = heat.shape[1:]
    chances = torch.softmax(heat.flatten(1) * temperature, 1)
    best = chances.argmax(1)
    x = torch.arange(width, device=heat.device).repeat(height)
    y = torch.arange(height, device=heat.device).repeat_interleave(width)
    apart = (x - (best % width)[:, None]).square() + (y - (best // width)[:, None]).square()
    weights = chances.masked_fill(apart >= _RADIUS**2, 0)
    centres = torch.stack([x, y], 1).to(heat.dtype) + 0.5
    return (weights @ centres) / weights.sum(1, keepdim=True).clamp_min(_LEAST_WEIGHT)
