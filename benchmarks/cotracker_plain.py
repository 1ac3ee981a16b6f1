"""CoTracker 1 and 3 written down step by step as the method says, with nothing done for speed.

What `benchmarks/trackers.py` holds the package against: pictures go through the encoder together,
in the memory layout that PyTorch has by default; every chunk of a stream is encoded anew; version
1 multiplies each feature vector with every cell and samples the volumes; version 3 samples all 49
neighbours of every place and multiplies them with those of the query; attention is written out.
All points start in the first frame. Weights are {name: tensor}, named as the released ones.

Written from Karaev et al., "CoTracker" (2023) and "CoTracker3" (2024), and from what
facebookresearch/co-tracker computes (tag v1.0, and commit 82e02e8 for version 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Weights = Mapping[str, Tensor]

STRIDE = 4
LEVELS = 4
RADIUS = 3
HEADS = 8
WINDOW = {"v1": 8, "v3_online": 16}


def linear(w: Weights, name: str, x: Tensor) -> Tensor:
    """Apply a linear layer."""
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def convolve(w: Weights, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Apply a convolution."""
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride, padding)


def activate(x: Tensor) -> Tensor:
    """Instance norm, then ReLU."""
    return F.relu(F.instance_norm(x))


def residual(w: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    """Apply a residual block."""
    y = activate(convolve(w, f"{name}.conv1", x, stride, 1))
    y = activate(convolve(w, f"{name}.conv2", y, 1, 1))
    if stride > 1:
        x = F.instance_norm(convolve(w, f"{name}.downsample.0", x, stride))
    return F.relu(x + y)


def encode(w: Weights, images: Tensor) -> Tensor:
    """Encode (n, 3, H, W) pictures, 0 to 255, to (n, 128, H / 4, W / 4)."""
    size = [side // STRIDE for side in images.shape[2:]]
    x = activate(convolve(w, "fnet.conv1", 2 * (images / 255) - 1, 2, 3))
    stages = []
    for stage in range(1, 5):
        x = residual(w, f"fnet.layer{stage}.0", x, 1 if stage == 1 else 2)
        x = residual(w, f"fnet.layer{stage}.1", x, 1)
        stages.append(F.interpolate(x, size, mode="bilinear", align_corners=True))
    x = activate(convolve(w, "fnet.conv2", torch.cat(stages, 1), 1, 1))
    return convolve(w, "fnet.conv3", x)


def pyramid(maps: Tensor) -> list[Tensor]:
    """Halve (n, C, h, w) maps three times."""
    levels = [maps]
    for _ in range(LEVELS - 1):
        levels.append(F.avg_pool2d(levels[-1], 2, 2))
    return levels


def neighbourhood(xy: Tensor) -> Tensor:
    """Return the (..., 49, 2) places around (..., 2) ones, x slow and y fast."""
    reach = torch.arange(-RADIUS, RADIUS + 1.0)
    offsets = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), -1).reshape(-1, 2)
    return xy[..., None, :] + offsets


def normalised(xy: Tensor, size: Sequence[int]) -> Tensor:
    """Scale cells to the -1 to 1 that `grid_sample` wants; size is (h, w)."""
    return xy * (2 / (torch.tensor([size[1], size[0]]) - 1).clamp(min=1)) - 1


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of (B, n, 384) queries to (B, m, 384) keys and values."""
    q, k, v = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
    weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def norm(x: Tensor) -> Tensor:
    """Layer norm without weights."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def mlp(w: Weights, name: str, x: Tensor) -> Tensor:
    """Add what the two-layer perceptron of a block makes of its normalised input."""
    hidden = F.gelu(linear(w, f"{name}.mlp.fc1", norm(x)), approximate="tanh")
    return x + linear(w, f"{name}.mlp.fc2", hidden)


def joint_block(w: Weights, name: str, x: Tensor) -> Tensor:
    """Self-attention and perceptron of version 1."""
    q, k, v = linear(w, f"{name}.attn.qkv", norm(x)).chunk(3, -1)
    return mlp(w, name, x + linear(w, f"{name}.attn.proj", attend(q, k, v)))


