"""`EmbeddingObjective` and `MaskObjective`: a student together with what it is to match."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.training.batches import Batch
from rvsam_video.training.decoding import (
    LOGIT_PIXELS,
    PromptBatch,
    boxes_around,
    decoder_from,
    picture_part,
)
from rvsam_video.training.losses import LOSSES
from rvsam_video.training.recipe import Recipe
from rvsam_video.training.squares import encoder_input, valid_cells

_CROSS_ENTROPY, _DICE = 5.0, 5.0
"""Weights of the two losses of masks in EdgeSAM's second phase."""

_SEED_STEP = 1_000_003
_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class StudentObjective(nn.Module):
    """A student and a loss; called with a batch it gives the loss.

    Args:
        student: the image encoder that learns.
        precision: "float32", "bfloat16" or "float16", in which the student computes.
    """

    def __init__(self, student: nn.Module, precision: str) -> None:
        super().__init__()
        self.student = student
        self._precision = precision

    def learnt(self) -> dict[str, nn.Module]:
        """Return what learns, by the name under which checkpoints keep it."""
        return {"student": self.student}

    def embed(self, batch: Batch) -> Tensor:
        """Return the student's (B, 256, h, w) float32 embeddings."""
        pixels = encoder_input(batch.squares, batch.sizes)
        if pixels.is_cuda:
            # The order in which NVIDIA's half-precision convolutions are fastest.
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        half = _HALF.get(self._precision)
        with torch.autocast(pixels.device.type, dtype=half, enabled=half is not None):
            embedding: Tensor = self.student(pixels)
        return embedding.float()


class EmbeddingObjective(StudentObjective):
    """Match the teacher's embeddings.

    Args:
        student: the image encoder that learns.
        recipe: its loss counts.
        precision: as for `StudentObjective`.
    """

    def __init__(self, student: nn.Module, recipe: Recipe, precision: str) -> None:
        super().__init__(student, precision)
        self._loss = LOSSES[recipe.loss]

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        valid = valid_cells(batch.sizes, batch.targets.shape[-1])
        return self._loss(self.embed(batch), batch.targets, valid)


