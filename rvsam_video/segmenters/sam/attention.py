"""The attention between a few tokens and the 4096 positions of a picture, for many objects.

SAM's decoder projects all positions for every object and layer, which is where nearly all its work
goes. With T tokens, h heads of width d and N positions of C channels, the same sums can be grouped
in two ways, and the cheaper one is taken:

* projected: (N x C) by (C x hd) to project the positions, then T x N x hd per head, by PyTorch's
  fused attention, which never writes down the h T x N shares: with many tokens those cost most;
* folded: fewer tokens than positions carry the projection: q (W x) = (q W) x, so hT rows of C
  channels meet the positions directly, and what comes back is projected afterwards.

What objects share is kept as (B, h, d, N), the layout in which no head needs a copy. A first
dimension of 1 stands for positions that all B objects share: they are never copied either, the
tokens of all objects become rows of one product instead.
"""

from __future__ import annotations

import math

import torch
from segment_anything.modeling.transformer import Attention
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

FOLD_LIMIT = 22
"""Most tokens per object that are folded. At SAM's sizes (8 heads of 16, 256 channels) h T C
exceeds hd (C + T) from 18 tokens on; folding also makes fewer maps, so it pays a little longer."""


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """Turn (B, T, heads * d) into (B, heads, T, d)."""
    return tokens.view(*tokens.shape[:2], heads, -1).transpose(1, 2)


def attend_among(
    attention: Attention, placed: Tensor, values: Tensor, filler: Tensor | None
) -> Tensor:
    """Let tokens attend to each other.

    Args:
        attention: the package's module, for its weights.
        placed: (B, T, C) tokens with their positions added: queries and keys.
        values: (B, T, C).
        filler: (B, T) bool, tokens that nobody may attend to, or None.
    """
    heads = attention.num_heads
    attended = F.scaled_dot_product_attention(
        split_heads(attention.q_proj(placed), heads),
        split_heads(attention.k_proj(placed), heads),
        split_heads(attention.v_proj(values), heads),
        # True is "may be attended to", the opposite of a filler. (B, 1, 1, T): the same for all
        # queries.
        attn_mask=None if filler is None else ~filler[:, None, None],
    )
    out: Tensor = attention.out_proj(attended.transpose(1, 2).flatten(2))
    return out


def project(image: Tensor, weight: Tensor) -> Tensor:
    """Project (B, N, C) positions by (h, d, C) weights to (B, h, d, N)."""
    # (B, hd, C) by (B, C, N).
    rows = weight.flatten(0, 1).expand(len(image), -1, -1)
    return torch.bmm(rows, image.transpose(1, 2)).view(len(image), *weight.shape[:2], -1)


def _by_position(projected: Tensor) -> Tensor:
    """Bring (B, h, d, N) into (B, h, N, d), which the fused attention wants."""
    return projected.transpose(2, 3).contiguous()


def _per_head(weight: Tensor, heads: int) -> Tensor:
    # A view: the module must be on its device and loaded before these classes are built.
    return weight.detach().view(heads, -1, *weight.shape[1:])


