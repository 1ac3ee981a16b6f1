"""The options that name what a benchmark runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from rvsam_video.cli.options import with_options

if TYPE_CHECKING:
    from rvsam_video.evals.building import Method

_Function = TypeVar("_Function", bound=Callable[..., object])
_FILE = click.Path(path_type=Path, dir_okay=False)


class MethodArguments(TypedDict):
    """What `method_options` gives a command, under the names that `Method` has for it."""

    preset: str
    tracker: str | None
    segmenter: str | None
    tracker_checkpoint: Path | None
    checkpoint: Path | None
    device: str
    backend: str
    seed: int


_OPTIONS = (
    click.option(
        "--preset",
        default="default",
        show_default=True,
        help="default (no weights), paper, paper-r3, live or accurate.",
    ),
    click.option("--tracker", help="[default: that of the preset]"),
    click.option("--segmenter", help="[default: that of the preset]"),
    click.option(
        "--tracker-checkpoint",
        type=_FILE,
        help="A file of weights for the tracker, instead of the published ones.",
    ),
    click.option(
        "--checkpoint",
        type=_FILE,
        help="A file of weights for the segmenter, instead of the published ones.",
    ),
    click.option(
        "--device", default="auto", show_default=True, help="For networks: cpu, cuda, mps."
    ),
    click.option(
        "--backend",
        type=click.Choice(["torch", "onnxruntime", "openvino"]),
        default="torch",
        show_default=True,
        help="What runs the image encoder of a learned segmenter.",
    ),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True),
)


def method_options(function: _Function) -> _Function:
    """Add the options of `MethodArguments`."""
    return with_options(function, _OPTIONS)


def prepare_method(method: Method, *, shown: bool) -> None:
    """Fetch weights that are not there, and say what must be said of their licences.

    Args:
        method: what will be run.
        shown: whether to show the progress of downloads, and notices.

    Raises:
        UsageError: if a name is unknown.
        WeightsError: if weights cannot be had.
    """
    from rvsam_video.cli.running import prepare_networks, show_notices

    parts = method.parts()
    networks = {parts.tracker: method.tracker_checkpoint, parts.segmenter: method.checkpoint}
    prepare_networks(networks, shown=shown)
    show_notices(networks, shown=shown)
