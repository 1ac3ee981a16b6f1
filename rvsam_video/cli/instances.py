"""`rvsam-video instances`: find and follow everything in a video, without prompts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.clips.frames import Source
    from rvsam_video.clips.instances import Instance
    from rvsam_video.frame import Frame


@click.command("instances", context_settings={"max_content_width": 100})
@click.argument("source")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="instances.json",
    show_default=True,
    help="Where the results go, in the format of YouTube-VIS.",
)
@click.option("--tracker", default="lucas-kanade", show_default=True)
@click.option(
    "--tracker-checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights for the tracker, instead of the published ones.",
)
@click.option("--segmenter", default="repvit-sam", show_default=True)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of weights for the segmenter, instead of the published ones.",
)
@click.option("--device", default="auto", show_default=True, help="For networks: cpu, cuda, mps.")
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
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    source: str,
    out: Path,
    tracker: str,
    tracker_checkpoint: Path | None,
    segmenter: str,
    checkpoint: Path | None,
    device: str,
    most: int,
    propose_every: int,
    max_frames: int | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Find everything in SOURCE, a video file or a folder of images, and follow it.

    Needs a learned segmenter; SOURCE is read several times.

    \b
    Example:
      rvsam-video instances clip.mp4 --propose-every 30 --out clip.json
    """  # noqa: D301 (click reads \b)
    from rvsam_video.cli.running import prepare_networks, show_notices
    from rvsam_video.clips.instances import InstanceOptions, InstanceSegmenter, automatic_proposals
    from rvsam_video.part_devices import part_devices
    from rvsam_video.segmenters import create_segmenter
    from rvsam_video.trackers.clips import create_clip_tracker

    read = _reading(source, max_frames)
    networks = {tracker: tracker_checkpoint, segmenter: checkpoint}
    prepare_networks(networks, shown=not as_json)
    on_tracker, on_segmenter = part_devices(tracker, segmenter, device)
    follow = create_clip_tracker(tracker, tracker_checkpoint, on_tracker)
    network = create_segmenter(segmenter, checkpoint, on_segmenter)
    show_notices(networks, shown=not as_json)
    options = InstanceOptions(most=most, propose_every=propose_every)
    engine = InstanceSegmenter(follow, network, automatic_proposals(network), options=options)
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
    """
    from rvsam_video.sources import open_source

    if source == "-" or source.isdigit() or "://" in source:
        msg = f"{source} can be read only once; give a video file or a folder of images"
        raise UsageError(msg)

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
