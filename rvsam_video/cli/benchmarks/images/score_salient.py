"""`rvsam-video score salient`: how well masks or maps of any tool show what stands out."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.benchmarks.images.options import (
    ChoiceArguments,
    choice_options,
    workers_option,
)
from rvsam_video.cli.benchmarks.images.salient_options import (
    SalientArguments,
    salient_options,
    salient_set,
    score_and_tell_salient,
)
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, report_options


class _Arguments(SalientArguments, ChoiceArguments):
    pass


@click.command("salient", context_settings={"max_content_width": 100})
@salient_options
@click.option(
    "--results",
    type=FOLDER,
    required=True,
    help="Folder with a grey map NAME.png, masks NAME/*.png, or NAME.json of each picture.",
)
@click.option("--out", type=FOLDER, help="Folder for the scores.  [default: that of the results]")
@choice_options
@workers_option
@report_options
def command(
    *,
    results: Path,
    out: Path | None,
    workers: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[_Arguments],
) -> None:
    """Score salient objects: MAE, S, E, F and weighted F; of several masks the best by the truth.

    \b
    Example:
      rvsam-video score salient --root DUTS-TE --results maps
    """  # noqa: D301 (click reads \b)
    chosen = salient_set(given, given)
    stages = Stages(as_json, out or results)
    score_and_tell_salient(stages, chosen, results, missing=given["missing"], workers=workers)
