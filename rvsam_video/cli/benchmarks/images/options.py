"""Options that the commands of several image tasks have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from rvsam_video.cli.methods import SegmenterArguments, segmenter_options
from rvsam_video.cli.options import FOLDER, names_in, with_options

if TYPE_CHECKING:
    from rvsam_video.evals.images.pictures import PictureChoice

_Function = TypeVar("_Function", bound=Callable[..., object])


class ChoiceArguments(TypedDict):
    """What `choice_options` gives a command."""

    names: str | None
    every: int
    limit: int | None


class PictureRunArguments(SegmenterArguments, ChoiceArguments):
    """What `picture_run_options` gives a command besides `out`, `overwrite` and `workers`."""


_CHOICE_OPTIONS = (
    click.option("--names", help="Only these pictures, with commas.  [default: all]"),
    click.option(
        "--every",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Of those, the first of every so many.",
    ),
    click.option("--limit", type=click.IntRange(1), help="Of those, so many at most."),
)

workers_option = click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes."
)

_RUN_OPTIONS = (
    click.option(
        "--out",
        type=FOLDER,
        required=True,
        help="Folder for results and scores; the same command goes on where it was stopped.",
    ),
    click.option(
        "--overwrite", is_flag=True, help="Start again where another evaluation has been."
    ),
)


def choice_options(function: _Function) -> _Function:
    """Add the options of `ChoiceArguments`."""
    return with_options(function, _CHOICE_OPTIONS)


def choice_of(given: ChoiceArguments) -> PictureChoice:
    """Return which pictures the options of a command ask for."""
    from rvsam_video.evals.images.pictures import PictureChoice

    names = given["names"]
    return PictureChoice(
        names=None if names is None else names_in(names),
        every=given["every"],
        limit=given["limit"],
    )


def picture_run_options(function: _Function) -> _Function:
    """Add `--out`, the options of a segmenter, those of a choice, `--workers` and `--overwrite`."""
    out, overwrite = _RUN_OPTIONS
    function = overwrite(workers_option(choice_options(function)))
    return out(segmenter_options(function))
