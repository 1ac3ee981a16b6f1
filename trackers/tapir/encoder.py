"""TAPIR's feature encoder: a residual network with instance norm, and BootsTAPIR's extra blocks.

Names are those of the released weights (google-deepmind/tapnet, `tapnet/torch/nets.py` at commit
c2cbab8). Strided convolutions pad as TensorFlow's and JAX's "SAME" does, right and below only:
padding on all sides, as is usual in PyTorch, would shift the grid by half a cell.

Maps are channels-last, which suits the convolutions, both norms and the points that are read later.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

HIGH_WIDTH, LOW_WIDTH = 128, 256
"""Channels of the fine and the coarse map."""

HIGH_STRIDE, LOW_STRIDE = 4, 8
"""Pixels of the picture per cell of the two."""

_STEM_WIDTH = 64
_GROUPS = ((64, 1), (128, 2), (256, 2), (256, 1))
"""Channels and stride of the four groups of blocks."""

_HIGH_GROUP = 1
"""The group whose output is the fine map; that of the last is the coarse one."""

_EXTRA_BLOCKS = 5
_EXTRA_WIDTH = 1024

_EPS = 1e-5
_SMALLEST = 1e-12
"""Smallest squared length that a feature vector is divided by."""


class _InstanceNorm(nn.Module):
    """Instance norm with weights, then ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, maps: Tensor) -> Tensor:
        # In two passes over rows of channels: PyTorch's instance norm is as exact but takes six
        # times as long on channels-last maps, its batch and group norm are fast but twenty times
        # less exact, which in the end is seen in places.
        cells = maps.permute(0, 2, 3, 1).flatten(1, 2)
        centred = cells - cells.mean(1, keepdim=True)
        variance = centred.square().mean(1, keepdim=True)
        scale = self.weight * torch.rsqrt(variance + _EPS)
        normal = torch.relu_(torch.addcmul(self.bias, centred, scale))
        return normal.view(len(maps), *maps.shape[2:], -1).permute(0, 3, 1, 2)


class _Block(nn.Module):
    """A residual block whose norms come before its convolutions (ResNet, version 2)."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.stride = stride
        # There is one wherever a group begins, also where neither size nor channels change.
        self.proj_conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if first else None
        self.bn_0 = _InstanceNorm(inputs)
        self.conv_0 = nn.Conv2d(inputs, outputs, 3, stride, 0 if stride > 1 else 1, bias=False)
        self.bn_1 = _InstanceNorm(outputs)
        self.conv_1 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.bn_0(maps)
        shortcut = maps if self.proj_conv is None else self.proj_conv(inner)
        if self.stride > 1:
            inner = F.pad(inner, (0, 1, 0, 1))
        found: Tensor = self.conv_1(self.bn_1(self.conv_0(inner)))
        return found.add_(shortcut)


class _Group(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        first = _Block(inputs, outputs, stride, first=True)
        self.blocks = nn.Sequential(first, _Block(outputs, outputs, 1, first=False))

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.blocks(maps)
        return found


class ResNet(nn.Module):
    """Pictures to a fine and a coarse map."""

    def __init__(self) -> None:
        super().__init__()
        self.initial_conv = nn.Conv2d(3, _STEM_WIDTH, 7, 2, bias=False)
        widths = (_STEM_WIDTH, *(width for width, _ in _GROUPS))
        self.block_groups = nn.ModuleList(
            _Group(inputs, outputs, stride)
            for inputs, (outputs, stride) in zip(widths, _GROUPS, strict=False)
        )

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Encode (F, 3, S, S) to (F, 128, S/4, S/4) and (F, 256, S/8, S/8), channels-last."""
        maps = self.initial_conv(F.pad(pictures, (2, 3, 2, 3)))
        high = maps
        for number, group in enumerate(self.block_groups):
            maps = group(maps)
            high = maps if number == _HIGH_GROUP else high
        return high, maps


class _ExtraBlock(nn.Module):
    """Layer norm over the channels, then two convolutions whose result is added to the norm's."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(LOW_WIDTH, eps=1e-5)
        self.conv = nn.Conv2d(LOW_WIDTH, _EXTRA_WIDTH, 3, padding=1)
        self.conv_1 = nn.Conv2d(_EXTRA_WIDTH, LOW_WIDTH, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        normal = self.layer_norm(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        found: Tensor = self.conv_1(F.gelu(self.conv(normal), approximate="tanh"))
        return found.add_(normal)


class ExtraConvs(nn.Module):
    """What BootsTAPIR puts on the coarse map: 72 % of the work on a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_ExtraBlock() for _ in range(_EXTRA_BLOCKS)))

    def forward(self, maps: Tensor) -> Tensor:
        """Turn a (F, 256, h, w) map, channels-last, into another."""
        found: Tensor = self.blocks(maps)
        return found


def unit_vectors(maps: Tensor) -> Tensor:
    """Return a (F, C, h, w) map as (F, h, w, C), each vector divided by its length."""
    vectors = maps.float().permute(0, 2, 3, 1)
    squares = vectors.square().sum(-1, keepdim=True)
    return vectors * squares.clamp_min(_SMALLEST).rsqrt()
