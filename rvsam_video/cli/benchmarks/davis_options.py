"""What `score davis` and `eval davis` have in common: options, progress and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rvsam_video.cli.options import names_in, with_options

if TYPE_CHECKING:
    from rich.table import Table

    from rvsam_video.evals.davis.files import Speed
    from rvsam_video.evals.davis.scores import DavisScores
    from rvsam_video.evals.davis.scoring import SequenceScores

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--root",
        type=click.Path(path_type=Path),
        required=True,
        help="Folder with JPEGImages, Annotations and ImageSets.",
    ),
    click.option(
        "--split",
        type=click.Choice(["train", "val", "test-dev", "test-challenge"]),
        default="val",
        show_default=True,
    ),
    click.option(
        "--year",
        type=click.Choice(["2016", "2017"]),
        default="2017",
        show_default=True,
        help="2016 sees all objects as one.",
    ),
    click.option("--sequences", help="Names separated by commas.  [default: all of the split]"),
    click.option(
        "--resolution",
        default="480p",
        show_default=True,
        help="Folder below JPEGImages and Annotations.",
    ),
    click.option(
        "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line."),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)


def davis_options(command: _Command) -> _Command:
    """Add the options that both commands have."""
    return with_options(command, _OPTIONS)


def sequence_names(text: str | None) -> list[str] | None:
    """Return the names of a list with commas or blanks; None if there is none."""
    # No sequence has a blank in its name, and people type `dog goat`.
    return None if text is None else list(names_in(",".join(text.split())))


def sequence_line(scores: SequenceScores) -> str:
    """Say in one line how a sequence went."""
    if not len(scores.j):
        return f"{scores.name}: no objects"
    j, f = scores.j.mean(), scores.f.mean()
    return f"{scores.name}: J&F {50 * (j + f):.1f}, J {100 * j:.1f}, F {100 * f:.1f}"


def show_scores(
    scores: DavisScores, files: Sequence[Path], speeds: Mapping[str, Speed] | None = None
) -> None:
    """Print the table of sequences, the means over all objects, and where the files are.

    Args:
        scores: of all sequences.
        files: what was written.
        speeds: how fast sequences were tracked; None leaves the column out.
    """
    from rich.console import Console

    # A table that is cut to fit tells nothing.
    Console(width=max(Console().width, 100)).print(_table(scores, speeds))
    for path in files:
        click.echo(f"wrote {path}")


def _table(scores: DavisScores, speeds: Mapping[str, Speed] | None) -> Table:
    from rich.table import Table

    table = Table(title=f"DAVIS {scores.year} {scores.split}, {scores.task}, percent")
    table.add_column("sequence", no_wrap=True)
    columns = ("objects", "frames", "J&F", "J", "F", *(() if speeds is None else ("fps",)))
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for sequence in scores.sequences:
        objects, frames = sequence.j.shape
        values = _percents(sequence.j.mean(), sequence.f.mean()) if objects else ("-",) * 3
        table.add_row(
            sequence.name, str(objects), str(frames), *values, *_fps(speeds, sequence.name)
        )
    table.add_section()
    summary = scores.summary()
    rows = len(scores.objects)
    table.add_row(
        "mean over objects", str(rows), "", *_percents(summary["J-Mean"], summary["F-Mean"])
    )
    for what in ("Recall", "Decay"):
        j, f = (f"{100 * summary[f'{measure}-{what}']:.1f}" for measure in "JF")
        table.add_row(what.lower(), "", "", "", j, f)
    return table


def _fps(speeds: Mapping[str, Speed] | None, name: str) -> tuple[str, ...]:
    if speeds is None:
        return ()
    return (f"{speeds[name].frames_per_second:.2f}" if name in speeds else "-",)


def _percents(j: float, f: float) -> tuple[str, str, str]:
    return f"{50 * (j + f):.1f}", f"{100 * j:.1f}", f"{100 * f:.1f}"
