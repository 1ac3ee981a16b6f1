"""The transformer blocks of all CoTracker versions, with the names of the released weights.

Pre-norm blocks of 384 channels and 8 heads (Karaev et al., "CoTracker", 2023, section 3.2;
facebookresearch/co-tracker, cotracker/models/core/cotracker/blocks.py). The norms of the blocks
have no weights. Version 1 names its projections as timm does, versions 2 and 3 have their own.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

WIDTH = 384
"""Channels of a token inside the transformers."""

HEADS = 8

_MLP_RATIO = 4
_EPS = 1e-6
"""Of the norms without weights; the one of a context, which has weights, keeps PyTorch's 1e-5."""


def _normalise(tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, (tokens.shape[-1],), eps=_EPS)


def _split_heads(tokens: Tensor) -> Tensor:
    """Turn (B, L, C) into (B, heads, L, C / heads)."""
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
