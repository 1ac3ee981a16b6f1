"""`rvsam-video info`: versions and choices, the settings of a part, or what a video holds."""

from __future__ import annotations

import json
import os
import platform

import click


@click.command("info")
@click.argument("source", required=False)
@click.option(
    "--settings",
    "part",
    metavar="NAME",
    help="List what --tracker-option and --segmenter-option can set of a tracker or segmenter.",
)
@click.option("--full", is_flag=True, help="Decode every frame of SOURCE; takes its time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    source: str | None,
    part: str | None,
    full: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Show versions, devices and weights; with SOURCE, what that video says that it holds.

    With --full every frame is decoded: how many there really are, their times, and damage.
    """
    if part is not None:
        facts = _about_part(part)
    else:
        facts = _about_source(source, full=full) if source else _about_installation()
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        click.echo(f"{name:<{width}}  {shown}")


def _about_part(name: str) -> dict[str, object]:
    from rvsam_video.errors import unknown_name
    from rvsam_video.part_settings import options_of
    from rvsam_video.segmenters import SEGMENTERS
    from rvsam_video.trackers import TRACKERS

    if name in TRACKERS:
        defaults = TRACKERS.find(name).settings
    elif name in SEGMENTERS:
        defaults = SEGMENTERS.find(name).settings
    else:
        raise unknown_name("tracker or segmenter", name, TRACKERS.names() + SEGMENTERS.names())
    return {
        option.name: f"{option.default}  ({option.kind})" for option in options_of(defaults)
    } or {name: "has no settings"}


def _about_installation() -> dict[str, object]:
    from rvsam_video.runs.record import current_versions
    from rvsam_video.segmenters import segmenter_names
    from rvsam_video.sinks.base import SINKS
    from rvsam_video.trackers import tracker_names
    from rvsam_video.weights.cache import cache_folder
    from rvsam_video.weights.fetch import PUBLISHED, cached_file

    here = [name for name, entry in PUBLISHED.items() if cached_file(entry).is_file()]
    return {
        **current_versions(),
        "ffmpeg": _ffmpeg_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "devices": _devices(),
        "weights here": here or "none (rvsam-video weights list)",
        "weights folder": str(cache_folder()),
        "trackers": tracker_names(),
        "segmenters": segmenter_names(),
        "outputs": SINKS.names(),
    }


def _ffmpeg_version() -> str:
    import av

    return str(getattr(av, "ffmpeg_version_info", "unknown"))


def _devices() -> list[str]:
    import torch

    devices = ["cpu"]
    for number in range(torch.cuda.device_count()):
        devices.append(f"cuda:{number} ({torch.cuda.get_device_name(number)})")
    return [*devices, "mps"] if torch.backends.mps.is_available() else devices


def _about_source(source: str, *, full: bool) -> dict[str, object]:
    from rvsam_video.sources import open_source
    from rvsam_video.sources.facts import stream_facts

    with open_source(source) as opened:
        width, height = opened.size
        facts: dict[str, object] = {
            "source": opened.name,
            "width": width,
            "height": height,
            "live": opened.live,
            "frames announced": opened.frame_count,
            **stream_facts(source),
        }
        if opened.live or not full:
            return facts
        first = last = None
        for frame in opened:
            first = frame.time if first is None else first
            last = frame.time
        report = opened.report
        facts["frames read"] = report.frames
        if first is not None and last is not None and last > first:
            facts["seconds"] = round(last - first, 3)
            facts["frames per second"] = round((report.frames - 1) / (last - first), 3)
        facts["damaged packets"] = report.bad_packets
        facts["messages"] = list(report.messages)
    return facts
