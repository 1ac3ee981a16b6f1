"""What `eval seginw` and `score seginw` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.benchmarks.images.instances_options import Scoring
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER

if TYPE_CHECKING:
    from rvsam_video.evals.images.instances.seginw import WildSet

root_option = click.option(
    "--root", type=FOLDER, required=True, help="Folder with NAME/valid for each set (SegInW)."
)


def score_and_tell_sets(
    stages: Stages,
    sets: Sequence[WildSet],
    results: Mapping[str, Path],
    scoring: Scoring,
    *,
    notes: Sequence[str] = (),
    more: Sequence[str] = (),
) -> None:
    """Score the masks of each set, and print and save what came out.

    Raises:
        SourceError: if results do not fit the truth.
        OutputError: if files cannot be written.
    """
    from rvsam_video.evals.images.instances.report import seginw_report

    scored = {
        one.name: scoring.scored(one.truth, results[one.name], one.images, list(one.truth.pictures))
        for one in sets
    }
    zero = [name for name, one in scored.items() if one.truth.has_id_zero]
    told = list(notes)
    if zero:
        told.append(
            f"{len(zero)} sets have an annotation with the id 0 ({', '.join(zero)}), which "
            "pycocotools cannot find, here as in official numbers; --renumber mends that"
        )
    stages.tell(seginw_report(scored, stages.out, notes=told), stages.out, *more)
