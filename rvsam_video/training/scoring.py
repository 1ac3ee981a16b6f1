"""`Scorer`: how near a student is to its teacher, in embeddings and in the masks made of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rvsam_video.training.batches import Batch, LearningPictures, loader_of
from rvsam_video.training.decoding import (
    PromptBatch,
    SharedDecoder,
    boxes_around,
    map_size,
    picture_part,
)
from rvsam_video.training.losses import valid_cosine, valid_mse
from rvsam_video.training.mask_prompts import aims_of, truth_of
from rvsam_video.training.objectives import StudentObjective
from rvsam_video.training.processes import Processes
from rvsam_video.training.squares import valid_cells

SCORES = (
    "embedding_mse", "cosine", "point_miou", "box_miou", "annotation_miou", "teacher_miou",
)  # fmt: skip
"""Names of the scores: embeddings against the teacher's; masks of points and of boxes against the
teacher's; masks of boxes, the student's and the teacher's own, against annotations."""


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """What is scored.

    Attributes:
        prompts: objects of each picture.
        batch: pictures at once.
        workers: processes that read pictures.
        seed: of the choice of objects.
    """

    prompts: int = 16
    batch: int = 4
    workers: int = 0
    seed: int = 0


class Scorer:
    """Scores students on the same pictures and prompts each time.

    Args:
        data: the pictures, none of which the student learns from.
        decoder: the teacher's.
        plan: prompts and batches.
        processes: each scores its share of the pictures.
    """

    def __init__(
        self,
        data: LearningPictures,
        decoder: SharedDecoder,
        plan: ScoringPlan,
        processes: Processes,
    ) -> None:
        self._data, self._plan, self._processes = data, plan, processes
        self._teacher = decoder.to(processes.device)

    @torch.no_grad()
    def score(
        self, objective: StudentObjective, decoder: SharedDecoder | None = None
    ) -> dict[str, float]:
        """Score a student in evaluation mode.

        Args:
            objective: holds the student, which is left in the mode that it had.
            decoder: its own, where that learned, too; None for the teacher's.

        Returns:
            Score to value, NaN where there is nothing to tell: means over pictures, and over
            objects of all pictures.
        """
        was_training = objective.training
        objective.eval()
        sums = torch.zeros(len(SCORES), 2, dtype=torch.float64)
        for batch in self._batches():
            embeddings = objective.embed(batch)
            for row in range(len(batch.sizes)):
                sums += self._of_picture(embeddings, batch, row, decoder or self._teacher)
        objective.train(was_training)
        total, count = self._processes.summed(sums).unbind(1)
        return dict(zip(SCORES, (total / count).tolist(), strict=True))

    def _batches(self) -> Iterator[Batch]:
        numbers = range(len(self._data))[self._processes.rank :: self._processes.world]
        size = self._plan.batch
        steps = ([(n, 0) for n in numbers[i : i + size]] for i in range(0, len(numbers), size))
        for batch in loader_of(self._data, steps, workers=self._plan.workers, pin=False):
            yield batch.to(self._processes.device)

    def _of_picture(
        self, embeddings: Tensor, batch: Batch, row: int, decoder: SharedDecoder
    ) -> Tensor:
        """Return (scores, 2) float64: sums of values, and how many there are."""
        one = slice(row, row + 1)
        found, target, size = embeddings[one], batch.targets[one].float(), batch.sizes[row]
        valid = valid_cells(batch.sizes[one], target.shape[-1])
        values: dict[str, Sequence[float]] = {
            "embedding_mse": [float(valid_mse(found, target, valid))],
            "cosine": [float(valid_cosine(found, target, valid))],
        }
        if self._plan.prompts:
            values |= self._masks(found, target, size, int(batch.numbers[row]), decoder)
        rows = [values.get(name, ()) for name in SCORES]
        return torch.tensor([[sum(row), len(row)] for row in rows], dtype=torch.float64)

    def _masks(
        self, found: Tensor, target: Tensor, size: Tensor, number: int, decoder: SharedDecoder
    ) -> dict[str, Sequence[float]]:
        # By picture, not by step: every scoring asks for the same objects.
        chance = np.random.default_rng([self._plan.seed, number])
        shape: tuple[int, int] = (int(size[0]), int(size[1]))
        aims = aims_of(self._data.pictures[number], shape, self._plan.prompts, chance)
        at_points = PromptBatch.at_points(torch.from_numpy(aims.points).to(found.device))

        def masks(of: SharedDecoder, embedding: Tensor, asked: PromptBatch) -> Tensor:
            return picture_part(of.best(embedding, asked), size) > 0

        by_points = masks(self._teacher, target, at_points)
        seen = by_points.flatten(1).any(1)
        boxes = torch.from_numpy(aims.boxes).to(found.device)
        if not aims.entries:
            boxes = boxes_around(by_points[seen])
        values: dict[str, Sequence[float]] = {
            "point_miou": mask_overlaps(masks(decoder, found, at_points), by_points)
        }
        if not len(boxes):
            return values
        asked = PromptBatch(boxes=boxes)
        own, teachers = masks(decoder, found, asked), masks(self._teacher, target, asked)
        values["box_miou"] = mask_overlaps(own, teachers)
        if (drawn := truth_of(aims, *map_size(size))) is not None:
            truth = torch.from_numpy(drawn).to(found.device)
            values["annotation_miou"] = mask_overlaps(own, truth)
            values["teacher_miou"] = mask_overlaps(teachers, truth)
        return values


def told(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the scores that there is something to tell of; JSON knows no NaN."""
    return {name: value for name, value in scores.items() if not math.isnan(value)}


def mask_overlaps(found: Tensor, wanted: Tensor) -> list[float]:
    """Return intersection over union of each pair of (N, H, W) masks; both empty count as 1."""
    both = (found & wanted).sum((1, 2)).double()
    either = (found | wanted).sum((1, 2)).double()
    shares: list[float] = torch.where(either > 0, both / either.clamp(min=1), 1.0).tolist()
    return shares
