"""The options that scoring and running TAP-Vid share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rvsam_video.cli.options import with_options
from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.evals.tapvid.clips import PointReport

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--root",
        type=click.Path(path_type=Path),
        required=True,
        help="tapvid_davis.pkl, tapvid_rgb_stacking.pkl, one clip as .npz, or a folder of such.",
    ),
    click.option(
        "--query-mode",
        type=click.Choice(["first", "strided"]),
        default="first",
        show_default=True,
        help="Query each point where it is first visible, or in every fifth frame.",
    ),
    click.option(
        "--scale",
        type=click.Choice(["256", "255"]),
        default="256",
        show_default=True,
        callback=lambda _context, _option, value: int(value),
        help="Where the picture's edge is: 256 as in TAP-Vid's code, 255 as in CoTracker 3's.",
    ),
    click.option("--sequences", help="Names of clips with commas.  [default: all]"),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)


def tapvid_options(command: _Command) -> _Command:
    """Add the options to a command."""
    return with_options(command, _OPTIONS)


def clip_names(sequences: str | None) -> list[str] | None:
    """Return the names of `--sequences`; None stands for all.

    Raises:
        UsageError: if one is empty.
    """
    if sequences is None:
        return None
    names = [name.strip() for name in sequences.split(",")]
    if not all(names):
        msg = f"--sequences is {sequences!r}; write names with commas between them"
        raise UsageError(msg)
    return names


def show_points(report: PointReport, *, as_json: bool) -> None:
    """Print the scores, for people or machines."""
    from rvsam_video.evals.tables import show
    from rvsam_video.evals.track_report import point_table, point_values

    if as_json:
        click.echo(json.dumps({"event": "scores", **point_values(report)}))
        return
    from rich.console import Console

    show([point_table(report)], Console())
