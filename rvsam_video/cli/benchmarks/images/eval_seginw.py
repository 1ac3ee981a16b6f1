"""`rvsam-video eval seginw`: segment the boxes of a detector on the 25 sets of SegInW."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.benchmarks.images.instances_options import (
    Scoring,
    renumber_option,
    score_option,
)
from rvsam_video.cli.benchmarks.images.options import (
    PictureRunArguments,
    choice_of,
    picture_run_options,
)
from rvsam_video.cli.benchmarks.images.seginw_options import root_option, score_and_tell_sets
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, report_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.instances.scoring import ScoreKind
    from rvsam_video.json_values import Json

_PATTERNS = ("NAME.json", "NAME/detections.json")
"""What the boxes of a set may be called."""


@click.command("seginw", context_settings={"max_content_width": 100})
@root_option
@click.option(
    "--detections",
    type=FOLDER,
    required=True,
    help="Folder with NAME.json for each set: boxes in the form of COCO's results.",
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Boxes of a picture that are segmented, the surest first.",
)
@score_option("detector")
@renumber_option
@picture_run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    detections: Path,
    most: int,
    score_kind: ScoreKind,
    renumber: bool,
    out: Path,
    overwrite: bool,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[PictureRunArguments],
) -> None:
    """Segment the boxes of a detector on the sets of SegInW, and score each: AP, and their mean.

    --names, --every and --limit choose sets.

    \b
    Example:
      rvsam-video eval seginw --root seginw --detections boxes --out runs/seginw
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.instances.detections import load_detections
    from rvsam_video.evals.images.instances.run import InstanceSet, run_instances
    from rvsam_video.evals.images.instances.seginw import find_seginw, seginw_file, seginw_files
    from rvsam_video.weights.fetch import file_sha256

    sets = find_seginw(root, choice_of(given))
    names = [one.name for one in sets]
    files = seginw_files(detections, names, _PATTERNS)
    boxes = {one.name: load_detections(files[one.name], one.truth, most) for one in sets}
    stages = Stages(as_json, out)
    part = stages.segmenter(given)
    targets = {name: out / name / seginw_file(name) for name in names}
    work = [
        InstanceSet(
            one.truth, one.images, boxes[one.name], targets[one.name], list(one.truth.pictures)
        )
        for one in sets
    ]
    decides: dict[str, Json] = {
        "evaluation": "SegInW",
        "data": str(root.resolve()),
        "detections": str(detections.resolve()),
        # A detector's new answers have the old names. Of sets that were not chosen too, so that the
        # same folder can be gone on with for more of them.
        "detections_sha256": {
            path.relative_to(detections).as_posix(): file_sha256(path)
            for pattern in _PATTERNS
            for path in sorted(detections.glob(pattern.replace("NAME", "*")))
        },
        "most": most,
    }
    pace = stages.show(
        "segmenting boxes",
        sum(len(one.pictures) for one in work),
        lambda watch: run_instances(
            work,
            out,
            part,
            decides,
            kind=score_kind,
            workers=workers,
            overwrite=overwrite,
            watch=watch,
        ),
    )
    notes = [f"{name}: {note}" for name in names for note in boxes[name].notes(most)]
    scoring = Scoring(renumber=renumber)
    score_and_tell_sets(stages, sets, targets, scoring, notes=notes, more=[str(pace)])
