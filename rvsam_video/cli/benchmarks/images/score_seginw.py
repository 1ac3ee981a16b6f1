"""`rvsam-video score seginw`: AP of masks that any tool has written, on the sets of SegInW."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.benchmarks.images.instances_options import (
    Scoring,
    renumber_option,
    score_option,
)
from rvsam_video.cli.benchmarks.images.options import ChoiceArguments, choice_of, choice_options
from rvsam_video.cli.benchmarks.images.seginw_options import root_option, score_and_tell_sets
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, report_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.instances.scoring import ScoreKind


@click.command("seginw", context_settings={"max_content_width": 100})
@root_option
@click.option(
    "--results",
    type=FOLDER,
    required=True,
    help="Folder with NAME.json or seginw-NAME_val.json for each set, also in folders NAME.",
)
@score_option("given")
@renumber_option
@click.option("--out", type=FOLDER, help="Folder for the scores.  [default: that of the results]")
@choice_options
@report_options
def command(
    *,
    root: Path,
    results: Path,
    score_kind: ScoreKind,
    renumber: bool,
    out: Path | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[ChoiceArguments],
) -> None:
    """Score masks on the sets of SegInW: AP of each, and their mean.

    --names, --every and --limit choose sets.

    \b
    Example:
      rvsam-video score seginw --root seginw --results masks
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.images.instances.seginw import find_seginw, seginw_file, seginw_files

    sets = find_seginw(root, choice_of(given))
    submitted = seginw_file("NAME")
    patterns = ["NAME.json", submitted, f"NAME/{submitted}"]
    files = seginw_files(results, [one.name for one in sets], patterns)
    scoring = Scoring(kind=score_kind, renumber=renumber)
    score_and_tell_sets(Stages(as_json, out or results), sets, files, scoring)
