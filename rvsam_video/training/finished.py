"""A trained student out of its folder: scored again, or as a checkpoint in the official layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from torch import Tensor, nn

from rvsam_video import __version__
from rvsam_video.errors import OutputError, UsageError
from rvsam_video.export.parts import ExportRequest
from rvsam_video.export.writing import FORMATS, export_part
from rvsam_video.segmenters.sam.exporting import sam_part
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS
from rvsam_video.training.batches import LearningPictures, pictures_of
from rvsam_video.training.decoding import SharedDecoder, decoder_from
from rvsam_video.training.objectives import StudentObjective
from rvsam_video.training.pictures import find_pictures
from rvsam_video.training.processes import Processes
from rvsam_video.training.run_folder import TrainingFolder
from rvsam_video.training.scoring import Scorer, ScoringPlan
from rvsam_video.training.store import DECODER_FILE, EmbeddingStore
from rvsam_video.training.students import find_student
from rvsam_video.weights.fetch import file_sha256
from rvsam_video.weights.read import load_checked, load_state_dict
from rvsam_video.writing import replacing

Which = Literal["best", "last", "average"]
"""Weights of a training: those with the best score, the last ones, or the last average."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedStudent:
    """What a training has come to.

    Attributes:
        name: of the student.
        segmenter: name of the segmenter that its checkpoint is for.
        step: of the checkpoint.
        encoder: tensors of the image encoder by name, in the trained form.
        decoder: tensors of prompt encoder and mask decoder by name.
        learning: what it learnt from, as `run.json` says.
        scores: of the training at that step.
    """

    name: str
    segmenter: str
    step: int
    encoder: Mapping[str, Tensor]
    decoder: Mapping[str, Tensor]
    learning: Mapping[str, object]
    scores: Mapping[str, float]


def trained_student(run: Path, which: Which = "best") -> TrainedStudent:
    """Read a student out of the folder of its training.

    Args:
        run: the folder.
        which: which weights.

    Raises:
        OutputError: if there is no training or no checkpoint.
        UsageError: if there is no average.
        WeightsError: if a file is damaged.
    """
    folder = TrainingFolder.look(run)
    state = folder.chosen("best" if which == "best" else "last")
    encoder = state["modules"]["student"] if which != "average" else state["average"]
    if encoder is None:
        msg = f"{run} has no average of its weights; train with --average, or take best or last"
        raise UsageError(msg)
    entry = find_student(folder.settings["student"])
    own = state["modules"].get("decoder")
    decoder = load_state_dict(run / DECODER_FILE) if own is None else own
    return TrainedStudent(
        name=entry.name,
        segmenter=entry.segmenter,
        step=state["step"],
        encoder=encoder,
        decoder=decoder,
        learning=folder.settings["data"]["learning"],
        scores=state["scores"],
    )


def official_state(student: TrainedStudent) -> dict[str, Tensor]:
    """Return all tensors under the names of the official checkpoints."""
    encoder = {f"image_encoder.{name}": value for name, value in student.encoder.items()}
    return {**encoder, **student.decoder}


def export_student(
    student: TrainedStudent,
    out: Path,
    *,
    kind: str = "checkpoint",
    part: str = "encoder",
    overwrite: bool = False,
) -> str:
    """Write a student as a checkpoint, or for another runtime.

    Args:
        student: from `trained_student`.
        out: the file.
        kind: "checkpoint", which `--checkpoint` takes, or one of `rvsam_video.export.FORMATS`.
        part: "encoder" or "decoder", of other kinds than a checkpoint.
        overwrite: whether to replace a file.

    Returns:
        A sentence on what was written.

    Raises:
        OutputError: if the file is there already, cannot be written, or computes something else.
        UsageError: if a package is missing.
    """
    if kind == "checkpoint":
        _write_checkpoint(student, out, overwrite=overwrite)
        return f"{out}: use it with --segmenter {student.segmenter} --checkpoint {out}"
    if kind not in FORMATS:
        msg = f"{kind!r} is nothing to export to; choose checkpoint or one of: {', '.join(FORMATS)}"
        raise UsageError(msg)
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        checkpoint = Path(place, "student.pt")
        _write_checkpoint(student, checkpoint, overwrite=True)
        request = ExportRequest(part=part, weights=checkpoint)
        network = sam_part(SAM_VARIANTS[student.segmenter], request)
        notes = {
            "network": student.name,
            "part": part,
            "weights_sha256": file_sha256(checkpoint),
            # That of the teacher, the pictures and the first weights, which nobody knows here.
            "weights_licence": "unknown",
            "made_by": f"rvsam-video {__version__}",
        }
        exported = export_part(network, kind, out, metadata=notes, overwrite=overwrite)
    if exported.parity is None:
        return f"{out}: {exported.remark}"
    return f"{out}: largest difference from PyTorch {exported.parity.difference:.2g}"


def _write_checkpoint(student: TrainedStudent, out: Path, *, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        msg = f"{out} is there already; use --overwrite to replace it, or another --out"
        raise OutputError(msg)
    with replacing(out) as temporary:
        torch.save(official_state(student), temporary)


def score_student(
    student: TrainedStudent,
    store: Path,
    processes: Processes,
    plan: ScoringPlan,
    *,
    images: tuple[Path, ...] = (),
    most: int | None = None,
) -> dict[str, float]:
    """Score a student on the pictures of a store.

    Args:
        student: from `trained_student`.
        store: embeddings of its teacher.
        processes: that score together.
        plan: prompts and batches.
        images: where the pictures are; empty for where they were when they were embedded.
        most: pictures to score on at most.

    Raises:
        SourceError: if the store is damaged, or pictures are missing.
        UsageError: if it is of another teacher.
    """
    embeddings = EmbeddingStore.open(store)
    facts = embeddings.facts
    if facts.teacher_sha256 != student.learning["teacher_sha256"]:
        msg = f"{store} is of another teacher ({facts.teacher}) than the student's"
        raise UsageError(f"{msg}; embed the pictures with that one")
    places = images or tuple(map(Path, facts.images))
    files = pictures_of(embeddings, find_pictures(places))[:most]
    own = decoder_from(student.decoder, facts.side, "the training")
    teacher = decoder_from(load_state_dict(store / DECODER_FILE), facts.side, str(store))
    scorer = Scorer(LearningPictures(embeddings, files), teacher, plan, processes)
    objective = StudentObjective(_encoder(student), "float32").to(processes.device)
    decoder: SharedDecoder = own.to(processes.device)
    return scorer.score(objective, decoder)


def _encoder(student: TrainedStudent) -> nn.Module:
    encoder = find_student(student.name).build()
    load_checked(encoder, student.encoder, f"the training of {student.name}")
    return encoder.eval()
