"""`rvsam-video web`: the page where one clicks objects and watches the masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.methods import MethodArguments, method_of, method_options
from rvsam_video.cli.titles import TitledCommand


@click.command("web", cls=TitledCommand)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="A folder whose videos can be chosen on the page; else they are uploaded.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True)
@click.option(
    "--token",
    help="Asked of every visitor; needed for a --host that others can reach. 'new' makes one up.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    help="A further name the page is reached by. Repeatable.",
)
@click.option("--cameras", is_flag=True, help="Offer this machine's camera.")
@click.option(
    "--max-upload", type=click.IntRange(1), default=2048, show_default=True, help="MiB per video."
)
@click.option("--max-visitors", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@method_options
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path | None,
    host: str,
    port: int,
    token: str | None,
    hosts: tuple[str, ...],
    cameras: bool,
    max_upload: int,
    max_visitors: int,
    browser: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> int:
    """Serve a page to click objects on, watch them tracked, correct, and take results away."""
    from rvsam_video.cli.methods import make_ready
    from rvsam_video.runs.objects import streaming_pair
    from rvsam_video.streaming.engine import VideoSegmenter
    from rvsam_video.web.server import new_token, serve
    from rvsam_video.web.settings import PLAIN, WebSettings

    method = method_of(given)
    pair = streaming_pair(method)
    settings = WebSettings(
        host=host,
        port=port,
        root=root,
        token=new_token() if token == "new" else token,  # noqa: S105 (a word, not a secret)
        allowed_hosts=frozenset(hosts),
        cameras=cameras,
        max_upload=max_upload * 1024**2,
        max_visitors=max_visitors,
        run=replace(PLAIN, method=method),
    )
    make_ready(pair.parts, shown=True)
    click.echo(str(pair), err=True)
    serve(VideoSegmenter.of(pair), settings, say=_say, open_browser=browser)
    return 0


def _say(text: str) -> None:
    click.echo(text, err=True)
