"""`rvsam-video score uvo`: AP and AR of object tracks on UVO and other sets of its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.errors import UsageError

if TYPE_CHECKING:
    from rvsam_video.evals.uvo.scores import Categories

_FILE = click.Path(path_type=Path)


@click.command("uvo")
@click.option("--root", type=_FILE, help="Folder that holds UVOv1.0 or UVOv0.5.")
@click.option("--truth", type=_FILE, help="The annotation file itself; instead of --root.")
@click.option("--results", type=_FILE, required=True, help="Tracks to score, a results.json.")
@click.option("--version", type=click.Choice(["1.0", "0.5"]), default="1.0", show_default=True)
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True
)
@click.option(
    "--categories",
    type=click.Choice(["ignore", "match", "pool"]),
    default="ignore",
    show_default=True,
    help="ignore: any track may find any (UVO); match: only of its category (YouTube-VIS); pool: "
    "as ignore, but tracks of unlisted categories are dropped.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    root: Path | None,
    truth: Path | None,
    results: Path,
    version: str,
    split: str,
    categories: Categories,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Score object tracks: AP and AR as YouTube-VIS defines them, twelve numbers."""
    from rvsam_video.evals.tables import show
    from rvsam_video.evals.track_report import track_notes, track_tables, track_values
    from rvsam_video.evals.uvo.scores import score_track_files

    annotations = _annotations(root, truth, version, split)
    report = score_track_files(annotations, results, categories=categories)
    if as_json:
        click.echo(json.dumps({"truth": str(annotations), **track_values(report)}))
        return
    from rich.console import Console

    published = root is not None and (version, split) == ("1.0", "val")
    show(track_tables(report, with_paper=published), Console())
    for note in track_notes(report):
        click.echo(f"note: {note}", err=True)


def _annotations(root: Path | None, truth: Path | None, version: str, split: str) -> Path:
    from rvsam_video.evals.uvo.scores import uvo_annotations

    if truth is not None and root is None:
        return truth
    if root is not None and truth is None:
        return uvo_annotations(root, version=version, split=split)
    msg = "give either --root, the folder of UVO, or --truth, an annotation file"
    raise UsageError(msg)
