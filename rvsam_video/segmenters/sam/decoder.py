"""SAM's mask decoder for all objects of a picture together.

Gives what the public decoder gives when it is asked object by object, for any mixture of numbers
of points, boxes and mask inputs: shorter prompts are filled up with tokens that no attention sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.errors import PromptError
from rvsam_video.segmenters.sam.geometry import IMAGE_SIZE, LOGITS_SIDE, Geometry
from rvsam_video.segmenters.sam.prompts import (
    NOT_A_POINT,
    DecodeRequest,
    DecodeResult,
    prompt_rows,
)
from rvsam_video.segmenters.sam.transforms import to_picture_size
from rvsam_video.segmenters.sam.two_way import PictureTokens, TwoWay

_SINGLE = (0,)
_MULTIPLE = (1, 2, 3)
"""Which of the decoder's four masks answer an unambiguous and an ambiguous prompt."""

_OBJECTS_ON_CPU = 2
_OBJECTS_ON_ACCELERATOR = 16
"""Objects that go through the layers at once. Each needs some 30 MB of temporary maps: on a CPU
more than a few only fall out of its caches, accelerators need more to be busy."""

_POSITIONS_ON_CPU = 512
"""Positions that are upsampled at once on a CPU, so that the temporary maps stay in its cache."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedImage:
    """A picture that is ready for the decoder: made once, used by every pass.

    Attributes:
        geometry: size of the picture.
        tokens: its embedding and what all objects share.
    """

    geometry: Geometry
    tokens: PictureTokens


@dataclass(frozen=True, slots=True, eq=False)
class PromptTokens:
    """Points and boxes of B objects as tokens, filled up to the longest.

    Attributes:
        tokens: (B, P, 256) float32; points first, then the box's corners or SAM's own extra token.
        filler: (B, P) bool: tokens that stand for nothing and must not be attended to.
    """

    tokens: Tensor
    filler: Tensor


class PromptTokenizer:
    """Embeds prompts with the weights of a SAM prompt encoder.

    Args:
        encoder: with its weights loaded, on the device that will be used.
    """

    def __init__(self, encoder: PromptEncoder) -> None:
        # Rows 0 to 4: negative, positive, two corners, not a point. Labels are row numbers.
        kinds = [entry.weight for entry in encoder.point_embeddings]
        self._kinds = torch.cat([*kinds, encoder.not_a_point_embed.weight]).detach()
        self._positions = encoder.pe_layer

    def __call__(self, requests: Sequence[DecodeRequest], geometry: Geometry) -> PromptTokens:
        """Embed the points and boxes of some objects of one picture."""
        rows = [prompt_rows(request, geometry) for request in requests]
        longest = max(len(kinds) for _, kinds in rows)
        xy = np.zeros((len(rows), longest, 2), np.float32)
        # Filler needs some embedding; this one has no position. No attention ever sees it.
        kinds = np.full((len(rows), longest), NOT_A_POINT)
        filler = np.ones((len(rows), longest), np.bool_)
        for number, (own_xy, own_kinds) in enumerate(rows):
            count = len(own_kinds)
            xy[number, :count], kinds[number, :count] = own_xy, own_kinds
            filler[number, :count] = False
        device = self._kinds.device
        kind = torch.from_numpy(kinds).to(device)
        # Pixel centres are at whole numbers outside, at halves in the network.
        centres = torch.from_numpy(xy).to(device) + 0.5
        placed: Tensor = self._positions.forward_with_coords(centres, (IMAGE_SIZE, IMAGE_SIZE))
        # That token is its learned vector alone.
        placed = placed.masked_fill((kind == NOT_A_POINT)[..., None], 0)
        return PromptTokens(placed + self._kinds[kind], torch.from_numpy(filler).to(device))


class BatchedDecoder:
    """Decodes all objects of a picture in one pass, with the weights of a loaded SAM.

    Args:
        prompt_encoder: the package's module in evaluation mode, on the device that will be used.
        mask_decoder: likewise.
    """

    def __init__(self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        self._tokenize = PromptTokenizer(prompt_encoder)
        self._two_way = TwoWay(mask_decoder.transformer, prompt_encoder)
        self._upscale = _Upscaling(mask_decoder.output_upscaling)
        # In this order: `_run` reads the IoU from token 0 and the masks from 1 to 4.
        own = [mask_decoder.iou_token.weight, mask_decoder.mask_tokens.weight]
        self._own_tokens = torch.cat(own).detach()[None]
        self._mask_networks = mask_decoder.output_hypernetworks_mlps
        self._iou_network = mask_decoder.iou_prediction_head
        on_cpu = self._own_tokens.device.type == "cpu"
        self._at_once = _OBJECTS_ON_CPU if on_cpu else _OBJECTS_ON_ACCELERATOR

    @torch.inference_mode()
    def prepare(self, embedding: Tensor, geometry: Geometry) -> PreparedImage:
        """Do once what all objects and passes on a picture share.

        Args:
            embedding: (1, 256, 64, 64) from the image encoder, of any floating type.
            geometry: size of the picture.
        """
        # Single precision from here on: the encoder alone may run in half.
        return PreparedImage(geometry, self._two_way.prepare(embedding.float()))

    def decode(
        self, image: PreparedImage, requests: Sequence[DecodeRequest], *, multimask: bool
    ) -> DecodeResult:
        """Decode objects as SAM does.

        Args:
            image: from `prepare`.
            requests: one per object, in any mixture.
            multimask: return three masks, for ambiguous prompts, instead of one (M = 3 or 1).
        """
        masks = _MULTIPLE if multimask else _SINGLE
        chosen = torch.tensor(masks, device=self._own_tokens.device)
        return self._decode(image, requests, lambda iou, _: chosen.expand(len(iou), -1))

    def decode_best(
        self,
        image: PreparedImage,
        requests: Sequence[DecodeRequest],
        ambiguous: Sequence[bool],
    ) -> DecodeResult:
        """Decode objects to one mask each (M = 1).

        Args:
            image: from `prepare`.
            requests: one per object, in any mixture.
            ambiguous: one per object: whether to take the best of three masks, by predicted
                intersection over union, instead of the one that unambiguous prompts are meant for.

        Raises:
            PromptError: if the two lists differ in length.
        """
        if len(ambiguous) != len(requests):
            msg = f"{len(requests)} requests have {len(ambiguous)} marks; give one to each"
            raise PromptError(msg)
        marks = torch.tensor(ambiguous, dtype=torch.bool, device=self._own_tokens.device)

        def choose(iou: Tensor, part: slice) -> Tensor:
            # Among the three only: mask 0 is meant for prompts that leave no choice, and SAM never
            # ranks it with them.
            best = iou[:, list(_MULTIPLE)].argmax(1, keepdim=True) + _MULTIPLE[0]
            return torch.where(marks[part, None], best, _SINGLE[0])

        return self._decode(image, requests, choose)

    def enlarge(self, low_res_logits: Tensor, geometry: Geometry) -> Tensor:
        """Enlarge (B, 256, 256) logits to the picture's size, (B, H, W) float32."""
        return to_picture_size(low_res_logits, geometry)

    @torch.inference_mode()
    def _decode(
        self,
        image: PreparedImage,
        requests: Sequence[DecodeRequest],
        choose: Callable[[Tensor, slice], Tensor],
    ) -> DecodeResult:
        """Decode part by part; `choose` maps (B, 4) IoUs of a part to (B, M) mask numbers."""
        if not requests:
            empty = choose(self._own_tokens.new_zeros(0, len(self._mask_networks)), slice(0))
            iou = empty.to(self._own_tokens.dtype)
            return DecodeResult(iou.new_zeros(*iou.shape, LOGITS_SIDE, LOGITS_SIDE), iou)
        logits, scores = [], []
        for start in range(0, len(requests), self._at_once):
            part = slice(start, start + self._at_once)
            mixing, iou, maps = self._run(image, requests[part])
            chosen = choose(iou, part)
            rows = torch.arange(len(chosen), device=chosen.device)[:, None]
            # Only the masks that were chosen are made: the public decoder makes all four.
            logits.append(self._upscale(maps, mixing[rows, chosen]))
            scores.append(iou.gather(1, chosen))
        return DecodeResult(torch.cat(logits), torch.cat(scores))

    def _run(
        self, image: PreparedImage, requests: Sequence[DecodeRequest]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, 4, 32) mixing vectors, (B, 4) IoUs and the (B, 4096, 256) image."""
        prompts = self._tokenize(requests, image.geometry)
        own = self._own_tokens.expand(len(requests), -1, -1)
        tokens = torch.cat([own, prompts.tokens], 1)
        # Padded with False for SAM's own tokens; a lone object is its own longest, so it has no
        # filler.
        filler = F.pad(prompts.filler, (own.shape[1], 0)) if len(requests) > 1 else None
        device = tokens.device
        masks = [
            None if request.mask_input is None else request.mask_input.to(device, torch.float32)
            for request in requests
        ]
        start, projections = self._two_way.start(image.tokens, masks)
        tokens, maps = self._two_way(tokens, filler, start, projections)
        mixing = [network(tokens[:, 1 + n]) for n, network in enumerate(self._mask_networks)]
        return torch.stack(mixing, 1), self._iou_network(tokens[:, 0]), maps


class _Upscaling:
    """The decoder's two transposed convolutions, as matrix products on rows of positions.

    Kernel and stride are 2, so each position makes its own 2x2 block: a product and no overlap.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        # SAM's sequence: transposed convolution, norm, GELU, transposed convolution, GELU.
        first, norm, _, second, _ = layers
        self._first, self._first_bias = _as_product(first)
        self._second, self._second_bias = _as_product(second)
        self._norm_weight: Tensor = norm.weight.detach()
        self._norm_bias: Tensor = norm.bias.detach()
        self._norm_eps = float(norm.eps)

    def __call__(self, image: Tensor, mixing: Tensor) -> Tensor:
        """Upsample, and mix the channels to masks.

        Args:
            image: (B, 4096, 256) positions.
            mixing: (B, M, 32) one vector per mask.

        Returns:
            (B, M, 256, 256) float32 logits.
        """
        count = image.shape[1]
        step = _POSITIONS_ON_CPU if image.device.type == "cpu" else count
        parts = [
            self._masks(image[:, start : start + step], mixing) for start in range(0, count, step)
        ]
        blocks = torch.cat(parts, 1)
        side = int(count**0.5)
        # Per position: 2x2 blocks of 2x2 blocks, (row, column) each.
        # (B, row, column, row of 2, column of 2, row of 2 in that, column of 2 in that, M)
        shaped = blocks.view(len(image), side, side, 2, 2, 2, 2, -1)
        ordered = shaped.permute(0, 7, 1, 3, 5, 2, 4, 6)
        return ordered.reshape(len(image), -1, LOGITS_SIDE, LOGITS_SIDE)

    def _masks(self, image: Tensor, mixing: Tensor) -> Tensor:
        """Return (B, 16 n, M) logits of (B, n, 256) positions."""
        channels = self._norm_weight.shape
        # (B, n, 4, 64): channels last, so that SAM's LayerNorm2d is a plain layer norm.
        maps = F.linear(image, self._first, self._first_bias).view(len(image), -1, *channels)
        maps = F.layer_norm(maps, channels, self._norm_weight, self._norm_bias, self._norm_eps)
        maps = F.gelu(F.linear(F.gelu(maps), self._second, self._second_bias))
        return torch.bmm(maps.view(len(image), -1, mixing.shape[2]), mixing.transpose(1, 2))


def _as_product(convolution: nn.ConvTranspose2d) -> tuple[Tensor, Tensor]:
    """Return weight (4 * out, in) and bias (4 * out,), for each of the 2x2 outputs in turn."""
    if convolution.bias is None or convolution.kernel_size != convolution.stride:
        msg = "only transposed convolutions with a bias and without overlap can be upsampled so"
        raise ValueError(msg)
    # (in, out, 2, 2) to (2, 2, out, in): for each place of a block the rows of one product.
    weight = convolution.weight.detach().permute(2, 3, 1, 0).flatten(0, 2).contiguous()
    return weight, convolution.bias.detach().repeat(weight.shape[0] // len(convolution.bias))
