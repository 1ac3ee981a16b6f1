"""Which pictures come in which step, and their reading in other processes while the net learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.training.mask_prompts import MaskAims, aims_of
from rvsam_video.training.pictures import PictureFile
from rvsam_video.training.squares import as_sizes, square_of
from rvsam_video.training.store import EmbeddingStore

_EPOCHS_A_SEED = 1_000_003
"""Prime, so that the seeds of the epochs of two nearby runs do not meet."""


class Batch(NamedTuple):
    """What a step learns from.

    Attributes:
        squares: (B, S, S, 3) uint8.
        sizes: (B, 2) int64, width and height of each picture in its square.
        targets: (B, 256, h, w) float16, the teacher's embeddings.
        numbers: (B,) int64, of the pictures among all.
        step: (B,) int64, the step, B times.
        points: (B, P, 2) float32, x and y in the square, of the objects to ask for; P may be 0.
        boxes: (B, P, 4) float32, x0, y0, x1, y1; NaN where none is known.
    """

    squares: Tensor
    sizes: Tensor
    targets: Tensor
    numbers: Tensor
    step: Tensor
    points: Tensor
    boxes: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(item.to(device, non_blocking=True) for item in self))


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The order in which pictures are seen: a function of the seed and the step alone.

    Results therefore do not depend on the number of processes, and a run goes on at any step.

    Attributes:
        pictures: their number.
        batch: pictures a step, of all processes together.
        epochs: times that all are seen; what does not fill a batch is left out of an epoch.
        seed: of the order.
    """

    pictures: int
    batch: int
    epochs: int
    seed: int

    def __post_init__(self) -> None:
        """Check that there is a step.

        Raises:
            UsageError: if the pictures do not fill one batch.
        """
        if self.pictures < self.batch:
            msg = f"{self.pictures} pictures do not fill a batch of {self.batch}"
            raise UsageError(f"{msg}; give more pictures or a smaller --batch")

    @property
    def epoch_steps(self) -> int:
        """Steps of one epoch."""
        return self.pictures // self.batch

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.epoch_steps

    def part(self, first: int, rank: int, world: int) -> Iterator[list[tuple[int, int]]]:
        """Yield one process's (picture, step) pairs, step by step.

        Args:
            first: the step to begin with.
            rank: of the process.
            world: number of processes.
        """
        order: Tensor | None = None
        for step in range(first, self.steps):
            epoch, place = divmod(step, self.epoch_steps)
            if order is None or place == 0:
                chance = torch.Generator().manual_seed(self.seed * _EPOCHS_A_SEED + epoch)
                order = torch.randperm(self.pictures, generator=chance)
            together = order[place * self.batch : (place + 1) * self.batch]
            yield [(int(number), step) for number in together[rank::world]]


def hold_out(count: int, wanted: int, seed: int) -> tuple[list[int], list[int]]:
    """Split pictures into those to learn from and those to score on.

    Args:
        count: of all pictures.
        wanted: number to score on; a tenth of all at most.
        seed: of the choice.

    Returns:
        Numbers of the first and of the second kind, each in order.
    """
    # From another stream than the order of the pictures.
    chance = torch.Generator().manual_seed(seed * _EPOCHS_A_SEED - 1)
    chosen = torch.randperm(count, generator=chance)[: min(wanted, count // 10)]
    held = set(chosen.tolist())
    return [number for number in range(count) if number not in held], sorted(held)


class LearningPictures(Dataset[Batch]):
    """Pictures with the teacher's embeddings, one at a time, as batches of one.

    Args:
        store: the embeddings.
        pictures: of which names of the store, in which order.
        aims: how many objects of each picture to ask for.
        seed: of their choice.
    """

    def __init__(
        self, store: EmbeddingStore, pictures: Sequence[PictureFile], aims: int = 0, seed: int = 0
    ) -> None:
        self.store, self.pictures = store, pictures
        self._aims, self._seed = aims, seed

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.pictures)

    def __getitem__(self, index: int | tuple[int, int]) -> Batch:
        """Read one picture; the index is its number, or that and the step.

        Raises:
            SourceError: if it or its embedding cannot be read, or it is another picture now.
        """
        number, step = index if isinstance(index, tuple) else (index, 0)
        picture = self.pictures[number]
        square, size = square_of(picture.load(), self.store.facts.side)
        if size != (known := self.store.size(picture.name)):
            msg = f"{picture.name} is {size[0]}x{size[1]} pixels in its square, but was "
            msg += f"{known[0]}x{known[1]} when it was embedded; embed it again"
            raise SourceError(msg)
        aims = self._aims_of(picture, size, number, step)
        return Batch(
            square[None],
            as_sizes([size]),
            torch.from_numpy(self.store.read(picture.name))[None],
            torch.tensor([number]),
            torch.tensor([step]),
            torch.from_numpy(aims.points)[None],
            torch.from_numpy(aims.boxes)[None],
        )

    def _aims_of(
        self, picture: PictureFile, size: tuple[int, int], number: int, step: int
    ) -> MaskAims:
        # By step and picture: the same in any process, and other ones in every epoch.
        chance = np.random.default_rng([self._seed, step, number])
        return aims_of(picture, size, self._aims, chance)


def pictures_of(store: EmbeddingStore, found: Sequence[PictureFile]) -> list[PictureFile]:
    """Return the files of a store's pictures, in its order.

    Raises:
        SourceError: if one is missing.
    """
    by_name: Mapping[str, PictureFile] = {picture.name: picture for picture in found}
    missing = [name for name in store.names if name not in by_name]
    if missing:
        msg = f"{len(missing)} pictures of {store.folder} are not there, such as {missing[0]}"
        raise SourceError(f"{msg}; give the folder they were embedded from with --images")
    return [by_name[name] for name in store.names]


def loader_of(
    data: LearningPictures, steps: Iterator[list[tuple[int, int]]], *, workers: int, pin: bool
) -> Iterator[Batch]:
    """Return batches, read ahead by other processes.

    Args:
        data: the pictures.
        steps: (picture, step) pairs of each batch, as `BatchPlan.part` gives them.
        workers: processes; 0 reads in this one.
        pin: whether to put batches where a CUDA device can fetch them.
    """
    # One loader for all epochs: a new one each would stand still while its processes start.
    loader: DataLoader[Batch] = DataLoader(
        data,
        batch_sampler=_Steps(steps),
        num_workers=workers,
        collate_fn=_join,
        pin_memory=pin,
        # Its own: loaders draw from the common one, which checkpoints keep.
        generator=torch.Generator(),
    )
    return iter(loader)


class _Steps:
    """A sampler that is used up once."""

    def __init__(self, steps: Iterator[list[tuple[int, int]]]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return self._steps


def _join(items: Sequence[Batch]) -> Batch:
    return Batch(*(torch.cat(column) for column in zip(*items, strict=True)))
