"""What `eval salient` and `score salient` have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from rvsam_video.cli.benchmarks.images.options import ChoiceArguments, choice_of
from rvsam_video.cli.benchmarks.images.showing import Stages
from rvsam_video.cli.options import FOLDER, with_options
from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.evals.images.salient.layout import SalientSet
    from rvsam_video.evals.images.salient.scoring import Missing

_Function = TypeVar("_Function", bound=Callable[..., object])


class SalientArguments(TypedDict):
    """What `salient_options` gives a command."""

    root: Path | None
    images: Path | None
    masks: Path | None
    missing: Missing


_OPTIONS = (
    click.option("--root", type=FOLDER, help="Folder of DUTS-TE."),
    click.option("--images", type=FOLDER, help="Folder of pictures; with --masks, without --root."),
    click.option("--masks", type=FOLDER, help="Folder of the truth, NAME.png."),
    click.option(
        "--missing",
        type=click.Choice(["one", "empty"]),
        default="one",
        show_default=True,
        help="What a picture counts of which no mask overlaps the truth: an error of 1, as in the "
        "public script, or an empty mask.",
    ),
)


def salient_options(function: _Function) -> _Function:
    """Add the options of `SalientArguments`."""
    return with_options(function, _OPTIONS)


def salient_set(given: SalientArguments, choice: ChoiceArguments) -> SalientSet:
    """Return the pictures that the options of a command ask for.

    Raises:
        UsageError: if not exactly one way of naming the folders is used.
        SourceError: if something is missing.
    """
    from rvsam_video.evals.images.salient.layout import duts_folders, find_salient

    root, images, masks = given["root"], given["images"], given["masks"]
    if root is not None and images is None and masks is None:
        images, masks = duts_folders(root)
    if images is None or masks is None or (root is not None and given["images"] is not None):
        msg = "give either --root, the folder of DUTS-TE, or both --images and --masks"
        raise UsageError(msg)
    return find_salient(images, masks, choice_of(choice))


def score_and_tell_salient(
    stages: Stages,
    chosen: SalientSet,
    results: Path,
    *,
    missing: Missing,
    workers: int,
    more: Sequence[str] = (),
) -> None:
    """Score masks or maps, and print and save what came out.

    Raises:
        SourceError: if a result is missing or does not fit.
        OutputError: if files cannot be written.
    """
    from rvsam_video.evals.images.salient.report import salient_report
    from rvsam_video.evals.images.salient.scoring import score_salient

    scores = stages.show(
        "scoring",
        len(chosen.pictures),
        lambda watch: score_salient(chosen, results, missing=missing, workers=workers, watch=watch),
    )
    report = salient_report(chosen, scores, results, stages.out, missing=missing)
    stages.tell(report, stages.out, *more)
