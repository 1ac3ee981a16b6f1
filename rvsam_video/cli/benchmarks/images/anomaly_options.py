"""What `eval anomaly` and `score anomaly` have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rvsam_video.cli.benchmarks.images.options import ChoiceArguments, choice_of
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, names_in, with_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.anomaly.layout import AnomalySet

_Function = TypeVar("_Function", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--root", type=FOLDER, required=True, help="Folder with a folder for each category."
    ),
    click.option("--categories", help="Only these, with commas.  [default: the 15 of MVTec-AD]"),
)


def anomaly_options(function: _Function) -> _Function:
    """Add the options that both commands have."""
    return with_options(function, _OPTIONS)


def anomaly_set(root: Path, categories: str | None, choice: ChoiceArguments) -> AnomalySet:
    """Return the pictures that the options of a command ask for.

    Raises:
        SourceError: if something is missing.
    """
    from rvsam_video.evals.images.anomaly.layout import find_mvtec

    names = None if categories is None else names_in(categories)
    return find_mvtec(root, names, choice_of(choice))


def score_and_tell_anomaly(
    stages: Stages,
    chosen: AnomalySet,
    results: Path,
    *,
    workers: int,
    notes: Sequence[str] = (),
    more: Sequence[str] = (),
) -> None:
    """Score maps, and print and save what came out.

    Raises:
        SourceError: if a map is missing or damaged.
        OutputError: if files cannot be written.
    """
    from rvsam_video.evals.images.anomaly.report import anomaly_report
    from rvsam_video.evals.images.anomaly.scoring import score_anomaly

    scores = stages.show(
        "scoring",
        len(chosen.pictures),
        lambda watch: score_anomaly(chosen, results, workers=workers, watch=watch),
    )
    report = anomaly_report(chosen, scores, results, stages.out, notes=notes)
    stages.tell(report, stages.out, *more)
