"""`rvsam-video weights`: what weights there are, and getting them onto this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rvsam_video.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from rvsam_video.weights.download import Progress
    from rvsam_video.weights.fetch import PublishedWeights

_JUDGEMENTS = {
    "published": "ok",
    "first seen": "unchanged since it was first seen (nobody published its hash)",
    None: "readable, but nobody published its hash: noted for later looks",
}
"""What is said of a file that was held against a hash, by which one it was."""

_Function = TypeVar("_Function", bound=Callable[..., object])


def _common(function: _Function) -> _Function:
    """Add the options that every command here has."""
    for option in (
        click.option("--debug", is_flag=True, help="Show the traceback of an error."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--cache",
            type=click.Path(path_type=Path, file_okay=False),
            help="The folder of the weights.  [default: RVSAM_CACHE, or the system's cache]",
        ),
    ):
        function = option(function)
    return function


@click.group("weights", no_args_is_help=False)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(debug: bool) -> None:
    """List, fetch, verify and locate the published weights."""


@command.command("list")
@_common
def list_weights(cache: Path | None, as_json: bool, debug: bool) -> None:  # noqa: ARG001
    """Show all weights that can be fetched, and which are here."""
    from rvsam_video.weights.cache import cache_folder
    from rvsam_video.weights.fetch import PUBLISHED, cached_file

    if as_json:
        rows = [_facts(entry, cached_file(entry, cache)) for entry in PUBLISHED.values()]
        click.echo(json.dumps({"cache": str(cache_folder(cache)), "weights": rows}))
        return
    click.echo(f"cache: {cache_folder(cache)}")
    width = max(map(len, PUBLISHED))
    for entry in PUBLISHED.values():
        path = cached_file(entry, cache)
        size = path.stat().st_size if path.is_file() else entry.size
        shown = f"{size / 1e6:.1f} MB" if size else "?"
        state = "here" if path.is_file() else "not fetched"
        click.echo(f"{entry.name:<{width}}  {shown:>9}  {entry.licence:<12}  {state}")


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="Fetch all weights (over 5 GB).")
@click.option("--offline", is_flag=True, default=None, help="Never use the network.")
@_common
def fetch_weights(
    names: tuple[str, ...],
    everything: bool,
    offline: bool | None,
    cache: Path | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Download weights into the cache and check them; those that are here are only checked."""
    from rvsam_video.weights.fetch import PUBLISHED, fetch

    if not names and not everything:
        msg = f"name the weights to fetch, or use --all; there are: {', '.join(PUBLISHED)}"
        raise UsageError(msg)
    for entry in _entries(tuple(PUBLISHED) if everything else names):
        with download_progress(entry.name, shown=not as_json) as progress:
            path = fetch(entry, cache=cache, offline=offline, progress=progress)
        if as_json:
            click.echo(json.dumps({"event": "fetched", **_facts(entry, path)}))
        else:
            click.echo(f"{entry.name}  {path}")
            if entry.notice:
                click.echo(entry.notice, err=True)


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@_common
def verify_weights(
    names: tuple[str, ...],
    cache: Path | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> int:
    """Compare weights with their hashes: those named, or all that are here.

    Where nobody published a hash, the one of the first look is noted, and held to from then on.
    Returns 1 if a file is not what it should be, or not there.
    """
    from rvsam_video.weights.fetch import PUBLISHED, cached_file, held_against, verify

    present = [name for name, entry in PUBLISHED.items() if cached_file(entry, cache).is_file()]
    wrong = 0
    for entry in _entries(names or tuple(present)):
        path, problem, sha256, against = cached_file(entry, cache), "", "", None
        try:
            against = held_against(entry, path)
            sha256 = verify(entry, path)
        except WeightsError as error:
            problem, wrong = str(error), wrong + 1
        if as_json:
            facts = {"name": entry.name, "path": str(path), "sha256": sha256, "problem": problem}
            # Of a file that nothing is known of nobody can say that it is right.
            ok = None if not problem and against is None else not problem
            click.echo(json.dumps({"event": "verified", "ok": ok, "against": against, **facts}))
        else:
            click.echo(f"{entry.name}  {problem or f'{_JUDGEMENTS[against]}  sha256 {sha256}'}")
    if not names and not present and not as_json:
        click.echo("there are no weights in the cache")
    return 1 if wrong else 0


@command.command("path")
@click.argument("name")
@_common
def path_of_weights(name: str, cache: Path | None, as_json: bool, debug: bool) -> None:  # noqa: ARG001
    """Print where weights are on this machine, for use in scripts."""
    from rvsam_video.weights.fetch import cached_file

    entry = _entries((name,))[0]
    path = cached_file(entry, cache)
    if not path.is_file():
        msg = f"{name} is not in the cache ({path}); run `rvsam-video weights fetch {name}`"
        raise WeightsError(msg)
    click.echo(json.dumps(_facts(entry, path)) if as_json else str(path))


def _entries(names: tuple[str, ...]) -> list[PublishedWeights]:
    from rvsam_video.weights.fetch import find_weights

    return [find_weights(name) for name in names]


def _facts(entry: PublishedWeights, path: Path) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(entry), "notice": entry.notice, "path": str(path), "present": path.is_file()}


@contextmanager
def download_progress(name: str, *, shown: bool) -> Iterator[Progress | None]:
    """Show a bar while the block downloads, if standard error is a terminal.

    Yields what to pass on as `progress`, or None if nothing is to be shown.
    """
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=None, start=True)
        yield lambda done, total: bars.update(task, completed=done, total=total)
