"""A bare `--points`: the page, on one video, with the results in the run folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.runs.objects import RunOptions

PORT = 7860
"""Another free one is taken if it is in use."""


def open_page(options: RunOptions, *, as_json: bool) -> int:
    """Serve the page for one source until Ctrl-C; return the exit code.

    A run that is in the folder already is opened for corrections.

    Args:
        options: of the run; prompts are clicked on the page.
        as_json: whether machines read the output.

    Raises:
        UsageError: if the source is standard input, or the page cannot be served.
        SourceError: if the source cannot be read.
    """
    from rvsam_video.cli.methods import make_ready
    from rvsam_video.cli.progress import reporter_for
    from rvsam_video.cli.running import summary_lines, summary_values
    from rvsam_video.runs.job import summary_of
    from rvsam_video.runs.layout import RUN_FILE
    from rvsam_video.runs.objects import streaming_pair
    from rvsam_video.runs.record import load_record
    from rvsam_video.sinks.base import create_sinks
    from rvsam_video.streaming.engine import VideoSegmenter
    from rvsam_video.web.server import free_port, serve
    from rvsam_video.web.settings import WebSettings

    out = options.out
    if options.source == "-":
        raise UsageError("standard input cannot be clicked on; save the video to a file first")
    pair = streaming_pair(options.method)
    create_sinks(options.save, out)
    with options.open():
        pass  # a wrong path should not wait for the browser to be told
    save = tuple(dict.fromkeys(("masks", *options.save)))
    settings = WebSettings(
        source=options.source,
        out=out,
        workspace=out.parent,
        shared=True,
        port=free_port(PORT),
        run=replace(options, save=save),
    )
    make_ready(pair.parts, shown=not as_json)
    with reporter_for(as_json=as_json) as reporter:
        reporter.say(f"{pair}; objects to be clicked; results go to {out}")
        serve(VideoSegmenter.of(pair), settings, say=reporter.say)
        if (out / RUN_FILE).exists():
            summary = summary_of(load_record(out / RUN_FILE), out)
            reporter.end(summary_values(summary), summary_lines(summary))
    return 0
