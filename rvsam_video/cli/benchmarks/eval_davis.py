"""`rvsam-video eval davis`: track DAVIS from its first annotations, and score the masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from rvsam_video.cli.benchmarks.davis_options import (
    davis_options,
    sequence_line,
    sequence_names,
    show_scores,
)
from rvsam_video.cli.ending import Asked, exit_code_of, stop_when_asked
from rvsam_video.cli.methods import (
    MethodArguments,
    make_ready,
    method_of,
    method_options,
    say_licences,
)
from rvsam_video.cli.progress import Reporter, reporter_for
from rvsam_video.cli.titles import TitledCommand

if TYPE_CHECKING:
    from rvsam_video.evals.davis.run import TrackedSequence


@click.command("davis", cls=TitledCommand, context_settings={"max_content_width": 100})
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for masks, tables and the picture; the same command goes on where it was stopped.",
)
@method_options
@click.option("--overwrite", is_flag=True, help="Start again where another evaluation has been.")
@davis_options
def command(  # noqa: PLR0913 (one parameter per option)
    *,
    root: Path,
    split: str,
    year: str,
    sequences: str | None,
    resolution: str,
    workers: int,
    out: Path,
    overwrite: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001
    **given: Unpack[MethodArguments],
) -> int:
    """Track every sequence from the masks of its first frame, and score the result.

    \b
    Example:
      rvsam-video eval davis --root DAVIS --out runs/davis --workers 2
    """  # noqa: D301 (click reads \b)
    from rvsam_video.evals.davis.layout import find_davis
    from rvsam_video.evals.davis.run import evaluate_davis

    chosen = find_davis(
        root,
        split,
        year=2016 if year == "2016" else 2017,
        names=sequence_names(sequences),
        resolution=resolution,
    )
    method = method_of(given).resolve()
    make_ready(method.parts, shown=not as_json)
    say_licences(method.parts, shown=not as_json)
    reporter = reporter_for(as_json=as_json)
    with reporter, stop_when_asked(reporter.say) as asked:
        reporter.say(str(method))
        reporter.start(sum(len(sequence.truth) for sequence in chosen.sequences), 0)
        show = _Show(reporter, asked, len(chosen.sequences))
        try:
            done = evaluate_davis(
                chosen, out, method, workers=workers, overwrite=overwrite, watch=show
            )
        except KeyboardInterrupt as error:
            reporter.say(f"stopped; the same command goes on from here ({out})")
            return asked.exit_code if asked.is_set() else exit_code_of(error)
        values = {**done.scores.summary(), "frames": done.frames, "seconds": round(done.seconds, 3)}
        reporter.end({**values, "files": [str(path) for path in done.files]}, [])
    if not as_json:
        show_scores(done.scores, done.files, done.speeds)
        click.echo(_speed_line(done.frames, done.seconds))
    return 0


def _speed_line(frames: int, seconds: float) -> str:
    speed = f" ({frames / seconds:.1f} fps in each process)" if seconds else ""
    return f"{frames} frames tracked in {seconds:.1f} s{speed}"


class _Show:
    """Passes on how far the evaluation is, and the wish to stop."""

    def __init__(self, reporter: Reporter, asked: Asked, sequences: int) -> None:
        self._reporter, self._asked, self._sequences = reporter, asked, sequences
        self._done = 0

    def ticked(self, count: int) -> None:
        """Move the bar.

        Raises:
            KeyboardInterrupt: if somebody pressed Ctrl-C.
        """
        self._reporter.step(count)
        if self._asked.is_set():
            raise KeyboardInterrupt

    def finished(self, index: int, result: TrackedSequence) -> None:  # noqa: ARG002
        """Say how a sequence went."""
        self._done += 1
        there = ", masks were there already" if result.seconds is None else ""
        line = f"{sequence_line(result.scores)} ({self._done} of {self._sequences}{there})"
        self._reporter.say(line)
