"""`rvsam-video score davis`: J and F of masks that any tool has written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rvsam_video.cli.benchmarks.davis_options import davis_options, sequence_names, show_scores
from rvsam_video.cli.progress import Reporter, reporter_for

if TYPE_CHECKING:
    from rvsam_video.evals.davis.layout import Task
    from rvsam_video.evals.davis.scoring import SequenceScores


@click.command("davis", context_settings={"max_content_width": 100})
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with the masks, NAME/00000.png.",
)
@click.option(
    "--task",
    type=click.Choice(["semi-supervised", "unsupervised"]),
    default="semi-supervised",
    show_default=True,
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the tables and the picture.  [default: that of the masks]",
)
@davis_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    results: Path,
    split: str,
    task: Task,
    year: str,
    sequences: str | None,
    resolution: str,
    workers: int,
    out: Path | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001
) -> None:
    """Score masks on DAVIS as the official evaluation does: J, F and their statistics.

    \b
    Example:
      rvsam-video score davis --root DAVIS --results masks --split val
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.davis.checks import remarks
    from rvsam_video.evals.davis.files import save_tables
    from rvsam_video.evals.davis.layout import find_davis
    from rvsam_video.evals.davis.report import save_report
    from rvsam_video.evals.davis.scores import score_davis

    chosen = find_davis(
        root,
        split,
        task=task,
        year=2016 if year == "2016" else 2017,
        names=sequence_names(sequences),
        resolution=resolution,
    )
    with reporter_for(as_json=as_json, what="scoring") as reporter:
        show = _Show(reporter, sum(len(sequence.truth) for sequence in chosen.sequences))
        notes = remarks(chosen, results) if results.is_dir() else []
        for note in notes:
            reporter.say(f"note: {note}")
        scores = score_davis(chosen, results, workers=workers, watch=show)
        folder = out or results
        files = [*save_tables(scores, folder), save_report(scores, folder)]
        values = {**scores.summary(), "files": [str(path) for path in files], "notes": notes}
        reporter.end(values, [])
    if not as_json:
        show_scores(scores, files)
        # Again: above the table it is out of sight.
        for note in notes:
            click.echo(f"note: {note}")


class _Show:
    """Passes on how far the scoring is."""

    def __init__(self, reporter: Reporter, frames: int) -> None:
        self._reporter, self._frames = reporter, frames
        self._started = False

    def ticked(self, count: int) -> None:
        """Move the bar."""
        if not self._started:
            # Not earlier: its thread would keep workers from being forked.
            self._started = True
            self._reporter.start(self._frames, 0)
        self._reporter.step(count)

    def finished(self, index: int, result: SequenceScores) -> None:
        """Say nothing: the table comes soon."""
