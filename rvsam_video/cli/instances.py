"""`rvsam-video instances`: find and follow everything in a video, without prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.methods import OPEN_CHOICE, MethodArguments, method_of, method_options
from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.clips.frames import Source
    from rvsam_video.clips.instances import Instance
    from rvsam_video.frame import Frame

EVERYTHING = "repvit-sam"
"""What finds objects unless told otherwise: one with everything mode, which `auto` may not be."""


@click.command("instances", context_settings={"max_content_width": 100})
@click.argument("source")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="instances.json",
    show_default=True,
    help="Where the results go, in the format of YouTube-VIS.",
)
@method_options
@click.option(
    "--most", type=click.IntRange(1), default=100, show_default=True, help="Objects at most."
)
@click.option(
    "--propose-every",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Look for new objects in every so many frames; 0: in the first only.",
)
@click.option("--max-frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    source: str,
    out: Path,
    most: int,
    propose_every: int,
    max_frames: int | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> None:
    """Find everything in SOURCE, a video file or a folder of images, and follow it.

    Needs a learned segmenter; SOURCE is read several times.

    \b
    Example:
      rvsam-video instances clip.mp4 --propose-every 30 --out clip.json
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.methods import make_ready, say_licences
    from rvsam_video.clips.instances import (
        InstanceOptions,
        InstanceSegmenter,
        automatic_proposals,
        instance_settings,
    )

    if given["segmenter"] == OPEN_CHOICE and given["preset"] is None:
        given["segmenter"] = EVERYTHING
    pair = method_of(given).resolve()
    read = _reading(source, max_frames)
    make_ready(pair.parts, shown=not as_json)
    if not as_json:
        click.echo(str(pair), err=True)
    say_licences(pair.parts, shown=not as_json)
    network = pair.segmenter.load_segmenter()
    engine = InstanceSegmenter(
        pair.load_clip_tracker(),
        network,
        automatic_proposals(network),
        instance_settings(None if given["preset"] is None else pair.settings),
        InstanceOptions(most=most, propose_every=propose_every),
    )
    found = engine.segment(read)
    _write(out, source, found)
    if as_json:
        click.echo(json.dumps({"event": "done", "instances": len(found), "file": str(out)}))
    else:
        click.echo(f"{len(found)} objects; their masks are in {out}")


def _reading(source: str, max_frames: int | None) -> Source:
    """Return what begins to read the source anew.

    Raises:
        UsageError: if it can be read only once.
        SourceError: if it cannot be read.
    """
    from rvsam_video.sources import open_source

    if source == "-" or source.isdigit() or "://" in source:
        msg = f"{source} can be read only once; give a video file or a folder of images"
        raise UsageError(msg)
    with open_source(source):
        pass  # a wrong path should not wait for the download of weights

    def read() -> Iterator[Frame]:
        with open_source(source) as frames:
            for frame in frames:
                if max_frames is not None and frame.index >= max_frames:
                    return
                yield frame

    return read


def _write(out: Path, source: str, found: list[Instance]) -> None:
    from rvsam_video.writing import replacing

    results = [item.to_dict(Path(source).stem) for item in found]
    with replacing(out) as temporary:
        temporary.write_text(json.dumps(results))
