"""`rvsam-video web`: the page where one clicks objects and watches the masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import click

from rvsam_video.cli.methods import MethodArguments, method_of, method_options
from rvsam_video.cli.options import RUNS
from rvsam_video.cli.titles import TitledCommand
from rvsam_video.errors import UsageError


@click.command("web", cls=TitledCommand)
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), help="The same as FOLDER.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=RUNS,
    show_default=True,
    help="The workspace: a run folder for each video, and all that was clicked.",
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
@click.option(
    "--separate",
    is_flag=True,
    help="Give every browser work of its own, as where others can reach the page.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1, 2000),
    default=36,
    show_default=True,
    help="Millions in one picture.",
)
@click.option(
    "--max-disk",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="GiB of uploads; older ones make room for new ones.",
)
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@method_options
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    folder: Path | None,
    root: Path | None,
    out: Path,
    host: str,
    port: int,
    token: str | None,
    hosts: tuple[str, ...],
    cameras: bool,
    max_upload: int,
    max_visitors: int,
    separate: bool,
    max_pixels: int,
    max_disk: int,
    browser: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> int:
    """Serve a page to click objects on, watch them tracked, correct, and take results away.

    FOLDER is one whose videos can be chosen on the page; else they are uploaded. Work is kept in
    the workspace after every click, and found there again.
    """
    from rvsam_video.cli.methods import make_ready
    from rvsam_video.runs.objects import streaming_pair
    from rvsam_video.streaming.engine import VideoSegmenter
    from rvsam_video.web.server import new_token, serve
    from rvsam_video.web.settings import LOOPBACK, PLAIN, WebSettings

    if folder is not None and root is not None:
        raise UsageError("--root and FOLDER mean the same; give one of them")
    method = method_of(given)
    pair = streaming_pair(method)
    settings = WebSettings(
        host=host,
        port=port,
        root=folder or root,
        workspace=out,
        # On one's own machine two windows are two views of the same work.
        shared=host in LOOPBACK and not separate,
        max_pixels=max_pixels * 10**6,
        max_disk=max_disk * 1024**3,
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
