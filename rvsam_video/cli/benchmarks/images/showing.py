"""Showing evaluations of pictures: how far they are, and what came out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rvsam_video.cli.ending import Asked, exit_code_of, stop_when_asked
from rvsam_video.cli.methods import SegmenterArguments, make_ready, say_licences, segmenter_of
from rvsam_video.cli.progress import Reporter, reporter_for

if TYPE_CHECKING:
    from rvsam_video.evals.images.report import ImageReport
    from rvsam_video.methods import Part

_Done = TypeVar("_Done")


class ShowPictures:
    """Passes on how far the work on pictures is, and the wish to stop."""

    def __init__(self, reporter: Reporter, total: int, asked: Asked) -> None:
        self._reporter, self._total, self._asked = reporter, total, asked
        self._started = False

    def ticked(self, count: int) -> None:
        """Move the bar.

        Raises:
            KeyboardInterrupt: if somebody pressed Ctrl-C.
        """
        if not self._started:
            # Not earlier: its thread would keep workers from being forked.
            self._started = True
            self._reporter.start(self._total, 0)
        self._reporter.step(count)
        if self._asked.is_set():
            raise KeyboardInterrupt

    def finished(self, index: int, result: object) -> None:
        """Say nothing: there may be thousands of pictures."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Runs the stages of a command, each with a bar of its own."""

    as_json: bool
    out: Path

    def show(self, what: str, total: int, work: Callable[[ShowPictures], _Done]) -> _Done:
        """Do a stage.

        Args:
            what: is being done, for the bar.
            total: number of pictures.
            work: does it; is given what it tells how far it is.

        Raises:
            Exit: with the code for it, if somebody pressed Ctrl-C.
        """
        with (
            reporter_for(as_json=self.as_json, what=what, frames=False) as reporter,
            stop_when_asked(reporter.say) as asked,
        ):
            try:
                return work(ShowPictures(reporter, total, asked))
            except KeyboardInterrupt as error:
                reporter.say(f"stopped; the same command goes on from here ({self.out})")
                code = asked.exit_code if asked.is_set() else exit_code_of(error)
                raise click.exceptions.Exit(code) from None

    def segmenter(self, given: SegmenterArguments) -> Part:
        """Choose the segmenter, fetch weights that are not there, and say what will run.

        Raises:
            UsageError: if the options do not go together.
            WeightsError: if weights cannot be fetched.
        """
        from rvsam_video.methods import announced

        part = segmenter_of(given).resolve_segmenter()
        make_ready([part], shown=not self.as_json)
        say_licences([part], shown=not self.as_json)
        line = announced(part)
        reporter_for(as_json=self.as_json).say(line)
        return part

    def tell(self, report: ImageReport, folder: Path, *more: str) -> None:
        """Save a report, and print it.

        Args:
            report: numbers, tables and notes.
            folder: takes its files.
            more: sentences that come last.

        Raises:
            OutputError: if the files cannot be written.
        """
        from rich.console import Console

        from rvsam_video.evals.tables import show

        files = report.save(folder)
        if self.as_json:
            named = [str(path) for path in files]
            click.echo(json.dumps({"event": "scores", **report.as_json(), "files": named}))
            return
        show(report.tables, Console())
        for note in report.notes:
            click.echo(f"note: {note}")
        for path in files:
            click.echo(f"wrote {path}")
        for line in more:
            click.echo(line)
