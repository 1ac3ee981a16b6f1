"""Layers that the image encoders of the SAM family share.

Child names are those of the official checkpoints, so their state dicts load unchanged.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

EMBEDDING_WIDTH = 256
"""Channels of every SAM image embedding; prompt encoder and mask decoder expect it."""


class ConvBN(nn.Sequential):
    """Convolution without bias, then BatchNorm; children `c` and `bn`, no activation.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel; the zero padding is `kernel // 2`.
        stride: step of the convolution.
        groups: groups of the convolution; equal to `inputs` for a depthwise one.
    """

    c: nn.Conv2d
    bn: nn.BatchNorm2d

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.add_module("c", convolution)
        self.add_module("bn", nn.BatchNorm2d(outputs))


class LayerNorm2d(nn.Module):
    """Normalise over the channels of each position of a (B, C, H, W) map.

    Args:
        width: channels.
        eps: added to the variance; SAM's necks use 1e-6.
    """

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W); half-precision maps are normalised and returned in float32."""
        # Squares of half-precision activations overflow, so autocast maps are widened first.
        x = x if x.dtype == torch.float64 else x.float()
        centred = x - x.mean(1, keepdim=True)
        # Biased, as SAM computes it; torch.var would divide by C - 1.
        variance = centred.square().mean(1, keepdim=True)
        normal = centred / torch.sqrt(variance + self.eps)
        return self.weight[:, None, None] * normal + self.bias[:, None, None]


def sam_neck(width: int) -> nn.Sequential:
    """Build SAM's neck: 1x1 and 3x3 convolutions without bias, each followed by LayerNorm2d.

    Args:
        width: channels of the encoder's last map.

    Returns:
        A module from (B, width, H, W) to (B, 256, H, W).
    """
    return nn.Sequential(
        # The last map alone goes in; nothing is fused across stages or upsampled.
        nn.Conv2d(width, EMBEDDING_WIDTH, 1, bias=False),
        LayerNorm2d(EMBEDDING_WIDTH),
        nn.Conv2d(EMBEDDING_WIDTH, EMBEDDING_WIDTH, 3, padding=1, bias=False),
        LayerNorm2d(EMBEDDING_WIDTH),
    )


def conv_stem(width: int) -> nn.Sequential:
    """Build the stem of both encoders: two 3x3 ConvBN of stride 2 with a GELU between them.

    Args:
        width: channels out; the first convolution has half as many.

    Returns:
        A module from (B, 3, H, W) to (B, width, H/4, W/4).
    """
    return nn.Sequential(
        ConvBN(3, width // 2, kernel=3, stride=2),
        nn.GELU(),
        ConvBN(width // 2, width, kernel=3, stride=2),
    )
