"""The options that say what tracks, in all commands, and what is done before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from rvsam_video.cli.options import with_options

if TYPE_CHECKING:
    from rvsam_video.methods import Method, Part

OPEN_CHOICE = "auto"
"""Leaves a choice open."""

_Function = TypeVar("_Function", bound=Callable[..., object])
_FILE = click.Path(path_type=Path, dir_okay=False)


class TrackerArguments(TypedDict):
    """What `tracker_options` gives a command."""

    tracker: str
    tracker_checkpoint: Path | None
    tracker_option: tuple[str, ...]
    device: str
    backend: str


class SegmenterArguments(TypedDict):
    """What `segmenter_options` gives a command."""

    segmenter: str
    checkpoint: Path | None
    segmenter_option: tuple[str, ...]
    backend: str
    device: str


class MethodArguments(TrackerArguments):
    """What `method_options` gives a command."""

    preset: str | None
    segmenter: str
    checkpoint: Path | None
    segmenter_option: tuple[str, ...]
    seed: int


_DEVICE = click.option(
    "--device", default="auto", show_default=True, help="For networks: cpu, cuda, mps."
)
_BACKEND = click.option(
    "--backend",
    type=click.Choice(["torch", "onnxruntime", "openvino"]),
    default="torch",
    show_default=True,
    help="What runs networks that can be exported: SAM's family and tapir-online. All but "
    "torch do so on the CPU, from files made on first use, and then without PyTorch.",
)
_TRACKER_OPTIONS = (
    click.option(
        "--tracker",
        default=OPEN_CHOICE,
        show_default=True,
        help="auto: that of the preset; else tapir-online or cotracker3-online if its weights are "
        "there (rvsam-video weights fetch tapir-online), else lucas-kanade, which needs none.",
    ),
    click.option(
        "--tracker-checkpoint",
        type=_FILE,
        help="A file of weights for the tracker, instead of the published ones.",
    ),
    click.option(
        "--tracker-option",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting of the tracker; rvsam-video info --settings TRACKER lists them. "
        "Repeatable.",
    ),
    _DEVICE,
    _BACKEND,
)

_PRESET = click.option(
    "--preset",
    help="Settings with a tracker and a segmenter: paper, paper-r3, paper-reinit, live or "
    "accurate.",
)
_SEGMENTER = click.option(
    "--segmenter",
    default=OPEN_CHOICE,
    show_default=True,
    help="auto: that of the preset; else repvit-sam if its weights are there (rvsam-video "
    "weights fetch repvit-sam), else grabcut, which needs none.",
)
_LEARNED_SEGMENTER = click.option(
    "--segmenter",
    default="repvit-sam",
    show_default=True,
    help="What is evaluated; rvsam-video info lists all.",
)
_SEGMENTER_OPTIONS = (
    click.option(
        "--checkpoint",
        type=_FILE,
        help="A file of weights for the segmenter, instead of the published ones.",
    ),
    click.option(
        "--segmenter-option",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting of the segmenter, as --tracker-option. Repeatable.",
    ),
)
_SEED = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)


def tracker_options(function: _Function) -> _Function:
    """Add the options of `TrackerArguments`."""
    return with_options(function, _TRACKER_OPTIONS)


def method_options(function: _Function) -> _Function:
    """Add the options of `MethodArguments`."""
    options = (_PRESET, _SEGMENTER, *_SEGMENTER_OPTIONS, _SEED, *_TRACKER_OPTIONS)
    return with_options(function, options)


def segmenter_options(function: _Function) -> _Function:
    """Add the options of `SegmenterArguments`."""
    return with_options(function, (_LEARNED_SEGMENTER, *_SEGMENTER_OPTIONS, _DEVICE, _BACKEND))


def segmenter_of(given: SegmenterArguments) -> Method:
    """Return what the options of a command ask for.

    Raises:
        UsageError: if one has not the form NAME=VALUE.
    """
    from rvsam_video.methods import Method
    from rvsam_video.part_settings import words_of

    return Method(
        segmenter=given["segmenter"],
        checkpoint=given["checkpoint"],
        segmenter_options=words_of(given["segmenter_option"], "--segmenter-option"),
        device=given["device"],
        backend=given["backend"],
    )


def tracker_of(given: TrackerArguments) -> Method:
    """Return what the options of a command ask for.

    Raises:
        UsageError: if one has not the form NAME=VALUE.
    """
    from rvsam_video.methods import Method
    from rvsam_video.part_settings import words_of

    return Method(
        tracker=given["tracker"],
        tracker_checkpoint=given["tracker_checkpoint"],
        tracker_options=words_of(given["tracker_option"], "--tracker-option"),
        device=given["device"],
        backend=given["backend"],
    )


def method_of(
    given: MethodArguments, *, overlap: bool | None = None, restart_every: int | None = None
) -> Method:
    """Return what the options of a command ask for.

    Args:
        given: from `method_options`.
        overlap: whether masks may overlap; None keeps what the preset says.
        restart_every: frames after which points are chosen anew; None likewise.

    Raises:
        UsageError: if there is no such preset, or an option has not the form NAME=VALUE.
    """
    from rvsam_video.presets import find_preset
    from rvsam_video.settings import SegmentationSettings

    preset = given["preset"]
    base = SegmentationSettings() if preset is None else find_preset(preset).settings
    tracker = tracker_of(given)
    return replace(
        segmenter_of(given),
        preset=preset,
        tracker=tracker.tracker,
        tracker_checkpoint=tracker.tracker_checkpoint,
        tracker_options=tracker.tracker_options,
        settings=replace(
            base,
            seed=given["seed"],
            overlap=base.overlap if overlap is None else overlap,
            restart_every=base.restart_every if restart_every is None else restart_every,
        ),
    )


def make_ready(parts: Iterable[Part], *, shown: bool) -> None:
    """Fetch weights that are not there, and let learned parts keep freed memory.

    Args:
        parts: trackers and segmenters of a run.
        shown: whether to show the progress of downloads.

    Raises:
        WeightsError: if weights cannot be fetched.
    """
    from rvsam_video.cli.weights import download_progress
    from rvsam_video.segmenters.sam.allocator import keep_freed_memory
    from rvsam_video.weights.fetch import checkpoint_path

    learned = [part for part in parts if part.network]
    if learned:
        keep_freed_memory()  # before the first thread: later ones would not profit
    for part in learned:
        if part.missing:
            with download_progress(part.name, shown=shown) as progress:
                checkpoint_path(part.name, progress=progress)


def say_licences(parts: Iterable[Part], *, shown: bool) -> None:
    """Say what users must be told of the licences of weights that are there.

    Args:
        parts: trackers and segmenters of a run.
        shown: false where machines read the output.

    Raises:
        WeightsError: if a file is not there.
    """
    for part in parts if shown else ():
        if notice := part.weights.get("notice"):
            click.echo(notice, err=True)
