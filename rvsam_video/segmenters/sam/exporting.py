"""What can be exported of a SAM network: the image encoder, and the decoder with its prompts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder
from torch import Tensor, nn

from rvsam_video.export.parts import ExportPart, ExportRequest
from rvsam_video.segmenters.sam.registry import SamVariant, sam_network
from rvsam_video.weights.read import load_state_dict

_SIDE = 1024
"""Side in pixels of the square picture of the encoder, and of the decoder's coordinates."""

_PICTURE_ROWS = 576
"""Rows of a 16:9 picture in that square; the rest is padding, which probes should have, too."""

_MASK_SIDE = 256
_EMBEDDING_SHAPE = (1, 256, 64, 64)
_POINT_COUNTS = (5, 1, 12)
"""Numbers of points of the decoder's probes: the traced one, fewer and more."""

_NO_POINT, _BOX_END = -1, 3
"""Lowest and highest label of the decoder."""

_LOGIT_SPREAD = 5.0
"""Deviation of a probe's mask input; low-resolution logits of real pictures are of this size."""


def encoder_part(encoder: nn.Module) -> ExportPart:
    """Describe an image encoder, in its fused form where it has one.

    The file takes `image`, (1, 3, 1024, 1024) float32 RGB, normalised and padded with zeros right
    and below, and gives `embedding`, (1, 256, 64, 64) float32.
    """
    network = encoder.eval().requires_grad_(requires_grad=False)
    return ExportPart("encoder", network, ("image",), ("embedding",), {}, _encoder_probes)


def decoder_part(
    prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder, count: int | None = None
) -> ExportPart:
    """Describe SAM's prompt encoder and mask decoder as one network, see `PromptedDecoder`.

    Args:
        prompt_encoder: of the `segment_anything` package, with its weights loaded.
        mask_decoder: likewise.
        count: the number of points, if it is to be fixed.
    """
    network = PromptedDecoder(prompt_encoder, mask_decoder).eval()
    return ExportPart(
        "decoder",
        network.requires_grad_(requires_grad=False),
        ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"),
        ("low_res_logits", "iou_predictions"),
        {"point_coords": 1, "point_labels": 1} if count is None else {},
        partial(_decoder_probes, _POINT_COUNTS if count is None else (count,)),
    )


class PromptedDecoder(nn.Module):
    """Prompts and an embedding to masks, without branches, so that it can be traced.

    The arguments are those of the ONNX decoder of the public `segment_anything` package, but for
    the picture's size: results stay at low resolution, and all four masks are returned.

    Args:
        prompt_encoder: of the `segment_anything` package, with its weights loaded.
        mask_decoder: likewise.
    """

    kinds: Tensor
    no_mask: Tensor
    positions: Tensor

    def __init__(self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        super().__init__()
        encoder = prompt_encoder
        # Row 0 is "no point", label -1: labels are one less than row numbers.
        points = [encoder.not_a_point_embed, *encoder.point_embeddings]
        self.place = encoder.pe_layer
        self.shrink = encoder.mask_downscaling
        self.mask_decoder = mask_decoder
        self.register_buffer("kinds", torch.cat([entry.weight for entry in points]).detach())
        no_mask = encoder.no_mask_embed.weight.detach()
        self.register_buffer("no_mask", no_mask.reshape(1, -1, 1, 1))
        # Computed once: as part of the graph it would run with every call.
        self.register_buffer("positions", encoder.get_dense_pe().detach())

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Decode the prompts of one object.

        Args:
            image_embeddings: (1, 256, 64, 64) float32.
            point_coords: (1, N, 2) float32, x then y in pixels of the 1024x1024 square.
            point_labels: (1, N) float32: 1 on the object, 0 off it, 2 and 3 the upper left and
                lower right corner of a box, -1 no point. Without a box, end with a -1.
            mask_input: (1, 1, 256, 256) float32 logits of an earlier call.
            has_mask_input: (1,) float32, 1 to use them and 0 not to.

        Returns:
            (1, 4, 256, 256) logits, > 0 is the object, and (1, 4) predicted IoUs. Mask 0 is for
            unambiguous prompts; the others are three answers to an ambiguous one.
        """
        # A product in place of a branch, which tracing would decide once and for all.
        dense = has_mask_input.reshape(-1, 1, 1, 1)
        dense = dense * self.shrink(mask_input) + (1 - dense) * self.no_mask
        # Not its forward, which would choose among the masks by a Python flag.
        logits, iou = self.mask_decoder.predict_masks(
            image_embeddings=image_embeddings,
            image_pe=self.positions,
            sparse_prompt_embeddings=self._tokens(point_coords, point_labels),
            dense_prompt_embeddings=dense,
        )
        return logits, iou

    def _tokens(self, coords: Tensor, labels: Tensor) -> Tensor:
        kind = labels.to(torch.int64) - _NO_POINT
        # Pixel centres are at whole numbers outside, at halves in the network. The step behind
        # forward_with_coords, whose writing into a copy exporters turn into scatters.
        placed: Tensor = self.place._pe_encoding((coords + 0.5) / _SIDE)
        tokens: Tensor = placed * (kind != 0).unsqueeze(-1) + self.kinds[kind]
        return tokens


def _encoder_probes() -> list[tuple[Tensor, ...]]:
    image = torch.zeros(1, 3, _SIDE, _SIDE)
    shape = image[:, :, :_PICTURE_ROWS].shape
    image[:, :, :_PICTURE_ROWS] = torch.randn(shape, generator=_generator())
    return [(image,)]


def _decoder_probes(counts: Sequence[int]) -> list[tuple[Tensor, ...]]:
    random = _generator()
    probes: list[tuple[Tensor, ...]] = []
    for count in counts:
        # With and without: a graph that had made one of them constant would pass otherwise.
        for has_mask in (1.0, 0.0):
            labels = torch.randint(_NO_POINT, _BOX_END + 1, (1, count), generator=random)
            arguments = (
                torch.randn(_EMBEDDING_SHAPE, generator=random),
                torch.rand(1, count, 2, generator=random) * _SIDE,
                labels.float(),
                torch.randn(1, 1, _MASK_SIDE, _MASK_SIDE, generator=random) * _LOGIT_SPREAD,
                torch.full((1,), has_mask),
            )
            probes.append(arguments)
    return probes


def _generator() -> torch.Generator:
    # Its own generator: probes are equal each time, and nobody's random numbers are used up.
    return torch.Generator().manual_seed(0)


def sam_part(variant: SamVariant, request: ExportRequest) -> ExportPart:
    """Build a part of a network of the SAM family, encoders in their fused form.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        request: which of `SAM_PARTS`, of which weights, for how many points.

    Raises:
        WeightsError: if the weights cannot be read, or are those of another network.
    """
    state_dict = load_state_dict(request.weights)
    sam = sam_network(variant, state_dict, source=str(request.weights))
    if request.part == "encoder":
        return encoder_part(sam.image_encoder)
    return decoder_part(sam.prompt_encoder, sam.mask_decoder, request.count)
