"""`rvsam-video points`: follow points alone through a video into a run folder."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.methods import TrackerArguments, tracker_of, tracker_options
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

if TYPE_CHECKING:
    from rvsam_video.prompts.masks import MaskMode
    from rvsam_video.prompts.prompt import Prompt
    from rvsam_video.prompts.words import Video


class PointArguments(RunArguments, TrackerArguments):
    """The options that other commands have as well."""


_NAMES_FRAME = re.compile(r"@[0-9]{1,10}((\.[0-9]*)?s)?$")


@click.command("points", cls=TitledCommand, context_settings={"max_content_width": 100})
@click.option(
    "--grid",
    type=click.IntRange(1, 300),
    help="Points on each side of a grid over the picture, or inside the masks.  [default: 20, "
    "unless points are given]",
)
@click.option(
    "--query-frame",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Frame that points, masks and the grid belong to where they name none.",
)
@click.option(
    "--point",
    "--points",
    "points",
    multiple=True,
    metavar="[OBJ:]X,Y[@FRAME]",
    help="A point in pixels. Repeatable.",
)
@click.option(
    "--points-file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Points from a table with the columns x, y and maybe frame (.csv), a prompt file (.json) "
    "or a SAM-PT query-point file (.txt). Repeatable.",
)
@click.option(
    "--mask",
    "masks",
    multiple=True,
    metavar="[OBJ:]FILE[@FRAME]",
    help="A mask image: only points of the grid inside it are followed. Repeatable.",
)
@mask_mode_option
@out_option
@click.option(
    "--save",
    default="overlay,npz,csv",
    show_default=True,
    help="What to write, separated by commas.",
)
@click.option(
    "--trail",
    type=click.IntRange(1, 1000),
    default=15,
    show_default=True,
    help="Frames of the trails in the overlay; 1 draws the points alone.",
)
@tracker_options
@run_options
@report_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    grid: int | None,
    query_frame: int,
    points: tuple[str, ...],
    files: tuple[Path, ...],
    masks: tuple[str, ...],
    mask_mode: MaskMode,
    out: Path | None,
    save: str,
    trail: int,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[PointArguments],
) -> int:
    """Follow points through SOURCE and write an overlay with trails, points.npz and points.csv.

    SOURCE is a video file, a folder or glob of images, a camera number, an rtsp:// or http(s)://
    address, or - for standard input. The same command again goes on where an interrupted one
    stopped.

    \b
    Examples:
      rvsam-video points clip.mp4 --grid 30
      rvsam-video points clip.mp4 --point 320,240 --point 100,80@30
      rvsam-video points clip.mp4 --mask first.png --tracker lucas-kanade --out runs/a
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.places import video_of
    from rvsam_video.cli.running import run_and_report
    from rvsam_video.points.queries import PointRequest
    from rvsam_video.runs.points import PointRunOptions, run_points

    folder = out or RUNS / f"{run_name(given['source'])}-points"
    if given["overwrite"]:
        refuse_own_results(folder, (given["source"], *map(str, files), *masks))
    with video_of((*points, *masks), given) as video:
        prompts = _prompts(points, files, masks, mask_mode, query_frame, video)
    options = PointRunOptions(
        **reading_of(given),
        method=tracker_of(given),
        request=PointRequest(prompts=prompts, grid=grid, query_frame=query_frame),
        out=folder,
        save=names_in(save),
        trail=trail,
    )
    return run_and_report(partial(run_points, options), as_json=as_json)


def _prompts(
    points: tuple[str, ...],
    files: tuple[Path, ...],
    masks: tuple[str, ...],
    mask_mode: MaskMode,
    query_frame: int,
    video: Video | None,
) -> list[Prompt]:
    """Read everything that says which points, in the order of points, files and masks."""
    from rvsam_video.prompts.words import parse_mask, parse_points, point_words

    words = [word for text in points for word in point_words(text)]
    named = [_with_frame(word, query_frame) for word in words]
    prompts = [item for word in named for item in parse_points(word, video)]
    prompts += [item for path in files for item in _from_file(path, query_frame)]
    named = [_with_frame(text, query_frame) for text in masks]
    return prompts + [item for text in named for item in parse_mask(text, mask_mode, video)]


def _with_frame(text: str, frame: int) -> str:
    return text if _NAMES_FRAME.search(text) else f"{text}@{frame}"


def _from_file(path: Path, query_frame: int) -> list[Prompt]:
    from rvsam_video.points.queries import read_point_table
    from rvsam_video.prompts.files import read_text
    from rvsam_video.prompts.words import parse_points

    if path.suffix.lower() in {".json", ".txt"}:
        return parse_points(str(path))
    return read_point_table(read_text(path), str(path), query_frame)
