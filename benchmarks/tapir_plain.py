"""Online BootsTAPIR written down step by step as the method says, with nothing done for speed.

What `benchmarks/tapir.py` holds the package against: pictures are in the memory layout that
PyTorch has by default and norms are PyTorch's; all 49 neighbours of every place are sampled and
multiplied with the query on every level; the mixer's convolutions over time are grouped ones over
what is remembered, which is put together anew in every block. Weights are {name: tensor}, named as
the released ones. Places are (x, y) in pixels of 256x256 from the outer corner.

Written from Doersch et al., "TAPIR" (2023) and "BootsTAP" (2024), and from what
google-deepmind/tapnet computes (`tapnet/torch`, commit c2cbab8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Weights = Mapping[str, Tensor]

SIDE = 256
STRIDES = (1, 2, 2, 1)
HIGH, LOW = 128, 256
STEPS, BLOCKS, WIDTH, HIDDEN = 4, 12, 512, 2048
TEMPERATURE = 20.0
RADIUS = 3

Memory = list[list[tuple[Tensor, Tensor]]]
"""By refinement and block: the last two inputs (N, 2, 512), and (N, 2, 2048) of the second step."""


@dataclass
class Points:
    """N points: what lay under them on both maps, and what is remembered of them."""

    high: Tensor
    low: Tensor
    memory: Memory


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """Instance norm, then ReLU."""
    return F.relu(F.instance_norm(x, weight=w[f"{name}.weight"], bias=w[f"{name}.bias"], eps=1e-5))


def residual(w: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    """Apply a residual block; strided convolutions are padded right and below only."""
    inner = norm(w, f"{name}.bn_0", x)
    projection = w.get(f"{name}.proj_conv.weight")
    shortcut = x if projection is None else F.conv2d(inner, projection, stride=stride)
    pads = (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1)
    inner = F.conv2d(F.pad(inner, pads), w[f"{name}.conv_0.weight"], stride=stride)
    inner = norm(w, f"{name}.bn_1", inner)
    return F.conv2d(inner, w[f"{name}.conv_1.weight"], padding=1) + shortcut


def extra(w: Weights, name: str, x: Tensor) -> Tensor:
    """Apply one of BootsTAPIR's extra blocks."""
    scale, shift = w[f"{name}.layer_norm.weight"], w[f"{name}.layer_norm.bias"]
    normal = F.layer_norm(x.permute(0, 2, 3, 1), (LOW,), scale, shift).permute(0, 3, 1, 2)
    inner = F.conv2d(normal, w[f"{name}.conv.weight"], w[f"{name}.conv.bias"], padding=1)
    inner = F.gelu(inner, approximate="tanh")
    return normal + F.conv2d(inner, w[f"{name}.conv_1.weight"], w[f"{name}.conv_1.bias"], padding=1)


