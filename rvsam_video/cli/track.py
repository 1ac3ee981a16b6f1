"""`rvsam-video track`: follow objects through a video into a run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.options import (
    RUNS,
    RunArguments,
    names_in,
    out_option,
    report_options,
    run_name,
    run_options,
)
from rvsam_video.errors import PromptError, UsageError

if TYPE_CHECKING:
    from rvsam_video.prompts import Prompt
    from rvsam_video.runner import RunOptions

PICK = "pick"
"""Value of a bare `--points`."""


@click.command("track", context_settings={"max_content_width": 100})
@click.option(
    "--points",
    multiple=True,
    is_flag=False,
    flag_value=PICK,
    metavar="[OBJ:]X,Y[,LABEL][@FRAME]",
    help="Points in pixels; LABEL 1 is on the object, 0 off it. Repeatable. "
    "Or a prompt file (.json), or a SAM-PT query-point file (.txt).",
)
@click.option(
    "--box",
    "boxes",
    multiple=True,
    metavar="[OBJ:]X0,Y0,X1,Y1[@FRAME]",
    help="A box around an object, in pixels. Repeatable.",
)
@click.option(
    "--mask",
    "masks",
    multiple=True,
    metavar="[OBJ:]FILE[@FRAME]",
    help="A mask image: binary for one object, palette or index map for several. Repeatable.",
)
@out_option
@click.option(
    "--save",
    default="overlay,masks,rle,points",
    show_default=True,
    help="What to write, separated by commas.",
)
@click.option(
    "--segmenter",
    default="auto",
    show_default=True,
    help="auto: repvit-sam if its weights are there (rvsam-video weights fetch repvit-sam), "
    "else grabcut, which needs none.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights for the segmenter, instead of the published ones.",
)
@click.option(
    "--backend",
    type=click.Choice(["torch", "onnxruntime", "openvino"]),
    default="torch",
    show_default=True,
    help="What runs the image encoder of a learned segmenter.",
)
@click.option("--overlap", is_flag=True, help="Let masks of different objects overlap.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    points: tuple[str, ...],
    boxes: tuple[str, ...],
    masks: tuple[str, ...],
    out: Path | None,
    save: str,
    segmenter: str,
    checkpoint: Path | None,
    backend: str,
    overlap: bool,
    seed: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[RunArguments],
) -> int:
    """Follow objects through SOURCE and write masks, an overlay and points.

    SOURCE is a video file, a folder or glob of images, a camera number, an rtsp:// or http(s)://
    address, or - for standard input. At least one of --points, --box and --mask says what to
    follow. The same command again goes on where an interrupted one stopped.

    \b
    Examples:
      rvsam-video track clip.mp4 --points 320,240
      rvsam-video track clip.mp4 --points 1:320,240 --points 2:100,80 --points 1:350,90,0@30
      rvsam-video track frames/ --mask first.png --save masks,rle --out runs/a
    """  # noqa: D301 (click wants the backspace itself)
    from rvsam_video.cli.running import choose_segmenter, choose_tracker, run_and_report
    from rvsam_video.runner import RunOptions, run
    from rvsam_video.settings import SegmentationSettings

    given["tracker"] = choose_tracker(given["tracker"], given["tracker_checkpoint"])
    options = RunOptions(
        **given,
        prompts=_prompts(points, boxes, masks),
        out=out or RUNS / run_name(given["source"]),
        save=names_in(save),
        segmenter=choose_segmenter(segmenter, checkpoint),
        checkpoint=checkpoint,
        backend=backend,
        settings=SegmentationSettings(overlap=overlap, seed=seed),
    )
    return run_and_report(
        partial(run, options), _networks(options), _opening(options), as_json=as_json
    )


def _networks(options: RunOptions) -> dict[str, Path | None]:
    return {
        options.tracker: options.tracker_checkpoint,
        options.segmenter: options.checkpoint,
    }


def _opening(options: RunOptions) -> str:
    """Say what is about to track: nothing is chosen silently."""
    from rvsam_video.checkpoints import CHECKPOINTS
    from rvsam_video.cli.running import about_part

    learned = {options.tracker, options.segmenter} & set(CHECKPOINTS)
    where = f", device {options.device}, backend {options.backend}" if learned else ""
    objects = sorted({prompt.object_id for prompt in options.prompts})
    noun = "object" if len(objects) == 1 else "objects"
    return (
        f"tracker {about_part(options.tracker, options.tracker_checkpoint)}, "
        f"segmenter {about_part(options.segmenter, options.checkpoint)}{where}; "
        f"{noun} {', '.join(map(str, objects))}"
    )


def _prompts(
    points: tuple[str, ...], boxes: tuple[str, ...], masks: tuple[str, ...]
) -> list[Prompt]:
    from rvsam_video.prompt_parsing import parse_prompts

    if PICK in points:
        msg = (
            "--points without coordinates will open a page to click on, which this version does "
            "not have yet; pass them instead, for example --points 320,240 (x,y in pixels; "
            "add ,0 for background and @FRAME for a later frame)"
        )
        raise UsageError(msg)
    prompts = parse_prompts(points, boxes, masks)
    if not prompts:
        msg = (
            "nothing to follow: give at least one of --points X,Y, --box X0,Y0,X1,Y1 "
            "and --mask FILE"
        )
        raise PromptError(msg)
    return prompts