def block(w: Weights, name: str, x: Tensor, context: Tensor | None = None) -> Tensor:
    """Self-attention, or attention to a context, and perceptron of version 3."""
    own = norm(x)
    kind, seen = "attn", own
    if context is not None:
        scale, shift = (w[f"{name}.norm_context.{part}"] for part in ("weight", "bias"))
        kind, seen = "cross_attn", F.layer_norm(context, context.shape[-1:], scale, shift)
    k, v = linear(w, f"{name}.{kind}.to_kv", seen).chunk(2, -1)
    found = attend(linear(w, f"{name}.{kind}.to_q", own), k, v)
    return mlp(w, name, x + linear(w, f"{name}.{kind}.to_out", found))


def sines(places: Tensor, width: int) -> Tensor:
    """Embed (M,) places: all sines, then all cosines."""
    half = width // 2
    omega = 1 / 10000 ** (torch.arange(half, dtype=torch.float64) / half)
    angles = places.double()[:, None] * omega
    return torch.cat([angles.sin(), angles.cos()], 1).float()


# Version 1


def volumes_v1(levels: Sequence[Tensor], features: Tensor) -> list[Tensor]:
    """Multiply (S, N, 128) features with all cells: (S, N, h, w) for every level."""
    return [
        torch.einsum("snc,schw->snhw", features, level) / math.sqrt(features.shape[-1])
        for level in levels
    ]


def read_volumes(volumes: Sequence[Tensor], xy: Tensor) -> Tensor:
    """Sample the volumes around (S, N, 2) places: (S, N, 196)."""
    found = []
    for depth, volume in enumerate(volumes):
        frames, points, height, width = volume.shape
        places = normalised(neighbourhood(xy / 2**depth), (height, width))
        flat = volume.reshape(frames * points, 1, height, width)
        places = places.reshape(frames * points, 7, 7, 2)
        values = F.grid_sample(flat, places, padding_mode="zeros", align_corners=True)
        found.append(values.reshape(frames, points, -1))
    return torch.cat(found, -1)


def flow_embedding(flow: Tensor) -> Tensor:
    """Embed (..., 2) flows: the flow, then interleaved sines and cosines of u and of v."""
    divisors = torch.arange(0, 64, 2) * (1000.0 / 64)
    parts = [flow]
    for component in flow.unbind(-1):
        angles = component[..., None] * divisors
        parts.append(torch.stack([angles.sin(), angles.cos()], -1).flatten(-2))
    return torch.cat(parts, -1)


def place_image(height: int, width: int) -> Tensor:
    """Embed every cell: (1, 456, height, width)."""
    x = sines(torch.arange(width), 228).T[:, None].expand(-1, height, -1)
    y = sines(torch.arange(height), 228).T[:, :, None].expand(-1, -1, width)
    return torch.cat([x, y])[None]


def transformer_v1(w: Weights, tokens: Tensor) -> Tensor:
    """Turn (N, S, 456) tokens into (N, S, 130) updates."""
    x = linear(w, "updateformer.input_transform", tokens)
    for depth in range(6):
        x = joint_block(w, f"updateformer.time_blocks.{depth}", x)
        x = joint_block(w, f"updateformer.space_blocks.{depth}", x.transpose(0, 1)).transpose(0, 1)
    return linear(w, "updateformer.flow_head", x)


def window_v1(
    w: Weights, maps: Tensor, xy: Tensor, logits: Tensor, mask: Tensor, features: Tensor, turns: int
) -> tuple[Tensor, Tensor]:
    """Refine (S, N, 2) places in one window; return them and the logits (S, N)."""
    levels = pyramid(maps)
    frames, points = logits.shape
    size = maps.shape[2:]
    at = normalised(xy[:1, :, None], size)
    place = F.grid_sample(place_image(*size), at, padding_mode="border", align_corners=True)
    embedding = place[0, ..., 0].T + sines(torch.arange(frames), 456)[:, None]
    # Version 1 mixes up the points here; its weights expect it.
    pair = torch.cat([mask.T, logits.T]).reshape(points, frames, 2).transpose(0, 1)
    for _ in range(turns):
        found = read_volumes(volumes_v1(levels, features), xy)
        tokens = torch.cat([flow_embedding(xy - xy[:1]), found, features, pair], -1) + embedding
        update = transformer_v1(w, tokens.transpose(0, 1)).transpose(0, 1)
        change = F.layer_norm(update[..., 2:], (128,), w["norm.weight"], w["norm.bias"])
        features = features + F.gelu(linear(w, "ffeat_updater.0", change))
        xy = xy + update[..., :2]
    return xy, linear(w, "vis_predictor.0", features)[..., 0]


