"""`SharedDecoder`: SAM's prompt encoder and mask decoder for learning and scoring.

Unlike the segmenters' decoder it takes gradients, and squares of any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rvsam_video.segmenters.sam.model import PATCH_SIDE, sam_around
from rvsam_video.weights.read import load_checked

LOGIT_PIXELS = 4
"""Pixels of the square along each side of one position of the decoder's maps."""

_MULTIPLE = slice(1, None)
"""The three answers to an ambiguous prompt; mask 0 is the one to an unambiguous prompt."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptBatch:
    """Prompts for N objects of one picture, all of one form.

    Attributes:
        points: (N, K, 2) float32, x and y in pixels of the square; None for boxes alone.
        labels: (N, K) float32, 1 on the object, 0 off it; goes with `points`.
        boxes: (N, 4) float32, x0, y0, x1, y1; None for points alone.
    """

    points: Tensor | None = None
    labels: Tensor | None = None
    boxes: Tensor | None = None

    @classmethod
    def at_points(cls, points: Tensor) -> PromptBatch:
        """Ask with one positive point each; `points` is (N, 2)."""
        return cls(points[:, None], torch.ones(len(points), 1, device=points.device))

    def with_point(self, points: Tensor, labels: Tensor) -> PromptBatch:
        """Return the prompts with one point more each: (N, 2) and (N,)."""
        if self.points is None or self.labels is None:
            return PromptBatch(points[:, None], labels[:, None], self.boxes)
        more = torch.cat([self.points, points[:, None]], 1)
        return PromptBatch(more, torch.cat([self.labels, labels[:, None]], 1), self.boxes)


class SharedDecoder(nn.Module):
    """Masks from embeddings and prompts, under the names of the official checkpoints.

    Args:
        side: pixels along each side of the square.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        sam = sam_around(nn.Identity(), side)
        self.prompt_encoder, self.mask_decoder = sam.prompt_encoder, sam.mask_decoder
        self.cells = side // PATCH_SIDE

    def forward(self, embedding: Tensor, asked: PromptBatch) -> tuple[Tensor, Tensor]:
        """Decode prompts of one picture.

        Args:
            embedding: (1, 256, h, w) float32.
            asked: N prompts.

        Returns:
            (N, 4, 4h, 4w) logits, > 0 is the object, and (N, 4) predicted IoUs. Mask 0 is for
            unambiguous prompts; the others are three answers to an ambiguous one.
        """
        points = None if asked.points is None else (asked.points, asked.labels)
        sparse, dense = self.prompt_encoder(points=points, boxes=asked.boxes, masks=None)
        logits, iou = self.mask_decoder.predict_masks(
            image_embeddings=embedding,
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        return logits, iou

    def best(self, embedding: Tensor, asked: PromptBatch) -> Tensor:
        """Return (N, 4h, 4w) logits: of one click the best of three, else the unambiguous one."""
        logits, iou = self(embedding, asked)
        if asked.boxes is not None or asked.points is None or asked.points.shape[1] > 1:
            first: Tensor = logits[:, 0]
            return first
        best = iou[:, _MULTIPLE].argmax(1) + 1
        chosen: Tensor = logits[torch.arange(len(best), device=best.device), best]
        return chosen


def decoder_from(state: Mapping[str, Tensor], side: int, source: str) -> SharedDecoder:
    """Build a frozen decoder with given weights.

    Args:
        state: names and tensors of prompt encoder and mask decoder.
        side: pixels along each side of the square.
        source: where they are from, for messages.

    Raises:
        WeightsError: if they are those of something else.
    """
    decoder = SharedDecoder(side).eval()
    load_checked(decoder, state, source)
    return decoder.requires_grad_(requires_grad=False)


def picture_part(maps: Tensor, size: Tensor) -> Tensor:
    """Cut the padding off the decoder's maps.

    Args:
        maps: (..., H, W) logits or masks of one picture.
        size: (2,) int64, width and height of the picture in the square.

    Returns:
        (..., rows, columns); positions that show a pixel of the picture.
    """
    columns, rows = map_size(size)
    return maps[..., :rows, :columns]


def map_size(size: Tensor) -> tuple[int, int]:
    """Return how many columns and rows of the decoder's maps show the picture."""
    width, height = size.tolist()
    return -(-width // LOGIT_PIXELS), -(-height // LOGIT_PIXELS)


def boxes_around(masks: Tensor) -> Tensor:
    """Return boxes of masks that are not empty.

    Args:
        masks: (N, H, W) bool, maps of the decoder.

    Returns:
        (N, 4) float32, x0, y0, x1, y1 in pixels of the square.
    """
    boxes = []
    for mask in masks:
        rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
        # The far edge of the last position, not its middle.
        ends = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        boxes.append(torch.cat(ends) * LOGIT_PIXELS)
    return torch.stack(boxes).float() if boxes else masks.new_zeros((0, 4), dtype=torch.float32)
