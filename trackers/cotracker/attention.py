"""The transformers of all CoTracker versions, with the names of the released weights.

Blocks are pre-norm, of 384 channels and 8 heads (Karaev et al., "CoTracker", 2023, section 3.2;
facebookresearch/co-tracker, cotracker/models/core/cotracker/blocks.py). The norms of the blocks
have no weights. Version 1 names its projections as timm does, versions 2 and 3 have their own.

In the update transformer of versions 2 and 3 points do not attend to each other directly. 64
virtual tracks, which are learned, attend to the points, then to each other, and the points attend
to them: the work grows with the number of points and not with its square (section 3.4; cotracker.py
beside it).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

WIDTH = 384
"""Channels of a token inside the transformers."""

# Not to be read off the weights, whose projections are square: 8 heads of 48 channels each.
HEADS = 8

_MLP_RATIO = 4
_EPS = 1e-6
"""Of the norms without weights; the one of a context, which has weights, keeps PyTorch's 1e-5."""


def _normalise(tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, (tokens.shape[-1],), eps=_EPS)


def _split_heads(tokens: Tensor) -> Tensor:
    """Turn (B, L, C) into (B, heads, L, C / heads)."""
    # Head h holds channels 48 h to 48 h + 47.
    return tokens.view(*tokens.shape[:2], HEADS, -1).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attend with 8 heads.

    Args:
        query: (B, L, C).
        key: (B, M, C).
        value: (B, M, C).
        bias: broadcastable to (B, heads, L, M), added to the scores.

    Returns:
        (B, L, C).
    """
    query, key, value = (_split_heads(x) for x in (query, key, value))
    # PyTorch scales by 48 ** -0.5 itself. It agrees with scores written down to 1e-7, and does not
    # keep them in memory.
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return attended.transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """Two linear layers around a GELU in its tanh approximation."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, _MLP_RATIO * WIDTH)
        self.fc2 = nn.Linear(_MLP_RATIO * WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (..., C) for (..., C)."""
        # The approximation only here: the MLP of correlations and the feature updater use the exact
        # GELU.
        mixed: Tensor = self.fc2(F.gelu(self.fc1(tokens), approximate="tanh"))
        return mixed


class JointAttention(nn.Module):
    """Self-attention of version 1: one projection gives queries, keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, L, C) for (B, L, C)."""
        # All queries, all keys, all values: timm's order, not head by head.
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        attended: Tensor = self.proj(_attend(query, key, value))
        return attended


class SplitAttention(nn.Module):
    """Attention of versions 2 and 3: queries from one set of tokens, keys and values of another."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q = nn.Linear(WIDTH, WIDTH)
        self.to_kv = nn.Linear(WIDTH, 2 * WIDTH)
        self.to_out = nn.Linear(WIDTH, WIDTH)

    def forward(
        self, tokens: Tensor, context: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Attend to a context, or to the tokens themselves if there is none.

        Args:
            tokens: (B, L, C).
            context: (B, M, C).
            bias: broadcastable to (B, heads, L, M), added to the scores.

        Returns:
            (B, L, C).
        """
        key, value = self.to_kv(tokens if context is None else context).chunk(2, dim=-1)
        attended: Tensor = self.to_out(_attend(self.to_q(tokens), key, value, bias))
        return attended


class SelfBlock(nn.Module):
    """Self-attention and MLP, each added to what went in.

    Args:
        attention: `JointAttention` (version 1) or `SplitAttention`; only its names differ.
    """

    def __init__(self, attention: JointAttention | SplitAttention) -> None:
        super().__init__()
        self.attn = attention
        self.mlp = Mlp()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, L, C) for (B, L, C)."""
        tokens = tokens + self.attn(_normalise(tokens))
        mixed: Tensor = tokens + self.mlp(_normalise(tokens))
        return mixed


class CrossBlock(nn.Module):
    """Attention to a context and MLP, each added to the tokens that went in."""

    def __init__(self) -> None:
        super().__init__()
        # The one norm of the blocks that was trained, with PyTorch's own eps.
        self.norm_context = nn.LayerNorm(WIDTH)
        self.cross_attn = SplitAttention()
        self.mlp = Mlp()

    def forward(self, tokens: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """Attend to a context.

        Args:
            tokens: (B, L, C).
            context: (B, M, C), not normalised.
            bias: broadcastable to (B, heads, L, M), added to the scores.

        Returns:
            (B, L, C).
        """
        context = self.norm_context(context)
        tokens = tokens + self.cross_attn(_normalise(tokens), context, bias)
        mixed: Tensor = tokens + self.mlp(_normalise(tokens))
        return mixed


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
        # (N, S, C)
        points = self.input_transform(tokens)
        # All frames start from the same virtual tracks, so attention over time leaves them alike:
        # the first block over time needs to see one frame of them only.
        virtual = self.virual_tracks[0]
        # (64, 1, C) here, (64, S, C) after the first block.
        gathering, scattering = _biases(active, points.dtype)
        for index, over_time in enumerate(self.time_blocks):
            # Attention runs along the second axis: frames here, points or tracks once the two are
            # swapped.
            points = over_time(points).transpose(0, 1)
            virtual = over_time(virtual).expand(-1, len(points), -1).transpose(0, 1)
            # Points read virtual tracks that have already gathered in this very block.
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
    # (N, 1): one value a query, so the same for all its keys; (1, N) is one value a key.
    rows = bias[:, None]
    return rows if len(active) == TRACKS else bias[None], rows