def encode(w: Weights, pictures: Tensor) -> list[Tensor]:
    """Encode (1, 3, 256, 256) from -1 to 1 to maps of 64, 32 and 16 cells a side."""
    x = F.conv2d(F.pad(pictures, (2, 4, 2, 4)), w["resnet_torch.initial_conv.weight"], stride=2)
    x = x[:, :, : SIDE // 2, : SIDE // 2]
    high = x
    for group, stride in enumerate(STRIDES):
        name = f"resnet_torch.block_groups.{group}.blocks"
        x = residual(w, f"{name}.1", residual(w, f"{name}.0", x, stride), 1)
        high = x if group == 1 else high
    for block in range(5):
        x = extra(w, f"extra_convs.blocks.{block}", x)
    maps = [y / y.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt() for y in (high, x)]
    return [*maps, F.avg_pool2d(maps[1], 2)]


def sample(grid: Tensor, xy: Tensor, padding: str) -> Tensor:
    """Sample a (1, C, h, w) map at (N, K, 2) cells: (N, K, C)."""
    size = torch.tensor([grid.shape[3], grid.shape[2]])
    found = F.grid_sample(
        grid, (xy / size * 2 - 1)[None], padding_mode=padding, align_corners=False
    )
    return found[0].permute(1, 2, 0)


def start(maps: list[Tensor], xy: Tensor) -> Points:
    """Describe (N, 2) places of a picture."""
    high, low = (
        sample(grid, xy[:, None] * (grid.shape[2] / SIDE), "border")[:, 0] for grid in maps[:2]
    )
    memory = [
        [(torch.zeros(len(xy), 2, WIDTH), torch.zeros(len(xy), 2, HIDDEN)) for _ in range(BLOCKS)]
        for _ in range(STEPS)
    ]
    return Points(high, low, memory)


def guess(w: Weights, grid: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Look for points anywhere: places (N, 2) and logits (N, 2)."""
    head = "torch_cost_volume_track_mods"
    side = grid.shape[3]

    def convolve(name: str, x: Tensor, stride: int = 1, padding: int = 1) -> Tensor:
        weight, bias = w[f"{head}.{name}.weight"], w[f"{head}.{name}.bias"]
        return F.conv2d(x, weight, bias, stride, padding)

    def apply(name: str, x: Tensor) -> Tensor:
        return F.linear(x, w[f"{head}.{name}.weight"], w[f"{head}.{name}.bias"])

    costs = torch.einsum("nc,chw->nhw", queries, grid[0])[:, None]
    inner = F.relu(convolve("hid1", costs))
    chances = torch.softmax(convolve("hid2", inner).flatten(1) * TEMPERATURE, 1)
    cells = torch.arange(side * side)
    centres = torch.stack([cells % side, cells // side], 1).float() + 0.5
    best = centres[chances.argmax(1)]
    near = (centres[None] - best[:, None]).square().sum(2) < 25
    weights = chances * near
    xy = (weights[..., None] * centres).sum(1) / weights.sum(1, keepdim=True).clamp(min=1e-12)
    inner = F.relu(convolve("hid3", F.pad(inner, (0, 1, 0, 1)), 2, 0)).mean((2, 3))
    logits = apply("occ_out", F.relu(apply("hid4", inner)))
    return xy * (SIDE / side), logits


def mix(w: Weights, tokens: Tensor, memory: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Run the mixer on one frame; `memory` is brought up to date."""
    head = "torch_pips_mixer"

    def scaled(name: str, x: Tensor) -> Tensor:
        return F.layer_norm(x, (WIDTH,), w[f"{head}.{name}.weight"], None, 1e-5)

    def apply(name: str, x: Tensor) -> Tensor:
        return F.linear(x, w[f"{head}.{name}.weight"], w[f"{head}.{name}.bias"])

    def over_time(name: str, x: Tensor, groups: int) -> Tensor:
        weight, bias = w[f"{head}.{name}.weight"], w[f"{head}.{name}.bias"]
        return F.conv1d(x.transpose(1, 2), weight, bias, groups=groups).transpose(1, 2)

    x = apply("linear", tokens)
    for block in range(BLOCKS):
        name = f"blocks.{block}"
        before, copies_before = memory[block]
        normal = torch.cat([before, scaled(f"{name}.layer_norm", x)[:, None]], 1)
        copies = F.gelu(over_time(f"{name}.mlp1_up", normal, WIDTH), approximate="tanh")
        copies = torch.cat([copies_before, copies], 1)
        mixed = over_time(f"{name}.mlp1_up_1", copies, HIDDEN)
        x = x + mixed.unflatten(2, (WIDTH, -1)).sum(3)[:, 0]
        memory[block] = (normal[:, 1:], copies[:, 1:])
        inner = apply(f"{name}.conv_channels_mixer.mlp2_up", scaled(f"{name}.layer_norm_1", x))
        inner = F.gelu(inner, approximate="tanh")
        x = x + apply(f"{name}.conv_channels_mixer.mlp2_down", inner)
    return apply("linear_1", scaled("layer_norm", x))


def follow(w: Weights, maps: list[Tensor], points: Points) -> tuple[Tensor, Tensor]:
    """Find points in one more picture: places (N, 2), and logits (N, 2): hidden, and far off."""
    xy, logits = guess(w, maps[1], points.low)
    features = torch.cat([points.high, points.low], 1)
    reach = torch.arange(-RADIUS, RADIUS + 1.0)
    rows, columns = torch.meshgrid(reach, reach, indexing="ij")
    offsets = torch.stack([columns, rows], -1).reshape(-1, 2)
    for step in range(STEPS):
        found = []
        for level, grid in enumerate(maps):
            around = sample(grid, xy[:, None] * (grid.shape[2] / SIDE) + offsets, "zeros")
            query = features[:, HIGH:] if level else features[:, :HIGH]
            found.append(torch.einsum("nkc,nc->nk", around, query))
        tokens = torch.cat([torch.zeros_like(xy), logits, features, *found], 1)
        change = mix(w, tokens, points.memory[step])
        xy, logits = xy + change[:, :2], logits + change[:, 2:4]
        features = features + change[:, 4:]
    return xy, logits
