"""`rvsam-video info`: versions and choices, or what a video holds."""

from __future__ import annotations

import json
import os
import platform

import click


@click.command("info")
@click.argument("source", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(source: str | None, as_json: bool, debug: bool) -> None:  # noqa: ARG001
    """Show versions, trackers and segmenters; with SOURCE, what that video holds."""
    facts = _about_source(source) if source else _about_installation()
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        click.echo(f"{name:<{width}}  {shown}")


def _about_installation() -> dict[str, object]:
    from rvsam_video.runs.record import current_versions
    from rvsam_video.segmenters import segmenter_names
    from rvsam_video.trackers import tracker_names

    return {
        **current_versions(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "trackers": tracker_names(),
        "segmenters": segmenter_names(),
    }


def _about_source(source: str) -> dict[str, object]:
    from rvsam_video.sources import open_source

    with open_source(source) as opened:
        width, height = opened.size
        facts: dict[str, object] = {
            "source": opened.name,
            "width": width,
            "height": height,
            "live": opened.live,
            "frames announced": opened.frame_count,
        }
        if opened.live:
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
