"""A bare `--points`: the page, on one video, with the results in the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rvsam_video.errors import OutputError, UsageError
from rvsam_video.runs.layout import RUN_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rvsam_video.runs.objects import RunOptions

PORT = 7860
"""Another free one is taken if it is in use."""


def open_page(options: RunOptions, networks: Mapping[str, Path | None], opening: str) -> int:
    """Serve the page for one source until Ctrl-C; return the exit code.

    Args:
        options: of the run; prompts are clicked on the page.
        networks: names of the parts of the run, and files of weights given for them.
        opening: says what is about to track.

    Raises:
        UsageError: if the source is standard input, or the page cannot be served.
        SourceError: if the source cannot be read.
        OutputError: if the folder holds another run.
    """
    from rvsam_video.cli.running import prepare_networks
    from rvsam_video.runs.objects import load_parts
    from rvsam_video.streaming.engine import VideoSegmenter
    from rvsam_video.web.server import free_port, serve
    from rvsam_video.web.settings import WebSettings

    out = options.out
    if options.source == "-":
        raise UsageError("standard input cannot be clicked on; save the video to a file first")
    if (out / RUN_FILE).exists() and not options.overwrite:
        msg = f"{out} holds a run; use --overwrite to replace it, or another folder with --out"
        raise OutputError(msg)
    with options.open():
        pass  # a wrong path should not wait for the browser to be told
    settings = WebSettings(
        source=options.source,
        out=out,
        port=free_port(PORT),
        max_visitors=1,
        save=tuple(dict.fromkeys(("masks", *options.save))),
    )
    prepare_networks(networks, shown=True)
    tracker, segmenter = load_parts(options)
    click.echo(f"{opening}; results go to {out}", err=True)
    serve(
        VideoSegmenter(tracker, segmenter, options.settings),
        settings,
        say=lambda text: click.echo(text, err=True),
    )
    return 0
