"""`rvsam-video score instances`: AP of masks that any tool has written, on COCO and its like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.benchmarks.images.instances_options import (
    Scoring,
    chosen_ids,
    instance_options,
    score_option,
)
from rvsam_video.cli.benchmarks.images.options import ChoiceArguments, choice_of, choice_options
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FILE, FOLDER, report_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.instances.scoring import Protocol, ScoreKind


@click.command("instances", context_settings={"max_content_width": 100})
@instance_options
@click.option(
    "--results",
    type=FILE,
    required=True,
    help="Masks to score, a JSON list in the form of COCO's results.",
)
@score_option("given")
@click.option("--images", type=FOLDER, help="Folder of the pictures; with it a gallery is drawn.")
@click.option("--out", type=FOLDER, help="Folder for the scores.  [default: that of the results]")
@choice_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    annotations: Path,
    protocol: Protocol,
    renumber: bool,
    results: Path,
    score_kind: ScoreKind,
    images: Path | None,
    out: Path | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[ChoiceArguments],
) -> None:
    """Score masks against annotations in the form of COCO: AP, by pycocotools.

    --names takes ids of pictures.

    \b
    Example:
      rvsam-video score instances --annotations instances_val2017.json --results masks.json
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.instances.report import instance_report
    from rvsam_video.evals.images.instances.truth import load_instances

    truth = load_instances(annotations)
    ids = chosen_ids(truth, choice_of(given).choose([str(key) for key in truth.pictures]))
    scored = Scoring(protocol, score_kind, renumber).scored(truth, results, images, ids)
    folder = out or results.parent
    Stages(as_json, folder).tell(instance_report(scored, folder), folder)
