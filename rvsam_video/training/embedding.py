"""`embed_pictures`: the teacher's embeddings of all pictures, shard by shard, into a store.

Any number of processes, on one machine or several that share the folder, can run the same call:
each takes the next shard that nobody has finished or is working on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from rvsam_video.errors import OutputError, SourceError, UsageError
from rvsam_video.runs.lock import FolderLock
from rvsam_video.segmenters.sam.model import half_precision
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, sam_network
from rvsam_video.training.pictures import PictureFile, names_sha256
from rvsam_video.training.shard_writer import ShardWriter, shard_is_whole
from rvsam_video.training.squares import as_sizes, check_side, encoder_input, square_of
from rvsam_video.training.store import (
    DECODER_FILE,
    StoredEmbedding,
    StoreFacts,
    shard_path,
    write_facts,
)
from rvsam_video.weights.devices import choose_device
from rvsam_video.weights.fetch import checkpoint_path, file_sha256, load_state_dict
from rvsam_video.writing import replacing, writing

SHARD_SIZE = 1000
"""Pictures a shard: 2 GiB at 1024 pixels, which every file system and copying tool takes."""

_ROUNDING_PICTURES = 100
_SPARE_BYTES = 64 << 20
_DECODER_PARTS = ("prompt_encoder.", "mask_decoder.")


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """What a student learns from.

    Attributes:
        name: of the segmenter.
        sha256: of its checkpoint.
        encoder: from (B, 3, S, S) to (B, 256, S / 16, S / 16), in evaluation mode.
        decoder: names and tensors of its prompt encoder and mask decoder.
    """

    name: str
    sha256: str
    encoder: nn.Module
    decoder: Mapping[str, Tensor]


def load_teacher(name: str, checkpoint: Path | None = None) -> Teacher:
    """Load a segmenter of the SAM family as a teacher.

    Args:
        name: a key of `SAM_VARIANTS`.
        checkpoint: a file of weights in the official format; None takes the published ones.

    Raises:
        UsageError: if there is no such segmenter.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    if name not in SAM_VARIANTS:
        msg = f"{name!r} is no teacher; choose one of: {', '.join(SAM_VARIANTS)}"
        raise UsageError(msg)
    path = checkpoint_path(name) if checkpoint is None else checkpoint
    state = load_state_dict(path)
    sam = sam_network(SAM_VARIANTS[name], state, source=str(path))
    decoder = {key: value for key, value in state.items() if key.startswith(_DECODER_PARTS)}
    return Teacher(name, file_sha256(path), sam.image_encoder, decoder)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """How pictures are embedded; all but `side` and `shard_size` leave the result as it is.

    Attributes:
        side: pixels of the square; less than 1024 is for trying things out.
        shard_size: pictures a shard.
        batch: pictures at once.
        workers: processes that read and resize pictures; 0 does so in this one.
        device: "auto", or a PyTorch device.
    """

    side: int = 1024
    shard_size: int = SHARD_SIZE
    batch: int = 4
    workers: int = 2
    device: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedOutcome:
    """How embedding went, of this process alone.

    Attributes:
        embedded: pictures.
        skipped: name to reason of those that could not be read.
        elsewhere: shards that other processes were working on.
        largest_rounding: largest difference between a value and its float16, over the first
            hundred pictures.
    """

    embedded: int
    skipped: Mapping[str, str]
    elsewhere: int
    largest_rounding: float


def plan_store(
    pictures: Sequence[PictureFile],
    teacher: Teacher,
    images: Sequence[Path],
    settings: EmbedSettings,
) -> StoreFacts:
    """Say what the store will be of.

    Raises:
        UsageError: if the side does not fit embeddings.
    """
    check_side(settings.side)
    return StoreFacts(
        teacher=teacher.name,
        teacher_sha256=teacher.sha256,
        side=settings.side,
        pictures=len(pictures),
        pictures_sha256=names_sha256(picture.name for picture in pictures),
        shard_size=settings.shard_size,
        images=tuple(str(path.resolve()) for path in images),
    )