class MaskObjective(StudentObjective):
    """Match the masks that the teacher's decoder makes of the teacher's embeddings.

    Each object is asked for with a box or a point, and then again with a point where the answer was
    wrong, as in EdgeSAM's second phase (chongzhou96/EdgeSAM). The teacher's masks are made of the
    stored embeddings, so they need no disk.

    Args:
        student: the image encoder that learns.
        decoder: names and tensors of the teacher's prompt encoder and mask decoder.
        side: pixels along each side of the square.
        recipe: rounds, seed and whether the decoder learns count.
        precision: as for `StudentObjective`.
    """

    def __init__(
        self,
        student: nn.Module,
        decoder: Mapping[str, Tensor],
        side: int,
        recipe: Recipe,
        precision: str,
    ) -> None:
        super().__init__(student, precision)
        self.teacher = decoder_from(decoder, side, "the teacher's decoder")
        self.decoder = decoder_from(decoder, side, "the teacher's decoder")
        if recipe.train_decoder:
            # SAM's own mask input is not used here: what nothing reaches must not be waited for.
            self.decoder.mask_decoder.requires_grad_()
            self.decoder.mask_decoder.iou_prediction_head.requires_grad_(requires_grad=False)
        self._rounds, self._seed = recipe.rounds, recipe.seed
        self._train_decoder = recipe.train_decoder

    def learnt(self) -> dict[str, nn.Module]:
        """Return the student, and the decoder if it learns."""
        return {**super().learnt(), **({"decoder": self.decoder} if self._train_decoder else {})}

    def forward(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        embeddings = self.embed(batch)
        losses = [self._of_picture(embeddings, batch, row) for row in range(len(batch.sizes))]
        return torch.stack(losses).mean()

    def _of_picture(self, embeddings: Tensor, batch: Batch, row: int) -> Tensor:
        # Seeded by step and picture: the same in any process, and after going on.
        seed = (self._seed * _SEED_STEP + int(batch.step[row])) * _SEED_STEP
        chance = torch.Generator().manual_seed((seed + int(batch.numbers[row])) % 2**63)
        size, target = batch.sizes[row], batch.targets[row : row + 1].float()
        masks, asked = self._teacher_masks(target, batch, row, chance)
        if not len(masks):
            # No object here, but every process must have a gradient for everything.
            own = [item.sum() for item in self.decoder.parameters() if item.requires_grad]
            return torch.stack([embeddings[row].sum(), *own]).sum() * 0
        losses = []
        for number in range(self._rounds):
            logits = self._answer(embeddings[row : row + 1], asked, size)
            losses.append(mask_loss(logits, masks))
            if number + 1 < self._rounds:
                asked = asked.with_point(*_where_wrong(logits.detach() > 0, masks, chance))
        return torch.stack(losses).mean()

    def _answer(self, embedding: Tensor, asked: PromptBatch, size: Tensor) -> Tensor:
        # Not the best of three: which one is best is nothing that a gradient could follow.
        logits, _ = self.decoder(embedding, asked)
        return picture_part(logits[:, 0], size)

    @torch.no_grad()
    def _teacher_masks(
        self, target: Tensor, batch: Batch, row: int, chance: torch.Generator
    ) -> tuple[Tensor, PromptBatch]:
        """Return the teacher's (N, rows, columns) masks, and the prompts that they answer."""
        asked = self._first_prompts(target, batch, row, use_boxes=_coin(chance))
        logits, _ = self.teacher(target, asked)
        masks = picture_part(logits[:, 0], batch.sizes[row]) > 0
        kept = masks.flatten(1).any(1)
        parts = (asked.points, asked.labels, asked.boxes)
        return masks[kept], PromptBatch(*(None if part is None else part[kept] for part in parts))

    def _first_prompts(
        self, target: Tensor, batch: Batch, row: int, *, use_boxes: bool
    ) -> PromptBatch:
        asked = PromptBatch.at_points(batch.points[row])
        if not use_boxes:
            return asked
        boxes = batch.boxes[row]
        if not boxes.isnan().any():
            return PromptBatch(boxes=boxes)
        # Without annotations: boxes around what the teacher sees at the points.
        masks = picture_part(self.teacher.best(target, asked), batch.sizes[row]) > 0
        return PromptBatch(boxes=boxes_around(masks[masks.flatten(1).any(1)]))


def mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Weigh binary cross-entropy and Dice, each a mean over the objects.

    Args:
        logits: (N, H, W) float32.
        masks: (N, H, W) bool.
    """
    wanted = masks.float()
    entropy = F.binary_cross_entropy_with_logits(logits, wanted)
    share = logits.sigmoid()
    both = (share * wanted).sum((1, 2))
    # One more above and below: small masks would swing between 0 and 1.
    dice = 1 - (2 * both + 1) / (share.sum((1, 2)) + wanted.sum((1, 2)) + 1)
    return _CROSS_ENTROPY * entropy + _DICE * dice.mean()


def _where_wrong(found: Tensor, wanted: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Choose a point where each mask is wrong, or anywhere on the object if it is right.

    Returns:
        (N, 2) float32 x and y in pixels of the square, and (N,) labels.
    """
    wrong = found ^ wanted
    wrong = torch.where(wrong.flatten(1).any(1)[:, None, None], wrong, wanted)
    # On the CPU: other devices would draw other numbers from the same seed.
    drawn = torch.rand(wrong.shape, generator=chance).to(wrong.device)
    place = torch.where(wrong, drawn, -1.0).flatten(1).argmax(1)
    columns, rows = place % wrong.shape[2], place // wrong.shape[2]
    labels = wanted.flatten(1).gather(1, place[:, None])[:, 0].float()
    # The middle of the position; the decoder adds half a pixel itself.
    middle = torch.stack([columns, rows], 1).float() * LOGIT_PIXELS + (LOGIT_PIXELS - 1) / 2
    return middle, labels


def _coin(chance: torch.Generator) -> bool:
    return bool(torch.rand((), generator=chance) < 0.5)
