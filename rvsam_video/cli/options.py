"""Options that several commands have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from rvsam_video.sources.base import BadFrames, Reader
    from rvsam_video.sources.part import ClipPart
    from rvsam_video.streaming.directions import AskedDirection

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)

RUNS = Path("rvsam-runs")

_WILD = re.compile(r"[*?\[]|%[0-9]*d")

_Function = TypeVar("_Function", bound=Callable[..., object])


class ClipArguments(TypedDict):
    """What `clip_options` gives a command: how clips are read."""

    max_frames: int | None
    fps: float | None
    reader: Reader
    on_bad_frame: BadFrames
    start: str | None
    end: str | None
    stride: int
    longest_side: int | None
    direction: AskedDirection


class RunArguments(ClipArguments):
    """What `run_options` gives a command."""

    source: str
    overwrite: bool
    live: Literal["drop", "block"] | None
    reconnect: float


class ClipReading(TypedDict):
    """What `reading_of_clip` gives, under the names that `CommonOptions` has for it."""

    max_frames: int | None
    fps: float | None
    reader: Reader
    on_bad_frame: BadFrames
    part: ClipPart
    longest_side: int | None
    direction: AskedDirection


class RunReading(ClipReading):
    """What `reading_of` gives, likewise."""

    source: str
    overwrite: bool
    live: Literal["drop", "block"] | None
    reconnect: float


_CLIP_OPTIONS = (
    click.option("--max-frames", type=click.IntRange(1), help="Stop after this many frames."),
    click.option(
        "--fps",
        type=click.FloatRange(0, min_open=True),
        help="Frames per second of pictures.  [default: 25, or an animation's own times]",
    ),
    click.option(
        "--reader",
        type=click.Choice(["pyav", "decord"]),
        default="pyav",
        show_default=True,
        help="What decodes video files.",
    ),
    click.option(
        "--on-bad-frame",
        type=click.Choice(["skip", "stop"]),
        default="skip",
        show_default=True,
        help="Go on after a damaged frame, or end with what there is.",
    ),
    click.option(
        "--start",
        metavar="PLACE",
        help="Begin at this frame (300) or time (12.5s, 00:01:20); numbers and times stay those "
        "of the source.",
    ),
    click.option("--end", metavar="PLACE", help="End before this frame or time."),
    click.option(
        "--stride",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Take one frame in so many.",
    ),
    click.option(
        "--longest-side",
        type=click.IntRange(32),
        metavar="PIXELS",
        help="Work on smaller pictures; results keep the size of the source.",
    ),
    click.option(
        "--direction",
        type=click.Choice(["auto", "both", "forward", "backward"]),
        default="auto",
        show_default=True,
        help="In which direction of time things are followed from their prompts. auto: both where "
        "something begins behind the first frame and the source can be read again, else forward.",
    ),
)

_RUN_OPTIONS = (
    click.option("--overwrite", is_flag=True, help="Start again where another run has been."),
    click.option(
        "--live",
        is_flag=False,
        flag_value="drop",
        type=click.Choice(["drop", "block"]),
        help="When frames come faster than they are tracked: drop old ones (also bare) or wait.  "
        "[default: drop for cameras and streams, block for files]",
    ),
    click.option(
        "--reconnect",
        type=click.FloatRange(0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a camera or stream that was lost is tried again.",
    ),
)

mask_mode_option = click.option(
    "--mask-mode",
    type=click.Choice(["auto", "one", "ids"]),
    default="auto",
    show_default=True,
    help="How mask images are read: as they look; all that is bright as one object; or every "
    "number of a pixel as an object.",
)

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The run folder.  [default: rvsam-runs/NAME]",
)


def with_options(
    function: _Function, options: Sequence[Callable[[_Function], _Function]]
) -> _Function:
    """Add options to a command, in the order in which `--help` is to list them."""
    for option in reversed(options):
        function = option(function)
    return function


def clip_options(function: _Function) -> _Function:
    """Add the options of `ClipArguments`."""
    return with_options(function, _CLIP_OPTIONS)


def run_options(function: _Function) -> _Function:
    """Add SOURCE and the options of `RunArguments`."""
    return click.argument("source")(with_options(function, (*_RUN_OPTIONS, *_CLIP_OPTIONS)))


def reading_of_clip(given: ClipArguments) -> ClipReading:
    """Return only what `clip_options` gave, for options that know nothing else.

    Raises:
        UsageError: if a place in the video cannot be read.
    """
    from rvsam_video.sources.part import part_of

    return {
        "max_frames": given["max_frames"],
        "fps": given["fps"],
        "reader": given["reader"],
        "on_bad_frame": given["on_bad_frame"],
        "part": part_of(given["start"], given["end"], given["stride"]),
        "longest_side": given["longest_side"],
        "direction": given["direction"],
    }


def reading_of(given: RunArguments) -> RunReading:
    """Return only what `run_options` gave, likewise.

    Raises:
        UsageError: if a place in the video cannot be read.
    """
    return {
        "source": given["source"],
        "overwrite": given["overwrite"],
        "live": given["live"],
        "reconnect": given["reconnect"],
        **reading_of_clip(given),
    }


def report_options(function: _Function) -> _Function:
    """Add `--json` and `--debug`."""
    function = click.option("--debug", is_flag=True, help="Show the traceback of an error.")(
        function
    )
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")(
        function
    )


_WORDS_AROUND_FILE = re.compile(r"(?:[^\W_][\w.-]*:)?(.*?)(?:@[0-9.s]+)?", re.DOTALL)


def refuse_own_results(out: Path, inputs: Sequence[str]) -> None:
    """Refuse to read what starting again would remove; after a kill nobody could go on.

    Args:
        out: the run folder that is to be begun anew.
        inputs: everything on the command line that may name a file, with what stands around it.

    Raises:
        UsageError: if one of them is a result of the run in the folder.
    """
    from rvsam_video.errors import UsageError
    from rvsam_video.runs.layout import PROMPTS_FILE, RUN_FILE

    if not (out / RUN_FILE).exists():
        return
    for text in inputs:
        match = _WORDS_AROUND_FILE.fullmatch(text)
        for name in {text, match[1] if match else text}:
            path = Path(name)
            # Prompts are written anew in one step, so they are there at every moment.
            kept = path.name == PROMPTS_FILE and path.parent.resolve() == out.resolve()
            if name and path.exists() and not kept and path.resolve().is_relative_to(out.resolve()):
                msg = (
                    f"{path} is in the run folder {out}, whose results --overwrite removes; copy "
                    "it elsewhere first, or choose another folder with --out"
                )
                raise UsageError(msg)


def names_in(text: str) -> tuple[str, ...]:
    """Split names that are separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def run_name(source: str) -> str:
    """A folder name made from a path, address or camera number."""
    if source.isdigit():
        return f"camera-{source}"
    if source == "-":
        return "stdin"
    plain = source.rstrip("/\\")
    # frames/*.png and frames/%05d.png are the run "frames"; the current folder has a name, too.
    path = Path(plain)
    if "://" not in plain:
        while _WILD.search(path.name) and not path.exists():
            path = path.parent
        if path.name in {"", ".", ".."}:
            path = path.resolve()
    stem = path.name if path.is_dir() else path.stem
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in stem)
    return safe.strip("._") or "run"
