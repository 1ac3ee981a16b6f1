"""SAM's two-way transformer for many objects of one picture, sharing what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from segment_anything.modeling import PromptEncoder, TwoWayTransformer
from segment_anything.modeling.transformer import TwoWayAttentionBlock
from torch import Tensor

from rvsam_video.segmenters.sam.attention import ImageToTokens, TokensToImage, attend_among, project

Projections = tuple[Tensor, Tensor, Tensor]
"""Keys, values and queries of the first layer at all positions: each (B or 1, h, d, N)."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureTokens:
    """A picture's positions before the first layer, with all that the objects on it share.

    Attributes:
        embedding: (1, N, C) positions, row by row.
        embedded: projections of `embedding`.
        plain: (1, N, C) positions for objects without a mask input.
        projected: projections of `plain`.
    """

    embedding: Tensor
    embedded: Projections
    plain: Tensor
    projected: Projections


class TwoWay:
    """The transformer's arithmetic on the weights of the package's modules.

    Args:
        transformer: with loaded weights, on the device that will be used.
        prompt_encoder: likewise; it holds the positional encoding and the mask convolutions.
    """

    def __init__(self, transformer: TwoWayTransformer, prompt_encoder: PromptEncoder) -> None:
        # (1, N, C); the public code computes it again for every call.
        self._positions = _as_tokens(prompt_encoder.get_dense_pe().detach())
        self._layers = [_Layer(block) for block in transformer.layers]
        self._final = TokensToImage(transformer.final_attn_token_to_image)
        self._norm = transformer.norm_final_attn
        first = self._layers[0]
        # Until the first layer has run all objects see the same positions: these products are
        # shared.
        self._first = (first.to_image.key, first.to_image.value, first.to_tokens.query)
        self._no_mask = prompt_encoder.no_mask_embed.weight.detach()
        # The last one is 1x1: it is multiplied into the projections instead, see `start`.
        *convolutions, last = prompt_encoder.mask_downscaling
        self._mask_convolutions = torch.nn.Sequential(*convolutions)
        self._mask_weight = last.weight.detach().flatten(1)
        self._mask_bias = last.bias.detach()

    def prepare(self, embedding: Tensor) -> PictureTokens:
        """Do once what all objects and passes on a picture share.

        Args:
            embedding: (1, C, H, W) float32 from the image encoder.
        """
        image = _as_tokens(embedding).contiguous()
        plain = image + self._no_mask
        return PictureTokens(image, self._project(image), plain, self._project(plain))

    def _project(self, image: Tensor) -> Projections:
        key, value, query = self._first
        placed = image + self._positions
        return project(placed, key), project(image, value), project(placed, query)

    def start(
        self, picture: PictureTokens, mask_inputs: Sequence[Tensor | None]
    ) -> tuple[Tensor, Projections]:
        """Return the positions that each object starts from, and their first projections.

        SAM adds a convolved mask input to the embedding. Its last convolution is 1x1 from 16
        channels, so the projections of what it adds are made from those 16 channels.
        """
        if all(mask is None for mask in mask_inputs):
            return picture.plain, picture.projected
        channels = self._mask_channels(mask_inputs)
        given = torch.tensor([mask is not None for mask in mask_inputs], device=channels.device)
        # (B, 1, C): either the bias of the convolution left out, or SAM's token for "no mask".
        offset = torch.where(given[:, None], self._mask_bias, self._no_mask)[:, None]
        added = torch.matmul(channels.transpose(1, 2), self._mask_weight.t()) + offset
        key, value, query = (
            self._project_mask(base, weight, channels, offset)
            for base, weight in zip(picture.embedded, self._first, strict=True)
        )
        return picture.embedding + added, (key, value, query)

    def _mask_channels(self, mask_inputs: Sequence[Tensor | None]) -> Tensor:
        """Convolve mask inputs to (B, 16, N); zeros for objects without one."""
        given = [index for index, mask in enumerate(mask_inputs) if mask is not None]
        masks = torch.stack([mask for mask in mask_inputs if mask is not None])[:, None]
        convolved: Tensor = self._mask_convolutions(masks).flatten(2)
        channels = convolved.new_zeros(len(mask_inputs), *convolved.shape[1:])
        channels[given] = convolved
        return channels

    def _project_mask(
        self, base: Tensor, weight: Tensor, channels: Tensor, offset: Tensor
    ) -> Tensor:
        rows = weight.flatten(0, 1)
        # (1, hd, N) and (B, hd, 1): all linear, so the parts are projected one by one.
        start = base.flatten(1, 2) + rows @ offset.transpose(1, 2)
        # (hd, C) by (C, 16): 16 channels meet the positions instead of 256.
        mixing = (rows @ self._mask_weight).expand(len(channels), -1, -1)
        added = torch.baddbmm(start, mixing, channels)
        return added.view(len(channels), *weight.shape[:2], -1)

    def __call__(
        self, tokens: Tensor, filler: Tensor | None, image: Tensor, projections: Projections
    ) -> tuple[Tensor, Tensor]:
        """Run all layers.

        Args:
            tokens: (B, T, C) output tokens, then prompts.
            filler: (B, T) bool, tokens that stand for nothing, or None if there are none.
            image: (B or 1, N, C), as `start` returned.
            projections: as `start` returned.

        Returns:
            (B, T, C) tokens and (B, N, C) image; rows of filler are meaningless.
        """
        first, *others = self._layers
        state, image = first.from_projections(tokens, filler, image, projections)
        for layer in others:
            state, image = layer(state, tokens, filler, image, image + self._positions)
        # Tokens are their own positional encoding, and are added again before every attention.
        attended = self._final(state + tokens, image + self._positions, image)
        normed: Tensor = self._norm(state + attended)
        return normed, image


class _Layer:
    """One block: tokens among themselves, to the image, a small network, and the image to them."""

    def __init__(self, block: TwoWayAttentionBlock) -> None:
        self.block = block
        self.to_image = TokensToImage(block.cross_attn_token_to_image)
        self.to_tokens = ImageToTokens(block.cross_attn_image_to_token)

    def from_projections(
        self, tokens: Tensor, filler: Tensor | None, image: Tensor, projections: Projections
    ) -> tuple[Tensor, Tensor]:
        """Run as the first layer, in which tokens are their own positions."""
        block = self.block
        key, value, query = projections
        # Not added to the tokens: in SAM's first layer attention replaces them.
        state = block.norm1(attend_among(block.self_attn, tokens, tokens, filler))
        state = self._settle(state, self.to_image.projected(state + tokens, key, value))
        image = self.to_tokens.projected(image, state + tokens, state, query, filler)
        return state, block.norm4(image)

    def __call__(
        self, state: Tensor, tokens: Tensor, filler: Tensor | None, image: Tensor, placed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run as a later layer; `placed` is the image with its positional encoding."""
        block = self.block
        state = block.norm1(state + attend_among(block.self_attn, state + tokens, state, filler))
        state = self._settle(state, self.to_image(state + tokens, placed, image))
        image = self.to_tokens(image, state + tokens, state, placed, filler)
        return state, block.norm4(image)

    def _settle(self, state: Tensor, attended: Tensor) -> Tensor:
        state = self.block.norm2(state + attended)
        settled: Tensor = self.block.norm3(state + self.block.mlp(state))
        return settled


def _as_tokens(maps: Tensor) -> Tensor:
    """Turn (B, C, H, W) into (B, H * W, C)."""
    return maps.flatten(2).transpose(1, 2)
