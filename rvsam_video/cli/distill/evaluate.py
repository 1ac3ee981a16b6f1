"""`rvsam-video distill evaluate`: how near a student is to its teacher, and its DAVIS scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.distill.options import images_option
from rvsam_video.cli.options import FOLDER, report_options
from rvsam_video.cli.progress import reporter_for

if TYPE_CHECKING:
    from rvsam_video.training.finished import TrainedStudent, Which

_MEANING = {
    "embedding_mse": "squared distance to the teacher's embeddings, padding left out",
    "cosine": "cosine with them",
    "point_miou": "masks of points against the teacher's",
    "box_miou": "masks of boxes against the teacher's",
    "annotation_miou": "masks of boxes against annotations",
    "teacher_miou": "the teacher's masks of boxes against annotations",
    "J&F-Mean": "DAVIS 2017 val, from the first masks",
    "J-Mean": "region similarity there",
    "F-Mean": "boundary accuracy there",
}


@click.command("evaluate")
@click.argument("run", type=FOLDER)
@click.option(
    "--embeddings", type=FOLDER, help="To score on: from `distill embed` with the same teacher."
)
@images_option
@click.option(
    "--weights",
    type=click.Choice(["best", "last", "average"]),
    default="best",
    show_default=True,
)
@click.option("--prompts", type=click.IntRange(0), default=64, show_default=True)
@click.option("--most", type=click.IntRange(1), help="Pictures to score on.  [default: all]")
@click.option("--davis", type=FOLDER, help="Root of DAVIS 2017: also track and score its val set.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or mps.")
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    run: Path,
    embeddings: Path | None,
    images: tuple[Path, ...],
    weights: Which,
    prompts: int,
    most: int | None,
    davis: Path | None,
    workers: int,
    device: str,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Score the student of the training RUN.

    Without --embeddings, and without --davis, the last scores of the training are shown.
    """
    from rvsam_video.training.finished import score_student, trained_student
    from rvsam_video.training.processes import joined_processes
    from rvsam_video.training.scoring import ScoringPlan, told

    student = trained_student(run, weights)
    scores: dict[str, float] = {}
    with reporter_for(as_json=as_json, what="scoring", frames=False) as reporter:
        if embeddings is not None:
            with joined_processes(device) as processes:
                plan = ScoringPlan(prompts=prompts, workers=workers)
                scores |= score_student(
                    student, embeddings, processes, plan, images=images, most=most
                )
        if davis is not None:
            scores |= _davis(student, run, davis, device)
        if embeddings is None and davis is None:
            scores |= student.scores
        reporter.end({"run": str(run), "step": student.step, **told(scores)}, [])
    if not as_json:
        _show_table(student, scores)


def _davis(student: TrainedStudent, run: Path, root: Path, device: str) -> dict[str, float]:
    from rvsam_video.evals.davis.layout import find_davis
    from rvsam_video.evals.davis.run import evaluate_davis
    from rvsam_video.methods import Method
    from rvsam_video.training.finished import export_student

    place = run / f"davis-{student.step:08d}"
    place.mkdir(exist_ok=True)
    checkpoint = place / "student.pt"
    export_student(student, checkpoint, overwrite=True)
    method = Method(segmenter=student.segmenter, checkpoint=checkpoint, device=device).resolve()
    chosen = find_davis(root, "val", year=2017, names=None, resolution="480p")
    done = evaluate_davis(chosen, place / "results", method, workers=1, overwrite=False)
    summary = done.scores.summary()
    return {name: summary[name] for name in ("J&F-Mean", "J-Mean", "F-Mean")}


def _show_table(student: TrainedStudent, scores: Mapping[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{student.name} after step {student.step}")
    table.add_column("score", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("of")
    for name, value in scores.items():
        plain = name.removeprefix("average_")
        shown = "-" if math.isnan(value) else f"{value:.4f}"
        table.add_row(name, shown, _MEANING.get(plain, ""))
    # A table that is cut to fit tells nothing.
    Console(width=max(Console().width, 100)).print(table)
