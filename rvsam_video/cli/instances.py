"""`rvsam-video instances`: find and follow everything in a video, without prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.methods import OPEN_CHOICE, MethodArguments, method_of, method_options
from rvsam_video.cli.titles import TitledCommand
from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.clips.frames import Source
    from rvsam_video.clips.instances import Instance, InstanceOptions, InstanceSegmenter
    from rvsam_video.frame import Frame
    from rvsam_video.methods import Pair
    from rvsam_video.settings import SegmentationSettings

EVERYTHING = "repvit-sam"
"""What finds objects unless told otherwise: one with everything mode, which `auto` may not be."""


@click.command("instances", cls=TitledCommand, context_settings={"max_content_width": 100})
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
@click.option("--overwrite", is_flag=True, help="Replace the file of results if it is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    source: str,
    out: Path,
    most: int,
    propose_every: int,
    max_frames: int | None,
    overwrite: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> None:
    """Find everything in SOURCE, a video file or a folder of images, and follow it.

    Needs a learned segmenter; SOURCE is read several times. After an interruption the same command
    goes on with the next frame that is looked at for new objects.

    \b
    Example:
      rvsam-video instances clip.mp4 --propose-every 30 --out clip.json
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.ending import tell
    from rvsam_video.clips.instances import InstanceOptions
    from rvsam_video.clips.kept import KeptInstances
    from rvsam_video.runs.identity import fingerprint

    if given["segmenter"] == OPEN_CHOICE and given["preset"] is None:
        given["segmenter"] = EVERYTHING
    pair = method_of(given).resolve()
    read = _reading(source, max_frames)
    options = InstanceOptions(most=most, propose_every=propose_every)
    # What costs nothing first: a folder that cannot be written should not show after hours.
    _refuse_bad_out(out, overwrite=overwrite)
    print_of = fingerprint(Path(source)) if Path(source).exists() else None
    settings = None if given["preset"] is None else pair.settings
    engine = _engine(pair, settings, options, shown=not as_json)
    identity = {
        "source": str(Path(source).resolve()),
        "fingerprint": print_of,
        "max_frames": max_frames,
        "options": asdict(options),
        **pair.identity(),
        "settings": engine.settings.to_dict(),
    }
    kept = KeptInstances(out, identity)
    if kept.found and not as_json:
        click.echo(f"going on behind frame {max(kept.found)}", err=True)
    try:
        found = engine.segment(read, known=kept.found, keep=kept.keep)
    except KeyboardInterrupt:
        tell(f"stopped; the same command goes on from here ({out})", err=True)
        raise
    _write(out, source, found)
    kept.remove()
    if as_json:
        click.echo(json.dumps({"event": "done", "instances": len(found), "file": str(out)}))
    else:
        click.echo(f"{len(found)} objects; their masks are in {out}")


def _engine(
    pair: Pair, settings: SegmentationSettings | None, options: InstanceOptions, *, shown: bool
) -> InstanceSegmenter:
    """Fetch weights that are not there, say what will run, and load it."""
    from rvsam_video.cli.methods import make_ready, say_licences
    from rvsam_video.clips.instances import (
        InstanceSegmenter,
        automatic_proposals,
        instance_settings,
    )

    make_ready(pair.parts, shown=shown)
    if shown:
        click.echo(str(pair), err=True)
    say_licences(pair.parts, shown=shown)
    network = pair.segmenter.load_segmenter()
    proposals = automatic_proposals(network)
    found = instance_settings(settings)
    return InstanceSegmenter(pair.load_clip_tracker(), network, proposals, found, options)


def _refuse_bad_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a file of results that could not be written in the end.

    Raises:
        OutputError: if it is there already, or its folder cannot be written.
    """
    from rvsam_video.errors import OutputError
    from rvsam_video.writing import replacing, writing

    if out.exists() and not overwrite:
        msg = f"{out} is there already; use --overwrite to replace it, or another --out"
        raise OutputError(msg)
    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    # Tried under a name of its own, since systems differ in what they say of rights.
    probe = out.with_name(f".{out.name}.probe")
    with replacing(probe, durable=False) as temporary:
        temporary.touch()
    probe.unlink()


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
