"""`train_student`: a store, pictures and a recipe to a trained student in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rvsam_video import __version__
from rvsam_video.errors import UsageError
from rvsam_video.json_values import Json
from rvsam_video.training.batches import (
    Batch,
    BatchPlan,
    LearningPictures,
    hold_out,
    loader_of,
    pictures_of,
)
from rvsam_video.training.decoding import decoder_from
from rvsam_video.training.journal import TrainingJournal
from rvsam_video.training.objectives import (
    EmbeddingObjective,
    MaskObjective,
    StudentObjective,
)
from rvsam_video.training.pictures import PictureFile, find_pictures, names_sha256
from rvsam_video.training.processes import Processes
from rvsam_video.training.recipe import Recipe
from rvsam_video.training.run_folder import TrainingFolder
from rvsam_video.training.scoring import Scorer, ScoringPlan
from rvsam_video.training.store import DECODER_FILE, EmbeddingStore
from rvsam_video.training.trainer import Trainer, TrainingPace, TrainingWatch, TrainOutcome
from rvsam_video.weights.fetch import file_sha256
from rvsam_video.weights.read import load_state_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """What is learnt from and scored on.

    Attributes:
        learning: pictures and embeddings to learn from.
        scoring: those to score on, which are never learnt from; may be empty.
        decoder: names and tensors of the teacher's prompt encoder and mask decoder.
        decoder_file: where they are.
    """

    learning: LearningPictures
    scoring: LearningPictures
    decoder: Mapping[str, Tensor]
    decoder_file: Path

    def facts(self) -> dict[str, Json]:
        """Return what decides the result, for `run.json`."""
        facts: dict[str, Json] = {}
        for name, data in (("learning", self.learning), ("scoring", self.scoring)):
            facts[name] = {
                "teacher": data.store.facts.teacher,
                "teacher_sha256": data.store.facts.teacher_sha256,
                "side": data.store.facts.side,
                "pictures": len(data),
                "pictures_sha256": names_sha256(picture.name for picture in data.pictures),
            }
        return facts


def open_data(
    store: Path,
    recipe: Recipe,
    *,
    images: Sequence[Path] = (),
    held_out: int = 200,
    scoring_store: Path | None = None,
) -> TrainingData:
    """Open a store and find its pictures.

    Args:
        store: folder of the embeddings to learn from.
        recipe: its objective and seed count.
        images: where the pictures are; empty for where they were when they were embedded.
        held_out: pictures of the store to score on, a tenth of it at most; if there is a store
            for that, as many of that one.
        scoring_store: folder of embeddings to score on.

    Raises:
        SourceError: if a store is damaged or not complete, or pictures are missing.
        UsageError: if the two stores are of different teachers or sides.
    """
    embeddings = EmbeddingStore.open(store)
    files = pictures_of(embeddings, _found(embeddings, images))
    aims = recipe.prompts if recipe.objective == "masks" else 0
    if scoring_store is None:
        own, held = hold_out(len(files), held_out, recipe.seed)
        other, scored = embeddings, [files[number] for number in held]
        files = [files[number] for number in own]
    else:
        other = EmbeddingStore.open(scoring_store)
        _check_pair(embeddings, other)
        # Where they were: pictures that are elsewhere now are found through a new store.
        scored = pictures_of(other, _found(other, ()))[:held_out]
    return TrainingData(
        learning=LearningPictures(embeddings, files, aims, recipe.seed),
        scoring=LearningPictures(other, scored),
        decoder=load_state_dict(store / DECODER_FILE),
        decoder_file=store / DECODER_FILE,
    )


def _found(store: EmbeddingStore, images: Sequence[Path]) -> list[PictureFile]:
    return find_pictures(images or [Path(place) for place in store.facts.images])


def _check_pair(one: EmbeddingStore, other: EmbeddingStore) -> None:
    for name in ("teacher_sha256", "side"):
        first, second = (getattr(store.facts, name) for store in (one, other))
        if first != second:
            msg = f"{name} of {one.folder} is {first}, but of {other.folder} {second}"
            raise UsageError(f"{msg}; embed both with the same teacher and --side")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """How pictures are read and scored; none of it changes what is learnt.

    Attributes:
        workers: processes that read pictures, for each process that learns; 0 for none.
        prompts: objects of each picture whose masks are scored; 0 for none.
        batch: pictures at once when scoring.
    """

    workers: int = 2
    prompts: int = 16
    batch: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """All of a training.

    Attributes:
        student: the encoder with the weights that it starts from.
        name: of the student.
        start: what those weights are, for `run.json`: another start is another training.
        data: what is learnt from.
        recipe: how.
        out: folder of the training.
        pace: how often to log, save and score.
        readers: how pictures are read.
        tensorboard: whether to write for TensorBoard, too.
        overwrite: whether to begin again where another training has been.
    """

    student: nn.Module
    name: str
    start: str
    data: TrainingData
    recipe: Recipe
    out: Path
    pace: TrainingPace = field(default_factory=TrainingPace)
    readers: Readers = field(default_factory=Readers)
    tensorboard: bool = False
    overwrite: bool = False


def train_student(job: TrainingJob, processes: Processes, watch: TrainingWatch) -> TrainOutcome:
    """Train a student, or go on where it was stopped.

    Args:
        job: what, on what, how and where to.
        processes: this process among those that learn together.
        watch: told how it goes.

    Raises:
        OutputError: if the folder is of another training, or cannot be written.
        SourceError: if a picture or embedding cannot be read.
        UsageError: if the batch cannot be shared among the processes, or fills no step.
        RvsamError: if the student's gradients are no numbers any more.
    """
    recipe, data = job.recipe, job.data
    if recipe.batch % processes.world:
        msg = f"a batch of {recipe.batch} cannot be shared by {processes.world} processes"
        raise UsageError(f"{msg}; give a --batch that is a multiple of their number")
    plan = BatchPlan(len(data.learning), recipe.batch, recipe.epochs, recipe.seed)
    precision = _precision(recipe, processes.device)
    objective = _objective(job, precision)
    with ExitStack() as closing:
        folder = None
        if processes.first:
            settings = _settings(job, precision)
            folder = closing.enter_context(
                TrainingFolder.begin(job.out, settings, data.decoder_file, overwrite=job.overwrite)
            )
        # Nobody looks for checkpoints before the first one has said whose folder it is.
        processes.wait()
        state = (folder or TrainingFolder.look(job.out)).newest()
        processes.wait()
        journal = None
        if processes.first:
            marks = {} if state is None else state["marks"]
            journal = closing.enter_context(
                TrainingJournal(
                    job.out,
                    marks,
                    averaged=recipe.average is not None,
                    tensorboard=job.tensorboard,
                )
            )

        def batches(first: int) -> Iterator[Batch]:
            steps = plan.part(first, processes.rank, processes.world)
            on_cuda = processes.device.type == "cuda"
            return loader_of(data.learning, steps, workers=job.readers.workers, pin=on_cuda)

        trainer = Trainer(
            objective=objective,
            recipe=recipe,
            precision=precision,
            plan=plan,
            batches=batches,
            score=_score(job, processes),
            processes=processes,
            folder=folder,
            journal=journal,
            pace=job.pace,
            watch=watch,
        )
        return trainer.run(state)


def _precision(recipe: Recipe, device: torch.device) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def _objective(job: TrainingJob, precision: str) -> StudentObjective:
    if job.recipe.objective == "embeddings":
        return EmbeddingObjective(job.student, job.recipe, precision)
    side = job.data.learning.store.facts.side
    return MaskObjective(job.student, job.data.decoder, side, job.recipe, precision)


def _score(job: TrainingJob, processes: Processes) -> Any:  # noqa: ANN401 (a function or None)
    data = job.data.scoring
    if not len(data):
        return None
    side = data.store.facts.side
    decoder = decoder_from(job.data.decoder, side, str(job.data.decoder_file))
    plan = ScoringPlan(
        prompts=job.readers.prompts,
        batch=job.readers.batch,
        workers=job.readers.workers,
        seed=job.recipe.seed,
    )
    scorer = Scorer(data, decoder, plan, processes)

    def score(objective: StudentObjective) -> dict[str, float]:
        own = objective.decoder if isinstance(objective, MaskObjective) else None
        return scorer.score(objective, own)

    return score


def _settings(job: TrainingJob, precision: str) -> dict[str, Json]:
    """Return what makes it the same training; where pictures lie and how often to save do not."""
    return {
        "version": __version__,
        "student": job.name,
        "start": job.start,
        "recipe": {**asdict(job.recipe), "precision": precision},
        "data": job.data.facts(),
    }


def start_of(path: Path | None, seed: int) -> str:
    """Return what `run.json` says of a student's first weights."""
    return f"random, seed {seed}" if path is None else f"sha256 {file_sha256(path)}"


def default_workers() -> int:
    """Return how many processes should read pictures: half of the processors, 8 at most."""
    return min(8, max(1, (os.cpu_count() or 1) // 2))