def track_v1(w: Weights, clip: Tensor, points: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    """Follow (N, 2) points of the first frame of a (T, 3, H, W) clip.

    Returns:
        (T, N, 2) places in pixels and (T, N, 1) probabilities.
    """
    window, step = WINDOW["v1"], WINDOW["v1"] // 2
    count, cells = len(points), points / STRIDE
    all_xy = torch.zeros(len(clip), count, 2)
    all_logits = torch.zeros(len(clip), count)
    maps = features = None
    xy, logits = cells.expand(window, -1, -1), torch.full((window, count), 10.0)
    for start in range(0, len(clip) - step, step):
        chunk = clip[start : start + window]
        real = len(chunk)
        chunk = torch.cat([chunk, chunk[-1:].expand(window - real, -1, -1, -1)])
        mask = torch.zeros(window, count)
        mask[:real] = 1
        if maps is None or features is None:
            maps = encode(w, chunk)
            place = normalised(cells[:, None, None], maps.shape[2:])
            own = maps[torch.zeros(count, dtype=torch.long)]
            features = F.grid_sample(own, place, padding_mode="border", align_corners=True)
            features = features[..., 0, 0].expand(window, -1, -1)
        else:
            maps = torch.cat([maps[step:], encode(w, chunk[step:])])
            mask[:step] = 0
            xy = torch.cat([xy[step:], xy[-1:].expand(step, -1, -1)])
            logits = torch.cat([logits[step:], logits[-1:].expand(step, -1)])
        xy, logits = window_v1(w, maps, xy, logits, mask, features, turns)
        all_xy[start : start + real] = xy[:real] * STRIDE
        all_logits[start : start + real] = logits[:real]
    return all_xy, all_logits.sigmoid()[..., None]


# Version 3


def sample_around(level: Tensor, xy: Tensor) -> Tensor:
    """Sample (S, C, h, w) maps at the 49 places around (S, N, 2) cells: (S, N, 49, C)."""
    places = normalised(neighbourhood(xy), level.shape[2:])
    places = torch.cat([places, torch.full_like(places[..., :1], -1)], -1)
    volume = level[:, :, None]
    found = F.grid_sample(
        volume, places[:, None], padding_mode="border", align_corners=True
    )  # (S, C, 1, N, 49)
    return found[:, :, 0].permute(0, 2, 3, 1)


def correlation_v3(
    w: Weights, levels: Sequence[Tensor], supports: Sequence[Tensor], xy: Tensor
) -> Tensor:
    """Compare neighbourhoods with (N, 49, 128) supports: (S, N, 1024)."""
    embedded = []
    for depth, (level, support) in enumerate(zip(levels, supports, strict=True)):
        around = sample_around(level, xy / 2**depth)
        products = torch.einsum("snac,nbc->snab", around, support).flatten(2)
        embedded.append(linear(w, "corr_mlp.fc2", F.gelu(linear(w, "corr_mlp.fc1", products))))
    return torch.cat(embedded, -1)


def motion_v3(xy: Tensor, size: Sequence[int]) -> Tensor:
    """Return (S, N, 84) Fourier features of the motion to the next and last frame."""
    steps = (xy[1:] - xy[:-1]) / torch.tensor([size[1], size[0]])
    none = torch.zeros_like(xy[:1])
    motion = torch.cat([torch.cat([-steps, none]), torch.cat([none, steps])], -1)
    angles = (motion[..., None, :] * 2.0 ** torch.arange(10)[:, None]).flatten(-2)
    return torch.cat([motion, angles.sin(), (angles + math.pi / 2).sin()], -1)


def transformer_v3(w: Weights, tokens: Tensor) -> Tensor:
    """Turn (N, S, 1110) tokens into (N, S, 4) updates."""
    x = linear(w, "updateformer.input_transform", tokens)
    virtual = w["updateformer.virual_tracks"][0].expand(-1, x.shape[1], -1)
    count = len(x)
    x = torch.cat([x, virtual])
    for depth in range(3):
        x = block(w, f"updateformer.time_blocks.{depth}", x).transpose(0, 1)
        points, virtual = x[:, :count], x[:, count:]
        virtual = block(w, f"updateformer.space_virtual2point_blocks.{depth}", virtual, points)
        virtual = block(w, f"updateformer.space_virtual_blocks.{depth}", virtual)
        points = block(w, f"updateformer.space_point2virtual_blocks.{depth}", points, virtual)
        x = torch.cat([points, virtual], 1).transpose(0, 1)
    heads = ("updateformer.flow_head", "updateformer.vis_conf_head")
    return torch.cat([linear(w, head, x[:count]) for head in heads], -1)


def window_v3(
    w: Weights,
    levels: Sequence[Tensor],
    supports: Sequence[Tensor],
    xy: Tensor,
    logits: Tensor,
    turns: int,
) -> tuple[Tensor, Tensor]:
    """Refine (S, N, 2) places and logits in one window."""
    time = w["time_emb"]
    if time.shape[1] != len(xy):
        time = F.interpolate(time.transpose(1, 2), len(xy), mode="linear").transpose(1, 2)
    for _ in range(turns):
        found = correlation_v3(w, levels, supports, xy)
        motion = motion_v3(xy, levels[0].shape[2:])
        tokens = torch.cat([logits, found, motion], -1).transpose(0, 1) + time
        update = transformer_v3(w, tokens).transpose(0, 1)
        xy, logits = xy + update[..., :2], logits + update[..., 2:]
    return xy, logits


def features_v3(w: Weights, images: Tensor) -> list[Tensor]:
    """Encode pictures to a pyramid of features of length one."""
    maps = encode(w, images)
    return pyramid(maps / maps.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt())


def supports_of(levels: Sequence[Tensor], cells: Tensor) -> list[Tensor]:
    """Sample the (N, 49, 128) neighbourhoods of places in the first frame, on every level."""
    return [
        sample_around(level[:1], cells[None] / 2**depth)[0] for depth, level in enumerate(levels)
    ]


def track_v3_offline(w: Weights, clip: Tensor, points: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    """Follow points through a clip in one window; see `track_v1`, but with (T, N, 2) chances."""
    levels = features_v3(w, clip)
    cells = points / STRIDE
    start = cells.expand(len(clip), -1, -1)
    supports = supports_of(levels, cells)
    xy, logits = window_v3(w, levels, supports, start, torch.zeros_like(start), turns)
    return xy * STRIDE, logits.sigmoid()


def track_v3_online(w: Weights, clip: Tensor, points: Tensor, turns: int) -> tuple[Tensor, Tensor]:
    """Follow points through a clip that comes in overlapping chunks; see `track_v3_offline`."""
    window, step = WINDOW["v3_online"], WINDOW["v3_online"] // 2
    cells = points / STRIDE
    all_xy, all_logits = torch.zeros(2, len(clip), len(points), 2)
    supports = None
    xy = cells.expand(window, -1, -1)
    logits = torch.zeros_like(xy)
    for start in range(0, len(clip) - step, step):
        chunk = clip[start : start + window]
        real = len(chunk)
        chunk = torch.cat([chunk, chunk[-1:].expand(window - real, -1, -1, -1)])
        levels = features_v3(w, chunk)
        if supports is None:
            supports = supports_of(levels, cells)
        else:
            xy = torch.cat([xy[step:], xy[-1:].expand(step, -1, -1)])
            logits = torch.cat([logits[step:], logits[-1:].expand(step, -1, -1)])
        xy, logits = window_v3(w, levels, supports, xy, logits, turns)
        all_xy[start : start + real], all_logits[start : start + real] = xy[:real], logits[:real]
    return all_xy * STRIDE, all_logits.sigmoid()


TRACK = {"v1": track_v1, "v3_online": track_v3_online, "v3_offline": track_v3_offline}
"""Version to what follows points with it."""
