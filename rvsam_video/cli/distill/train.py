"""`rvsam-video distill train`: train a student on a teacher's embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from rvsam_video.cli.distill.options import images_option
from rvsam_video.cli.ending import Asked, stop_when_asked
from rvsam_video.cli.options import FOLDER, report_options, with_options
from rvsam_video.cli.progress import Reporter, reporter_for

if TYPE_CHECKING:
    from rvsam_video.training.recipe import Recipe
    from rvsam_video.training.train import TrainingJob
    from rvsam_video.training.trainer import TrainOutcome

_Command = TypeVar("_Command", bound=Callable[..., Any])


class RecipeArguments(TypedDict):
    """Options that change a recipe; None leaves what it says."""

    loss: str | None
    epochs: int | None
    batch: int | None
    rate: float | None
    schedule: str | None
    average: float | None
    precision: str | None
    seed: int | None
    train_decoder: bool | None


class PaceArguments(TypedDict):
    """Options that change nothing of what is learnt."""

    log_every: int
    save_every: int
    score_every: int
    score_prompts: int
    workers: int | None


_RECIPE_OPTIONS = (
    click.option("--loss", type=click.Choice(["valid-mse", "mse", "root"]), help="Of embeddings."),
    click.option("--epochs", type=click.IntRange(1)),
    click.option("--batch", type=click.IntRange(1), help="Pictures a step, of all processes."),
    click.option("--rate", type=click.FloatRange(0, min_open=True), help="Learning rate."),
    click.option("--schedule", type=click.Choice(["cosine", "cosine-from-start", "exponential"])),
    click.option(
        "--average",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Decay of an average of the weights, kept and scored beside them, such as 0.999.",
    ),
    click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16", "float16"])),
    click.option("--seed", type=click.IntRange(0, 2**31)),
    click.option(
        "--train-decoder/--freeze-decoder",
        default=None,
        help="Whether the mask decoder learns, too; of recipe masks.",
    ),
)

_PACE_OPTIONS = (
    click.option("--log-every", type=click.IntRange(1), default=20, show_default=True),
    click.option("--save-every", type=click.IntRange(1), default=500, show_default=True),
    click.option(
        "--score-every",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Steps between scorings; 0 for every epoch's end.",
    ),
    click.option(
        "--score-prompts",
        type=click.IntRange(0),
        default=16,
        show_default=True,
        help="Objects of each scored picture.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(0),
        help="Processes that read pictures.  [default: half of the processors, 8 at most]",
    ),
)


class _Arguments(RecipeArguments, PaceArguments):
    """What `with_options` gives the command."""


def _learning_options(function: _Command) -> _Command:
    return with_options(function, (*_RECIPE_OPTIONS, *_PACE_OPTIONS))


@click.command("train", context_settings={"max_content_width": 100})
@click.option("--embeddings", required=True, type=FOLDER, help="From `distill embed`.")
@click.option("--out", required=True, type=FOLDER, help="Folder of the training.")
@images_option
@click.option(
    "--student",
    default="repvit-sam",
    show_default=True,
    help="repvit-m0.6 to repvit-m2.3 (repvit-sam), or tiny-vit-5m (mobile-sam).",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Weights to start from: ImageNet's from timm or the authors, or a SAM checkpoint.",
)
@click.option(
    "--recipe",
    "recipe_name",
    default="default",
    show_default=True,
    help="default, paper, mobile-sam, edge-sam, or masks (after one of the others).",
)
@click.option(
    "--scoring", type=FOLDER, help="Embeddings to score on.  [default: some are held out]"
)
@click.option("--held-out", type=click.IntRange(0), default=200, show_default=True)
@click.option("--tensorboard", is_flag=True, help="Also write for TensorBoard.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda or mps.")
@click.option("--overwrite", is_flag=True, help="Begin again where another training has been.")
@_learning_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    embeddings: Path,
    out: Path,
    images: tuple[Path, ...],
    student: str,
    init: Path | None,
    recipe_name: str,
    scoring: Path | None,
    held_out: int,
    tensorboard: bool,
    device: str,
    overwrite: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[_Arguments],
) -> int:
    """Train a student to give the teacher's embeddings; the same command goes on.

    \b
    Examples:
      rvsam-video distill train --embeddings embeddings --init repvit.safetensors --out run
      torchrun --nproc-per-node 8 -m rvsam_video distill train --embeddings ...
    """  # noqa: D301 (click reads \b)
    import torch

    from rvsam_video.training.processes import joined_processes
    from rvsam_video.training.students import find_student, initialise
    from rvsam_video.training.train import TrainingJob, open_data, start_of, train_student

    recipe = _recipe(recipe_name, given)
    entry = find_student(student)
    with joined_processes(device) as processes:
        # Only the first process speaks.
        reporter = reporter_for(as_json=as_json, what="training", frames=False)
        with reporter, stop_when_asked(reporter.say, "step") as asked:
            data = open_data(
                embeddings, recipe, images=images, held_out=held_out, scoring_store=scoring
            )
            # First weights are drawn from the common generator: the same in every process.
            torch.manual_seed(recipe.seed)
            network = entry.build()
            if init is not None:
                start = initialise(network, entry, init)
                if processes.first:
                    reporter.say(
                        f"{start.taken} tensors from {init}, {len(start.random)} random, "
                        f"{len(start.unused)} not used"
                    )
            job = TrainingJob(
                student=network,
                name=entry.name,
                start=start_of(init, recipe.seed),
                data=data,
                recipe=recipe,
                out=out,
                tensorboard=tensorboard,
                overwrite=overwrite,
                **_paces(given),
            )
            show = _Show(reporter, asked, shown=processes.first)
            show.begin(job, str(processes.device))
            outcome = train_student(job, processes, show)
            if processes.first:
                reporter.end(_values(outcome, out), _lines(outcome, out))
    return 0 if outcome.complete else asked.exit_code


def _recipe(name: str, given: _Arguments) -> Recipe:
    from rvsam_video.training.recipe import Recipe, find_recipe

    names = {field.name for field in fields(Recipe)}
    changes: dict[str, Any] = {
        key: value for key, value in given.items() if key in names and value is not None
    }
    return replace(find_recipe(name), **changes)


def _paces(given: _Arguments) -> dict[str, Any]:
    from rvsam_video.training.train import Readers, default_workers
    from rvsam_video.training.trainer import TrainingPace

    workers = default_workers() if given["workers"] is None else given["workers"]
    return {
        "pace": TrainingPace(
            log=given["log_every"], save=given["save_every"], score=given["score_every"]
        ),
        "readers": Readers(workers=workers, prompts=given["score_prompts"]),
    }


class _Show:
    """Shows how a training goes, in the first process alone."""

    def __init__(self, reporter: Reporter, asked: Asked, *, shown: bool) -> None:
        self._reporter, self._asked, self._shown = reporter, asked, shown

    def begin(self, job: TrainingJob, device: str) -> None:
        """Say what is about to be done."""
        if not self._shown:
            return
        count, recipe = len(job.data.learning), job.recipe
        facts = job.data.learning.store.facts
        self._reporter.say(
            f"{job.name} learns from {facts.teacher} on {count} pictures of {facts.side} pixels, "
            f"{len(job.data.scoring)} held out; {recipe.epochs} epochs of "
            f"{count // recipe.batch} steps on {device}"
        )
        self._reporter.start(recipe.epochs * (count // recipe.batch) * recipe.batch, 0)

    def stepped(self, pictures: int) -> None:
        """Move the bar."""
        if self._shown:
            self._reporter.step(pictures)

    def logged(self, row: Mapping[str, float]) -> None:
        """Say how the last steps went."""
        if self._shown:
            self._reporter.say(
                f"step {row['step']:.0f}, epoch {row['epoch']:.2f}: loss {row['loss']:.5g}, "
                f"rate {row['rate']:.2g}, {row['pictures_per_second']:.2f} pictures/s, "
                f"{100 * row['waiting_share']:.1f} % of the time waiting for them"
            )

    def scored(self, row: Mapping[str, float]) -> None:
        """Say the scores."""
        if self._shown:
            scores = {name: value for name, value in row.items() if name not in ("step", "epoch")}
            self._reporter.say("; ".join(f"{name} {value:.4g}" for name, value in scores.items()))

    def asked_to_stop(self) -> bool:
        """Whether somebody pressed Ctrl-C, or the system asked to end."""
        return self._asked.is_set()


def _values(outcome: TrainOutcome, out: Path) -> dict[str, object]:
    from rvsam_video.training.scoring import told

    return {
        "status": "complete" if outcome.complete else "stopped",
        "folder": str(out),
        "step": outcome.step,
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 3),
        "pictures": outcome.pictures,
        "waiting_share": round(outcome.waiting, 4),
        "scores": told(outcome.scores),
    }


def _lines(outcome: TrainOutcome, out: Path) -> list[str]:
    done = f"step {outcome.step} of {outcome.steps}, {outcome.pictures} pictures in "
    done += f"{outcome.seconds:.1f} s, {100 * outcome.waiting:.1f} % of learning spent waiting"
    if outcome.complete:
        return [f"{done}; next: rvsam-video distill export {out} --out my.pt"]
    return [f"stopped at {done}; the same command goes on from here ({out})"]
