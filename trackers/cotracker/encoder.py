"""The convolutional feature encoder, one network in all CoTracker versions.

It is the encoder of PIPs (Harley et al., "Particle Video Revisited", 2022), a small residual
network with instance norm that joins four resolutions; names are those of the released weights
(facebookresearch/co-tracker, cotracker/models/core/cotracker/blocks.py, `BasicEncoder`).

Three things make it fast on a processor without changing what it computes: frames go through one
at a time, which keeps maps in the cache; maps are channels-last, which suits both the convolutions
and the norm; and coarse maps are not resized before the convolution that joins them
(`join_resized`).

Resizing and convolving are both linear, so a map that has to grow can be convolved first and grow
afterwards, when it has fewer cells. Along y this cannot be had with matrices that are small enough
to pay; so such a map grows along y, is convolved along y, with the three taps along x kept apart,
and one matrix product per row then grows these along x, shifts them and adds them up. For the maps
of CoTracker's encoder that is 30 % less arithmetic, to the same result but for rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

MapSize = tuple[int, int]


def join_resized(
    maps: Sequence[Tensor], weight: Tensor, bias: Tensor | None, size: MapSize
) -> Tensor:
    """Resize maps bilinearly, corner to corner, join their channels and convolve them.

    Args:
        maps: (n, c_i, h_i, w_i) each.
        weight: (outputs, sum of c_i, 3, 3).
        bias: (outputs,) or None.
        size: (height, width) to resize to.

    Returns:
        (n, outputs, height, width), channels-last.
    """
    weights = torch.split(weight, [part.shape[1] for part in maps], 1)
    grows = [part.shape[3] < size[1] for part in maps]
    direct = [_resize(part, size) for part, late in zip(maps, grows, strict=True) if not late]
    chosen = [part for part, late in zip(weights, grows, strict=True) if not late]
    out = F.conv2d(torch.cat(direct, 1), torch.cat(chosen, 1), bias, padding=1)
    out = out.contiguous(memory_format=torch.channels_last)
    for part, taps, late in zip(maps, weights, grows, strict=True):
        if late:
            _add_grown(out, part, taps)
    return out


def _resize(part: Tensor, size: MapSize) -> Tensor:
    if part.shape[2:] == size:
        return part
    return F.interpolate(part, size, mode="bilinear", align_corners=True)


def _add_grown(out: Tensor, part: Tensor, weight: Tensor) -> None:
    """Add the convolution of a map that is narrower than `out`, a channels-last map."""
    (height, width), columns = out.shape[2:], part.shape[3]
    grown = _resize(part, (height, columns))
    # (outputs, c, 3, 3) to (3 * outputs, c, 3, 1): each tap along x gives maps of its own.
    along_y = weight.permute(3, 0, 1, 2).flatten(0, 1)[..., None]
    taps = F.conv2d(grown, along_y, padding=(1, 0))
    # Channels-last, the three taps of all columns of a row are the rows of one matrix.
    taps = taps.permute(0, 2, 3, 1).reshape(-1, columns * 3, weight.shape[0])
    spread = _spread(columns, width).to(taps)
    # A view only because `out` is channels-last: of a copy the sum below would be lost.
    rows = out.permute(0, 2, 3, 1).flatten(0, 1)
    rows.baddbmm_(spread.expand(len(rows), -1, -1), taps)


def _spread(columns: int, width: int) -> Tensor:
    """Return what (column, tap) contributes to each place of a grown row: (width, columns * 3)."""
    grown = F.interpolate(torch.eye(columns)[None], size=width, mode="linear", align_corners=True)[
        0
    ].T
    # A row of zeros at both ends: the convolution pads what has grown, so that taps may reach
    # there.
    padded = F.pad(grown, (0, 0, 1, 1))
    return torch.stack([padded[:-2], padded[1:-1], padded[2:]], -1).flatten(1)


FEATURE_WIDTH = 128
"""Channels of a feature map."""

_STAGES = ((64, 64, 1), (64, 96, 2), (96, 128, 2), (128, 128, 2))
"""Channels in, channels out and stride of the four stages."""


def _normalise(maps: Tensor) -> Tensor:
    """Instance norm without weights: every channel of every frame to mean 0 and variance 1."""
    if len(maps) > 1:
        return F.instance_norm(maps)
    # Of one frame it is batch norm, whose channels-last kernel takes a sixth of the time of
    # instance norm and is twice as exact as that of group norm.
    return F.batch_norm(maps, None, None, training=True)


def _activate(maps: Tensor) -> Tensor:
    return torch.relu_(_normalise(maps))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose activated result is added to the input.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: step of the first convolution, and of the 1x1 shortcut if it is not 1.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride))
        self.downsample = shortcut if stride > 1 else None

    def forward(self, maps: Tensor) -> Tensor:
        """Turn (n, inputs, h, w), nowhere negative, into (n, outputs, h / stride, w / stride)."""
        # Activated before the sum, too: a quirk of PIPs' blocks that the weights were trained with.
        inner = _activate(self.conv2(_activate(self.conv1(maps))))
        if self.downsample is None:
            # Neither term is negative: the activation of the sum would change nothing.
            return inner.add_(maps)
        return torch.relu_(inner.add_(_normalise(self.downsample(maps))))


class FeatureEncoder(nn.Module):
    """Pictures to feature maps.

    Args:
        stride: pixels per cell of the feature maps, 4 or 8.
    """

    def __init__(self, stride: int = 4) -> None:
        super().__init__()
        self.stride = stride
        # The public code's sizes and names; strict loading holds both.
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        for index, (inputs, outputs, step) in enumerate(_STAGES, start=1):
            blocks = (ResidualBlock(inputs, outputs, step), ResidualBlock(outputs, outputs, 1))
            setattr(self, f"layer{index}", nn.Sequential(*blocks))
        joined = sum(outputs for _, outputs, _ in _STAGES)
        self.conv2 = nn.Conv2d(joined, 2 * FEATURE_WIDTH, 3, padding=1)
        self.conv3 = nn.Conv2d(2 * FEATURE_WIDTH, FEATURE_WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            images: (n, 3, H, W) float, RGB, 0 to 255.

        Returns:
            (n, 128, H // stride, W // stride), channels-last.
        """
        # A batch of 48 took a third longer by frame: its maps fall out of the cache.
        if images.device.type == "cpu":
            return torch.cat([self._encode(image) for image in torch.split(images, 1)])
        return self._encode(images)

    def _encode(self, images: Tensor) -> Tensor:
        size = (images.shape[2] // self.stride, images.shape[3] // self.stride)
        images = (images / 255 * 2 - 1).contiguous(memory_format=torch.channels_last)
        maps = _activate(self.conv1(images))
        stages = []
        # Outputs at 1/2, 1/4, 1/8 and 1/16 of the picture, joined in this order: that of conv2's
        # channels.
        for index in range(1, len(_STAGES) + 1):
            maps = getattr(self, f"layer{index}")(maps)
            stages.append(maps)
        # conv2 itself is never called: its weights are split among the stages.
        joined = join_resized(stages, self.conv2.weight, self.conv2.bias, size)
        features: Tensor = self.conv3(_activate(joined))
        return features.contiguous(memory_format=torch.channels_last)