def space_needed(folder: Path, facts: StoreFacts) -> tuple[int, int]:
    """Return the bytes that are still to be written and those that are free there.

    Raises:
        OutputError: if the folder cannot be made, or the disk has not enough room.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        there = sum(path.stat().st_size for path in folder.glob("shard_*.npy*"))
    needed = max(0, facts.pictures * facts.record_bytes - there) + _SPARE_BYTES
    if needed > free:
        msg = (
            f"{facts.pictures} embeddings need another {needed / 1e9:.1f} GB, but {folder} has "
            f"{free / 1e9:.1f} GB free; choose another --out, or fewer pictures"
        )
        raise OutputError(msg)
    return needed, free


def embed_pictures(
    pictures: Sequence[PictureFile],
    teacher: Teacher,
    folder: Path,
    facts: StoreFacts,
    settings: EmbedSettings,
    watch: Callable[[int], None] | None = None,
) -> EmbedOutcome:
    """Embed all pictures that are not in the store yet.

    Args:
        pictures: from `find_pictures`.
        teacher: from `load_teacher`, or one of your own.
        folder: of the store; made if it is missing.
        facts: from `plan_store`.
        settings: batch, readers and device.
        watch: told how many pictures are there, as far as this process knows.

    Raises:
        OutputError: if the store is of something else, has no room or cannot be written.
        UsageError: if the teacher's embeddings have another shape, or do not fit float16.
    """
    space_needed(folder, facts)
    _begin(folder, facts, teacher)
    device = choose_device(settings.device)
    encode = partial(_encode, teacher.encoder.eval().to(device), device)
    work = _Work(pictures, folder, facts, settings, encode, watch or (lambda _: None))
    for number in range(facts.shards):
        work.shard(number)
    return EmbedOutcome(
        embedded=work.embedded,
        skipped=work.skipped,
        elsewhere=work.elsewhere,
        largest_rounding=work.rounding,
    )


def _begin(folder: Path, facts: StoreFacts, teacher: Teacher) -> None:
    write_facts(folder, facts)
    # Also written again by every process: the same bytes, in one step.
    with replacing(folder / DECODER_FILE) as temporary:
        torch.save(dict(teacher.decoder), temporary)


class _Work:
    """One process's part of the work."""

    def __init__(
        self,
        pictures: Sequence[PictureFile],
        folder: Path,
        facts: StoreFacts,
        settings: EmbedSettings,
        encode: Callable[[Tensor, Tensor], Tensor],
        watch: Callable[[int], None],
    ) -> None:
        self._pictures, self._folder, self._facts = pictures, folder, facts
        self._settings, self._encode, self._watch = settings, encode, watch
        self.embedded, self.elsewhere, self.rounding, self._seen = 0, 0, 0.0, 0
        self.skipped: dict[str, str] = {}

    def shard(self, number: int) -> None:
        """Make a shard, unless it is there or another process is at it."""
        size = self._facts.shard_size
        part = self._pictures[number * size : (number + 1) * size]
        if not shard_is_whole(self._folder, number):
            lock = FolderLock(shard_path(self._folder, number, ".lock"))
            try:
                lock.acquire()
            except OutputError:
                self.elsewhere += 1
                return
            try:
                # Again: it may have been finished between the first look and the lock.
                if not shard_is_whole(self._folder, number):
                    self._fill(number, part)
            finally:
                lock.release()
        self._seen += len(part)
        self._watch(self._seen)

    def _fill(self, number: int, part: Sequence[PictureFile]) -> None:
        with ShardWriter(self._folder, number, self._facts) as writer:
            rest = part[writer.done :]
            for loaded in _loader(rest, self._settings):
                self._add(writer, loaded)
                self._watch(self._seen + writer.done)
            writer.finish()

    def _add(self, writer: ShardWriter, loaded: _Loaded) -> None:
        embeddings: Iterator[Tensor] = iter(())
        if len(loaded.squares):
            found = self._encode(loaded.squares, loaded.sizes)
            self._check(found)
            embeddings = iter(found)
        sizes = iter(loaded.sizes.tolist())
        for name, reason in zip(loaded.names, loaded.reasons, strict=True):
            if reason:
                writer.skip(name, reason)
                self.skipped[name] = reason
            else:
                width, height = next(sizes)
                writer.add(name, (width, height), self._rounded(name, next(embeddings)))
                self.embedded += 1

    def _check(self, found: Tensor) -> None:
        if tuple(found.shape[1:]) != self._facts.shape:
            msg = (
                f"the teacher's embeddings are {tuple(found.shape[1:])}, not {self._facts.shape}; "
                "SAM's own encoders take --side 1024 only"
            )
            raise UsageError(msg)

    def _rounded(self, name: str, exact: Tensor) -> StoredEmbedding:
        values = exact.numpy()
        largest = float(np.abs(values).max())
        # Also true of values that are no numbers.
        if not largest <= float(np.finfo(np.float16).max):
            msg = f"the teacher's embedding of {name} reaches {largest}, beyond float16's 65504"
            raise UsageError(f"{msg}; check its weights")
        rounded = values.astype(np.float16)
        if self.embedded < _ROUNDING_PICTURES:
            apart = float(np.abs(values - rounded.astype(np.float32)).max())
            self.rounding = max(self.rounding, apart)
        return rounded


@torch.inference_mode()
def _encode(encoder: nn.Module, device: torch.device, squares: Tensor, sizes: Tensor) -> Tensor:
    try:
        with half_precision(device):
            out = encoder(encoder_input(squares.to(device), sizes.to(device)))
    except (RuntimeError, AssertionError) as error:
        msg = f"the teacher cannot encode pictures of {squares.shape[1]} pixels a side ({error})"
        raise UsageError(f"{msg}; try --side 1024, a smaller --batch or another device") from error
    found: Tensor = out.float().cpu()
    return found


class _Loaded(NamedTuple):
    """A batch: B names and reasons, and the G squares and sizes of those without a reason."""

    names: list[str]
    reasons: list[str]
    squares: Tensor
    sizes: Tensor


class _Pictures(Dataset[tuple[str, str, Tensor | None, tuple[int, int]]]):
    def __init__(self, pictures: Sequence[PictureFile], side: int) -> None:
        self._pictures, self._side = pictures, side

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[str, str, Tensor | None, tuple[int, int]]:
        picture = self._pictures[index]
        try:
            square, size = square_of(picture.load(), self._side)
        except SourceError as error:
            return picture.name, str(error), None, (0, 0)
        return picture.name, "", square, size


def _collate(items: Sequence[tuple[str, str, Tensor | None, tuple[int, int]]]) -> _Loaded:
    squares = [square for _, _, square, _ in items if square is not None]
    sizes = [size for _, _, square, size in items if square is not None]
    return _Loaded(
        [item[0] for item in items],
        [item[1] for item in items],
        torch.stack(squares) if squares else torch.zeros(0),
        as_sizes(sizes),
    )


def _loader(pictures: Sequence[PictureFile], settings: EmbedSettings) -> Iterator[_Loaded]:
    if not pictures:
        return iter(())
    return iter(
        DataLoader(
            _Pictures(pictures, settings.side),
            batch_size=settings.batch,
            num_workers=min(settings.workers, len(pictures)),
            collate_fn=_collate,
            # Its own: loaders draw from the common one, and nobody's chance should depend on it.
            generator=torch.Generator(),
        )
    )
