"""The inference form of the image encoders: fewer layers, the same function, less memory traffic.

`fuse` folds every BatchNorm into the convolution before it, collapses RepViT's three-branch token
mixers into one depthwise convolution (structural re-parameterisation), gathers TinyViT's attention
biases once, writes activations, sums and gates over maps nobody else reads, and stores weights
channels-last, the order in which 1x1 convolutions are plain matrix products.
"""

from __future__ import annotations

from copy import deepcopy
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.segmenters.sam.encoder_layers import ConvBN
from rvsam_video.segmenters.sam.repvit import RepDW, Residual, SqueezeExcite
from rvsam_video.segmenters.sam.tiny_vit import Attention, MBConv, heads_of

_KERNEL_CENTRE = 1
"""Index of the middle tap of a 3x3 kernel, in either direction."""


def fuse(encoder: nn.Module) -> nn.Module:
    """Return the inference form of a loaded encoder.

    The arithmetic of the folding is float64, cast once to the weights' own type, so the result is
    as close to the exact function as the encoder itself. Its weights take no gradients and no
    official checkpoint can be loaded into it any more.

    Args:
        encoder: a `RepViTEncoder` or `TinyViTEncoder` with its weights loaded; left as it is.

    Returns:
        A new module with the same input, output and device, in evaluation mode.
    """
    # A copy: with its branches merged a network can load no official checkpoint any more.
    fused = _inference_form(deepcopy(encoder)).eval().requires_grad_(False)
    # Only once it is fused: the trained form takes 12 % longer with it than without.
    return fused.to(memory_format=torch.channels_last)


@singledispatch
def _inference_form(module: nn.Module) -> nn.Module:
    """Replace the children of a module that has no rule of its own."""
    # By class, the closest first: a ConvBN is a Sequential but has a rule of its own.
    for name, child in module.named_children():
        setattr(module, name, _inference_form(child))
    return module


@_inference_form.register
def _(module: ConvBN) -> nn.Module:
    scale, shift = _affine(module.bn)
    weight = _exact(module.c.weight) * scale[:, None, None, None]
    return _convolution(module.c, weight, shift)


@_inference_form.register
def _(module: RepDW) -> nn.Module:
    scale, shift = _affine(module.conv.bn)
    weight = _exact(module.conv.c.weight) * scale[:, None, None, None]
    # A 1x1 kernel is the middle tap of a 3x3 one, and the identity is a middle tap of 1. Borders
    # stay exact: zero padding only ever meets the outer taps.
    # (C, 1), as the depthwise kernel's taps.
    pointwise = _exact(module.conv1.weight)[:, :, 0, 0]
    weight[:, :, _KERNEL_CENTRE, _KERNEL_CENTRE] += pointwise + 1
    bias = shift + _exact(module.conv1.bias)
    # The outer norm comes after the sum of the branches, so it scales all of them.
    scale, shift = _affine(module.bn)
    return _convolution(module.conv.c, weight * scale[:, None, None, None], bias * scale + shift)


@_inference_form.register
def _(module: Residual) -> nn.Module:
    return _InPlaceResidual(_inference_form(module.m))


@_inference_form.register
def _(module: SqueezeExcite) -> nn.Module:
    return _InPlaceSqueezeExcite(module.fc1, module.fc2)


@_inference_form.register
def _(module: MBConv) -> nn.Module:
    convolutions = (module.conv1, module.conv2, module.conv3)
    return _InPlaceMBConv(*map(_inference_form, convolutions))


@_inference_form.register
def _(module: Attention) -> nn.Module:
    return _FusedAttention(module)


@_inference_form.register
def _(module: nn.Linear) -> nn.Module:
    return _PointwiseLinear(module)


@_inference_form.register
def _(_module: nn.GELU) -> nn.Module:
    return _InPlaceGELU()


def _exact(parameter: Tensor | None) -> Tensor:
    """Return float64 on the CPU, since not every accelerator knows float64; 0 for None."""
    return torch.zeros(()) if parameter is None else parameter.detach().cpu().double()


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the (scale, shift) that a BatchNorm applies to each channel at inference."""
    # Running statistics, so these are only right for a network in evaluation mode.
    scale = _exact(norm.weight) / torch.sqrt(_exact(norm.running_var) + norm.eps)
    return scale, _exact(norm.bias) - _exact(norm.running_mean) * scale


def _convolution(like: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Copy a convolution around new weights, cast to the old ones' type and device."""
    # Keeps stride, padding and groups, whatever they are.
    out = deepcopy(like)
    out.weight = nn.Parameter(weight.to(like.weight))
    out.bias = nn.Parameter(bias.to(like.weight))
    return out


class _InPlaceGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        # The operator itself: torch.nn.functional has no in-place GELU. Exact, not the tanh form.
        written: Tensor = torch.ops.aten.gelu_.default(x)
        return written


class _InPlaceResidual(Residual):
    def forward(self, x: Tensor) -> Tensor:
        # Fresh from a convolution, so nobody else reads it; x may be somebody's input.
        inner: Tensor = self.m(x)
        return inner.add_(x)


class _InPlaceSqueezeExcite(nn.Module):
    def __init__(self, fc1: nn.Module, fc2: nn.Module) -> None:
        super().__init__()
        self.fc1, self.fc2 = fc1, fc2

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((2, 3), keepdim=True)
        gate: Tensor = self.fc2(self.fc1(mean).relu_()).sigmoid_()
        # x is the token mixer's own result here: a gate never stands first in a block.
        return x.mul_(gate)


class _PointwiseLinear(nn.Module):
    """A linear layer over the last dimension, as a channels-last 1x1 convolution.

    On the CPU this kernel adds the bias while it writes, where a linear layer first fills its
    result with the bias in a pass of its own.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach()[:, :, None, None])
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        # (1, C, rows, L): a view that is channels-last already.
        rows = x.reshape(1, -1, x.shape[-2], x.shape[-1]).permute(0, 3, 1, 2)
        out = F.conv2d(rows, self.weight, self.bias).permute(0, 2, 3, 1)
        return out.reshape(*x.shape[:-1], -1)


class _InPlaceMBConv(nn.Module):
    def __init__(self, conv1: nn.Module, conv2: nn.Module, conv3: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = conv1, conv2, conv3
        self.act = _InPlaceGELU()

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.conv3(self.act(self.conv2(self.act(self.conv1(x)))))
        out: Tensor = self.act(inner.add_(x))
        return out


class _FusedAttention(nn.Module):
    """Window attention with its bias gathered beforehand and torch's fused attention kernel."""

    bias: Tensor

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.norm = attention.norm
        self.qkv, self.proj = _inference_form(attention.qkv), _inference_form(attention.proj)
        self.register_buffer("bias", attention.bias().detach())

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = heads_of(self.qkv(self.norm(tokens)))
        # Autocast narrows the bias together with queries, keys and values.
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=self.bias[None])
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out
