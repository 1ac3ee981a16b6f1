"""`rvsam-video eval instances`: segment the boxes of a detector on COCO, and score the masks."""

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
from rvsam_video.cli.benchmarks.images.options import (
    PictureRunArguments,
    choice_of,
    picture_run_options,
)
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FILE, FOLDER, report_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.instances.scoring import Protocol, ScoreKind
    from rvsam_video.json_values import Json


@click.command("instances", context_settings={"max_content_width": 100})
@click.option("--images", type=FOLDER, required=True, help="Folder of the pictures.")
@instance_options
@click.option(
    "--detections",
    type=FILE,
    required=True,
    help="Boxes of a detector, a JSON list in the form of COCO's results.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="Boxes of a picture that are segmented, the surest first.",
)
@score_option("calibrated")
@picture_run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    images: Path,
    annotations: Path,
    detections: Path,
    most: int,
    score_kind: ScoreKind,
    protocol: Protocol,
    renumber: bool,
    out: Path,
    overwrite: bool,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[PictureRunArguments],
) -> None:
    """Segment every box that a detector has found, and score the masks: AP.

    --names takes ids of pictures.

    \b
    Example:
      rvsam-video eval instances --images val2017 --annotations instances_val2017.json \\
        --detections boxes.json --out runs/coco
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.instances.detections import load_detections
    from rvsam_video.evals.images.instances.report import instance_report
    from rvsam_video.evals.images.instances.run import InstanceSet, run_instances
    from rvsam_video.evals.images.instances.truth import load_instances
    from rvsam_video.sinks.names import RLE_FILE
    from rvsam_video.weights.fetch import file_sha256

    truth = load_instances(annotations)
    boxes = load_detections(detections, truth, most)
    ids = chosen_ids(truth, choice_of(given).choose([str(key) for key in truth.pictures]))
    stages = Stages(as_json, out)
    part = stages.segmenter(given)
    target = out / RLE_FILE
    decides: dict[str, Json] = {
        "evaluation": "instances",
        "annotations": str(annotations.resolve()),
        "images": str(images.resolve()),
        "detections": str(detections.resolve()),
        # A detector's new answers have the old name.
        "detections_sha256": file_sha256(detections),
        "most": most,
    }
    pace = stages.show(
        "segmenting boxes",
        len(ids),
        lambda watch: run_instances(
            [InstanceSet(truth, images, boxes, target, ids)],
            out,
            part,
            decides,
            kind=score_kind,
            workers=workers,
            overwrite=overwrite,
            watch=watch,
        ),
    )
    scored = Scoring(protocol, renumber=renumber).scored(truth, target, images, ids)
    report = instance_report(scored, out, notes=boxes.notes(most))
    stages.tell(report, out, str(pace))
