"""Whole SAM networks: an image encoder with SAM's prompt encoder and mask decoder around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import nn

from rvsam_video.segmenters.sam.encoder_layers import EMBEDDING_WIDTH
from rvsam_video.segmenters.sam.geometry import IMAGE_SIZE

PATCH_SIDE = 16
"""Pixels along each side of the square that one position of the embedding stands for."""


@dataclass(frozen=True, slots=True)
class ViTConfig:
    """A size of SAM's own image encoder.

    Attributes:
        width: channels.
        depth: blocks.
        heads: attention heads.
        whole: blocks that attend to the whole picture; the others to 14x14 windows.
    """

    width: int
    depth: int
    heads: int
    whole: tuple[int, ...]


# The three sizes of the official builders.
VIT_B = ViTConfig(768, 12, 12, (2, 5, 8, 11))
VIT_L = ViTConfig(1024, 24, 16, (5, 11, 17, 23))
VIT_H = ViTConfig(1280, 32, 16, (7, 15, 23, 31))


def vit_encoder(config: ViTConfig) -> nn.Module:
    """Build SAM's vision transformer of this size, with weights that are to be loaded."""
    encoder: nn.Module = ImageEncoderViT(
        depth=config.depth,
        embed_dim=config.width,
        img_size=IMAGE_SIZE,
        mlp_ratio=4,
        # PyTorch's own eps is ten times as large.
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=config.heads,
        patch_size=PATCH_SIDE,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=config.whole,
        window_size=14,
        out_chans=EMBEDDING_WIDTH,
    )
    return encoder


def sam_around(encoder: nn.Module, side: int = IMAGE_SIZE) -> Sam:
    """Put SAM's prompt encoder and mask decoder around an image encoder.

    The names of the result's state dict are those of the official checkpoints.

    Args:
        encoder: from (B, 3, side, side) to (B, 256, side / 16, side / 16).
        side: pixels of the square; another one than 1024 has the same weights, but coordinates
            are those of the smaller square.

    Returns:
        A `segment_anything.modeling.Sam` in evaluation mode, with weights that are to be loaded.
    """
    # One set of sizes for all networks of the family: only the image encoder differs.
    prompt_encoder = PromptEncoder(
        embed_dim=EMBEDDING_WIDTH,
        image_embedding_size=(side // PATCH_SIDE, side // PATCH_SIDE),
        input_image_size=(side, side),
        mask_in_chans=16,
    )
    transformer = TwoWayTransformer(
        depth=2, embedding_dim=EMBEDDING_WIDTH, mlp_dim=2048, num_heads=8
    )
    decoder = MaskDecoder(
        num_multimask_outputs=3,
        transformer=transformer,
        transformer_dim=EMBEDDING_WIDTH,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    # Not on the meta device: SAM's pixel mean is in no checkpoint and would stay empty.
    sam = Sam(encoder, prompt_encoder, decoder).eval()
    for parameter in sam.parameters():
        parameter.requires_grad_(requires_grad=False)
    return sam


def half_precision(device: torch.device) -> torch.autocast:
    """Return the context that image encoders run in: half precision where that is faster."""
    return torch.autocast(device.type, enabled=device.type in ("cuda", "mps"))
