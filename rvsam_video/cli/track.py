"""`rvsam-video track`: follow objects through a video into a run folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

import click

from rvsam_video.cli.methods import MethodArguments, method_of, method_options
from rvsam_video.cli.options import (
    RUNS,
    RunArguments,
    mask_mode_option,
    names_in,
    out_option,
    reading_of,
    refuse_own_results,
    report_options,
    run_name,
    run_options,
)
from rvsam_video.cli.titles import TitledCommand
from rvsam_video.errors import PromptError, UsageError
from rvsam_video.sinks.names import DEFAULT_SINKS, SINK_NAMES

if TYPE_CHECKING:
    from rvsam_video.prompts.masks import MaskMode
    from rvsam_video.prompts.prompt import Prompt
    from rvsam_video.runs.objects import RunOptions

PICK = "pick"
"""Value of a bare `--points`."""


class TrackArguments(RunArguments, MethodArguments):
    """The options that other commands have as well."""


@click.command("track", cls=TitledCommand, context_settings={"max_content_width": 100})
@click.option(
    "--points",
    "--point",
    multiple=True,
    is_flag=False,
    flag_value=PICK,
    metavar="[OBJ:]X,Y[,LABEL][@FRAME]",
    help="Points in pixels; LABEL 1 is on the object, 0 off it. Repeatable. "
    "Or a prompt file (.json), or a SAM-PT query-point file (.txt). "
    "Bare: opens a page to click on (needs rvsam-video[web]).",
)
@click.option(
    "--points-file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A prompt file (.json) or SAM-PT query-point file (.txt), as for --points. Repeatable.",
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
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="OBJ=NAME",
    help="What to call an object in coco.json, cvat.xml and the like; --points bee:320,240 names "
    "it as well. Repeatable.",
)
@mask_mode_option
@out_option
@click.option(
    "--save",
    default=",".join(DEFAULT_SINKS),
    show_default=True,
    help=f"What to write, separated by commas, of: {', '.join(SINK_NAMES)}.",
)
@click.option(
    "--background",
    default="#00ff00",
    show_default=True,
    metavar="COLOUR",
    help="Behind the objects of --save cutout: a name or #rrggbb.",
)
@click.option(
    "--restart-every",
    type=click.IntRange(0),
    metavar="FRAMES",
    help="Choose an object's points anew after so many frames, as soon as its mask can be trusted; "
    "0 never does.  [default: that of the preset, else 0]",
)
@click.option("--overlap", is_flag=True, help="Let masks of different objects overlap.")
@method_options
@run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    points: tuple[str, ...],
    files: tuple[Path, ...],
    boxes: tuple[str, ...],
    masks: tuple[str, ...],
    names: tuple[str, ...],
    mask_mode: MaskMode,
    out: Path | None,
    save: str,
    background: str,
    restart_every: int | None,
    overlap: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[TrackArguments],
) -> int:
    """Follow objects through SOURCE and write masks, an overlay and points.

    SOURCE is a video file, a folder or glob of images, a camera number, an rtsp:// or http(s)://
    address, or - for standard input. At least one of --points, --box and --mask says what to
    follow. The same command again goes on where an interrupted one stopped.

    \b
    Examples:
      rvsam-video track clip.mp4 --points
      rvsam-video track clip.mp4 --points 320,240
      rvsam-video track clip.mp4 --points 1:320,240 --points 2:100,80 --points 1:350,90,0@30
      rvsam-video track frames/ --mask first.png --save masks,rle --out runs/a
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.running import run_and_report
    from rvsam_video.runs.objects import RunOptions, run

    points = (*points, *map(_prompt_file, files))
    folder = out or RUNS / run_name(given["source"])
    if given["overwrite"]:
        refuse_own_results(folder, (given["source"], *points, *masks))
    picking = PICK in points
    if picking:
        _refuse_more_than_the_page(points, boxes, masks)
    options = RunOptions(
        **reading_of(given),
        method=method_of(given, overlap=overlap, restart_every=restart_every),
        prompts=() if picking else _prompts(_Words(points, boxes, masks, names), mask_mode, given),
        out=folder,
        save=names_in(save),
        background=_colour(background),
    )
    if picking:
        from rvsam_video.cli.picking import open_page

        return open_page(_for_the_page(options), as_json=as_json)
    return run_and_report(partial(run, options), as_json=as_json)


def _prompt_file(path: Path) -> str:
    # Anything else would be read as a point, and refused by words that do not speak of files.
    if path.suffix.lower() not in {".json", ".txt"}:
        msg = f"--points-file is {path}; give a prompt file (.json) or a query-point file (.txt)"
        raise UsageError(msg)
    return str(path)


class _Words(NamedTuple):
    """What was typed of the objects."""

    points: tuple[str, ...]
    boxes: tuple[str, ...]
    masks: tuple[str, ...]
    names: tuple[str, ...]


def _prompts(words: _Words, mask_mode: MaskMode, given: RunArguments) -> list[Prompt]:
    from rvsam_video.cli.places import video_of
    from rvsam_video.prompts.naming import Naming
    from rvsam_video.prompts.words import parse_prompts

    naming = Naming.of(words.names)
    texts = naming.numbered([*words.points, *words.boxes, *words.masks])
    first, second = len(words.points), len(words.points) + len(words.boxes)
    with video_of(texts, given) as video:
        prompts = parse_prompts(
            texts[:first], texts[first:second], texts[second:], mask_mode, video
        )
    if not prompts:
        msg = (
            "nothing to follow: give at least one of --points X,Y, --box X0,Y0,X1,Y1 "
            "and --mask FILE"
        )
        raise PromptError(msg)
    return naming.named(prompts)


def _refuse_more_than_the_page(
    points: tuple[str, ...], boxes: tuple[str, ...], masks: tuple[str, ...]
) -> None:
    if len(points) > 1 or boxes or masks:
        msg = (
            "--points without coordinates opens the page, where everything is clicked; give it "
            "alone, or give every point as X,Y"
        )
        raise UsageError(msg)


def _for_the_page(options: RunOptions) -> RunOptions:
    """Refuse what the page does not do; it goes forward from where one stands.

    Raises:
        UsageError: if a part, a size or going backward was asked for.
    """
    if (
        not options.part.whole
        or options.longest_side is not None
        or options.direction in ("both", "backward")
    ):
        msg = (
            "the page shows whole videos at their size and goes forward; give --start, --end, "
            "--stride, --longest-side and --direction together with points as X,Y"
        )
        raise UsageError(msg)
    return replace(options, direction="forward")


def _colour(text: str) -> tuple[int, int, int]:
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        msg = f"--background is {text!r}; write a colour as #rrggbb, or a name such as white"
        raise UsageError(msg) from error
    return red, green, blue