class TokensToImage:
    """Tokens attend to the positions of their picture.

    Args:
        attention: the package's module with loaded weights.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self.heads = int(attention.num_heads)
        # (h, d, C) each.
        self.key = _per_head(attention.k_proj.weight, self.heads)
        self.value = _per_head(attention.v_proj.weight, self.heads)
        self._value_bias = _per_head(attention.v_proj.bias, self.heads)[:, None]

    def __call__(self, tokens: Tensor, placed: Tensor, image: Tensor) -> Tensor:
        """Attend.

        Args:
            tokens: (B, T, C), with their positions added.
            placed: (B, N, C) image with its positional encoding added.
            image: (B, N, C).

        Returns:
            (B, T, C) to be added to the tokens.
        """
        if tokens.shape[1] > FOLD_LIMIT:
            key = split_heads(F.linear(placed, self.key.flatten(0, 1)), self.heads)
            value = split_heads(F.linear(image, self.value.flatten(0, 1)), self.heads)
            return self._fused(tokens, key, value)
        # A key's bias adds the same to all positions' scores, so the softmax cancels it.
        # (B, h, T, d) by (h, d, C), as hT rows a picture.
        query = (self._query(tokens) @ self.key).flatten(1, 2)
        weights = torch.bmm(query, placed.transpose(1, 2)).softmax(-1)
        mixed = torch.bmm(weights, image).view(len(image), self.heads, -1, image.shape[2])
        return self._out(mixed @ self.value.transpose(1, 2))

    def projected(self, tokens: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend to positions that are already projected, without biases.

        Args:
            tokens: (B, T, C), with their positions added.
            key: (B or 1, h, d, N).
            value: (B or 1, h, d, N).
        """
        if tokens.shape[1] > FOLD_LIMIT:
            return self._fused(tokens, _by_position(key), _by_position(value))
        query = self._query(tokens)
        count = len(query)
        # Objects that share the positions: their tokens become rows of one product, (1, h, B T, d).
        if len(key) < count:
            query = query.transpose(0, 1).flatten(1, 2)[None]
        mixed = (query @ key).softmax(-1) @ value.transpose(-1, -2)
        if len(key) < count:
            mixed = mixed.view(self.heads, count, -1, mixed.shape[3]).transpose(0, 1)
        return self._out(mixed)

    def _fused(self, tokens: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend to (B or 1, h, N, d) keys and values."""
        query = self._query(tokens)
        key, value = (item.expand(len(query), -1, -1, -1) for item in (key, value))
        # The query has been scaled already.
        return self._out(F.scaled_dot_product_attention(query, key, value, scale=1.0))

    def _query(self, tokens: Tensor) -> Tensor:
        query = split_heads(self.attention.q_proj(tokens), self.heads)
        return query / math.sqrt(query.shape[-1])

    def _out(self, mixed: Tensor) -> Tensor:
        # Added after the attention: the shares of a token sum to one, so a bias passes through
        # unchanged.
        joined = (mixed + self._value_bias).transpose(1, 2).flatten(2)
        out: Tensor = self.attention.out_proj(joined)
        return out


class ImageToTokens:
    """The positions of a picture attend to the tokens of an object.

    Args:
        attention: the package's module with loaded weights.
    """

    def __init__(self, attention: Attention) -> None:
        self.attention = attention
        self.heads = int(attention.num_heads)
        self.query = _per_head(attention.q_proj.weight, self.heads)
        self._query_bias = _per_head(attention.q_proj.bias, self.heads)[..., None]
        # Transposed once, to (hd, C): tokens are projected by head before they are spread.
        self._out_weight = attention.out_proj.weight.detach().t().contiguous()
        self._out_bias = attention.out_proj.bias.detach()

    def __call__(
        self, image: Tensor, tokens: Tensor, values: Tensor, placed: Tensor, filler: Tensor | None
    ) -> Tensor:
        """Attend.

        Args:
            image: (B, N, C).
            tokens: (B, T, C), with their positions added.
            values: (B, T, C), the same without.
            placed: (B, N, C) image with its positional encoding added.
            filler: (B, T) bool, tokens that get no share, or None.

        Returns:
            (B, N, C) image with the attended tokens added.
        """
        if tokens.shape[1] > FOLD_LIMIT:
            query = split_heads(F.linear(placed, self.query.flatten(0, 1)), self.heads)
            return self._fused(image, tokens, values, query, filler)
        key = self._key(tokens)
        folded = (key @ self.query).flatten(1, 2)
        # The query's bias stays, unlike a key's: this softmax is over tokens, and it differs by
        # token.
        offset = self._offset(key, filler).flatten(1, 2)
        scores = torch.baddbmm(offset, folded, placed.transpose(1, 2))
        shares = scores.view(len(key), self.heads, -1, placed.shape[1]).softmax(2)
        return self._folded(image, values, shares)

    def projected(
        self, image: Tensor, tokens: Tensor, values: Tensor, query: Tensor, filler: Tensor | None
    ) -> Tensor:
        """Attend from positions that are already projected, without bias.

        Args:
            image: (B or 1, N, C).
            tokens: (B, T, C), with their positions added.
            values: (B, T, C), the same without.
            query: (B or 1, h, d, N).
            filler: (B, T) bool, tokens that get no share, or None.
        """
        if tokens.shape[1] > FOLD_LIMIT:
            return self._fused(image, tokens, values, _by_position(query), filler)
        key = self._key(tokens)
        offset = self._offset(key, filler)
        if len(query) == len(key):
            return self._folded(image, values, (key @ query + offset).softmax(2))
        # Shared positions again: (h, B T, d) by (h, d, N).
        rows = key.transpose(0, 1).flatten(1, 2)
        scores = (rows @ query[0]).view(self.heads, len(key), -1, query.shape[3])
        shares = (scores + offset.transpose(0, 1)).softmax(2).transpose(0, 1)
        return self._folded(image, values, shares)

    def _folded(self, image: Tensor, values: Tensor, shares: Tensor) -> Tensor:
        """Add the tokens by their (B, h, T, N) shares, projected before they are spread."""
        value = split_heads(self.attention.v_proj(values), self.heads)
        addend = (value @ self._out_weight.view(self.heads, -1, image.shape[2])).flatten(1, 2)
        # Contiguous, so a copy of its own for every object: the product is added in place.
        base: Tensor = (image + self._out_bias).expand(len(value), -1, -1).contiguous()
        spread = shares.flatten(1, 2).transpose(1, 2)
        if addend.dtype != base.dtype:
            # In half precision: autocast does not reach products that add in place.
            return base + torch.bmm(spread, addend)
        return base.baddbmm_(spread, addend)

    def _fused(
        self, image: Tensor, tokens: Tensor, values: Tensor, query: Tensor, filler: Tensor | None
    ) -> Tensor:
        """Add the tokens; `query` is (B or 1, h, N, d)."""
        key = self._key(tokens)
        value = split_heads(self.attention.v_proj(values), self.heads)
        # (B, h, 1, T): added to the scores of all positions.
        offset = self._offset(key, filler).transpose(2, 3)
        query = query.expand(len(key), -1, -1, -1)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=offset, scale=1.0)
        added: Tensor = self.attention.out_proj(mixed.transpose(1, 2).flatten(2))
        return image + added

    def _key(self, tokens: Tensor) -> Tensor:
        key = split_heads(self.attention.k_proj(tokens), self.heads)
        # The tokens are scaled, not the positions: there are thousands of those.
        return key / math.sqrt(key.shape[-1])

    def _offset(self, key: Tensor, filler: Tensor | None) -> Tensor:
        """Return the (B, h, T, 1) part of the scores that is the same at all positions."""
        offset = key @ self._query_bias
        if filler is None:
            return offset
        # Minus infinity is safe: SAM's own five tokens are never filler, so no row has nothing
        # else.
        return offset.masked_fill(filler[:, None, :, None], -torch.inf)
