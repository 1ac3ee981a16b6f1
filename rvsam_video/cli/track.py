"""`rvsam-video track`: follow objects through a video into a run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.errors import PromptError, UsageError

if TYPE_CHECKING:
    from rvsam_video.prompts import Prompt

PICK = "pick"
"""Value of a bare `--points`."""

RUNS = Path("rvsam-runs")


@click.command("track", context_settings={"max_content_width": 100})
@click.argument("source")
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
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The run folder.  [default: rvsam-runs/NAME]",
)
@click.option(
    "--save",
    default="overlay,masks,rle,points",
    show_default=True,
    help="What to write, separated by commas.",
)
@click.option("--overwrite", is_flag=True, help="Start again where another run has been.")
@click.option(
    "--preset",
    help="Settings with a tracker and a segmenter: paper, paper-r3, live or accurate.",
)
@click.option("--tracker", help="[default: that of the preset, else lucas-kanade]")
@click.option(
    "--segmenter",
    help="auto: repvit-sam if its weights are there (rvsam-video weights fetch repvit-sam), "
    "else grabcut, which needs none.  [default: that of the preset, else auto]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights for the segmenter, instead of the published ones.",
)
@click.option(
    "--device", default="auto", show_default=True, help="For a learned segmenter: cpu, cuda, mps."
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
@click.option("--max-frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option(
    "--reader",
    type=click.Choice(["pyav", "decord"]),
    default="pyav",
    show_default=True,
    help="What decodes video files.",
)
@click.option(
    "--on-bad-frame",
    type=click.Choice(["skip", "stop"]),
    default="skip",
    show_default=True,
    help="Go on after a damaged frame, or end with what there is.",
)
@click.option(
    "--live",
    type=click.Choice(["drop", "block"]),
    help="When frames come faster than they are tracked: drop old ones or wait.  "
    "[default: drop for cameras and streams, block for files]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(  # noqa: PLR0913, PLR0917 (one parameter per option)
    source: str,
    points: tuple[str, ...],
    boxes: tuple[str, ...],
    masks: tuple[str, ...],
    out: Path | None,
    save: str,
    overwrite: bool,
    preset: str | None,
    tracker: str | None,
    segmenter: str | None,
    checkpoint: Path | None,
    device: str,
    backend: str,
    overlap: bool,
    seed: int,
    max_frames: int | None,
    reader: str,
    on_bad_frame: str,
    live: str | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> int:
    r"""Follow objects through SOURCE and write masks, an overlay and points.

    SOURCE is a video file, a folder or glob of images, a camera number, an rtsp:// or http(s)://
    address, or - for standard input. At least one of --points, --box and --mask says what to
    follow. The same command again goes on where an interrupted one stopped.

    \b
    Examples:
      rvsam-video track clip.mp4 --points 320,240
      rvsam-video track clip.mp4 --points 1:320,240 --points 2:100,80 --points 1:350,90,0@30
      rvsam-video track frames/ --mask first.png --save masks,rle --out runs/a
    """
    from rvsam_video.cli.running import AUTO, choose_segmenter, run_and_report
    from rvsam_video.engine import DEFAULT_TRACKER
    from rvsam_video.presets import find_preset
    from rvsam_video.runner import RunOptions
    from rvsam_video.settings import SegmentationSettings

    chosen = find_preset(preset) if preset else None
    settings = chosen.settings if chosen else SegmentationSettings()
    options = RunOptions(
        source=source,
        prompts=_prompts(points, boxes, masks),
        out=out or RUNS / _name_of(source),
        save=tuple(part.strip() for part in save.split(",") if part.strip()),
        tracker=tracker or (chosen.tracker if chosen else DEFAULT_TRACKER),
        segmenter=choose_segmenter(segmenter or (chosen.segmenter if chosen else AUTO), checkpoint),
        checkpoint=checkpoint,
        device=device,
        backend=backend,
        settings=replace(settings, overlap=overlap, seed=seed),
        overwrite=overwrite,
        max_frames=max_frames,
        reader="decord" if reader == "decord" else "pyav",
        on_bad_frame="stop" if on_bad_frame == "stop" else "skip",
        live=None if live is None else "drop" if live == "drop" else "block",
    )
    return run_and_report(options, as_json=as_json)


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


def _name_of(source: str) -> str:
    """A folder name made from a path, address or camera number."""
    stem = Path(source.rstrip("/\\")).stem if not source.isdigit() else f"camera-{source}"
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in stem)
    return safe.strip("._") or "stdin"
