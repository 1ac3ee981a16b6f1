"""`rvsam-video score compare`: the scores of several runs on DAVIS in one table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rvsam_video.evals.davis.compare import RunScores


@click.command("compare", context_settings={"max_content_width": 100})
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--published/--no-published",
    default=True,
    show_default=True,
    help="Add rows of papers on the same set.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    *,
    runs: tuple[Path, ...],
    published: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Put the scores of RUNS on DAVIS in one table, best first.

    RUNS are folders that `score davis`, `eval davis` or the official evaluation wrote tables into.
    """
    from rvsam_video.evals.davis.compare import PUBLISHED_ROWS, load_run

    rows = [load_run(path) for path in runs]
    if published:
        # A table of the official evaluation does not say what it is of: it may be the same set.
        sets = {row.benchmark for row in rows}
        rows += [row for row in PUBLISHED_ROWS if row.benchmark in sets or "" in sets]
    rows.sort(key=lambda row: row.j_and_f, reverse=True)
    if as_json:
        for row in rows:
            click.echo(json.dumps(asdict(row)))
        return
    _print_table(rows)


def _print_table(rows: Sequence[RunScores]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="percent, means over all objects")
    for heading in ("run", "set"):
        table.add_column(heading, no_wrap=True)
    for heading in ("objects", "J&F", "J", "F"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        values = (f"{100 * value:.1f}" for value in (row.j_and_f, row.j, row.f))
        objects = "" if row.objects is None else str(row.objects)
        table.add_row(row.name, row.benchmark, objects, *values)
    # A table that is cut to fit tells nothing.
    Console(width=max(Console().width, 100)).print(table)
