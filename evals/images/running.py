"""Working through the pictures of a set, such that a killed run goes on with the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic

from ...batch.processors import share_processors
from ...json_values import Json
from ...methods import Part
from ...runs.folder import RunFolder
from ...segmenters.base import Segmenter
from ...segmenters.sam.automatic import with_everything_mode
from ...segmenters.sam.segmenter import SamSegmenter
from ...writing import writing
from ..following import noting_the_end
from ..workers import Item, Tick, Watch, each

_NOTE_EVERY = 5.0
"""Seconds between two notes of the time in `run.json`: a set has thousands of pictures."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long pictures took, over all times that a run was gone on with.

    Attributes:
        pictures: that were worked on.
        seconds: that took, added up over processes.
    """

    pictures: int
    seconds: float

    def __str__(self) -> str:
        """Say it in one sentence."""
        if not self.pictures or not self.seconds:
            return f"{self.pictures} pictures"
        each_takes = self.seconds / self.pictures
        return (
            f"{self.pictures} pictures in {self.seconds:.1f} s: {each_takes:.2f} s each, "
            f"{1 / each_takes:.2f} a second in each process"
        )


@contextmanager
def evaluation_folder(
    out: Path, command: Mapping[str, Json], *, results: Collection[str], overwrite: bool
) -> Iterator[RunFolder]:
    """Open the folder of an evaluation, and note at the end how it ended.

    Args:
        out: made if it is missing.
        command: all that decides the results; an evaluation goes on only if this is the same.
        results: patterns of the files that `overwrite` removes, below the folder.
        overwrite: begin anew where another evaluation has been.

    Raises:
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    with RunFolder.open(out, command, overwrite=overwrite) as folder:
        if overwrite:
            with writing(out):
                for pattern in results:
                    for path in out.glob(pattern):
                        path.unlink()
        with noting_the_end(folder):
            yield folder
        folder.finish("complete")


@dataclass(frozen=True, slots=True)
class Work(Generic[Item]):
    """What is done to each picture; picklable, so that other processes can do it.

    Attributes:
        there: whether the result of a picture is there, so that nothing is left to do.
        make: makes it; it must appear as a whole.
    """

    there: Callable[[Item], bool]
    make: Callable[[Item], object]

    def __call__(self, item: Item, tick: Tick) -> float | None:
        """Return the seconds it took; None if the result was there already."""
        seconds = None
        if not self.there(item):
            began = time.perf_counter()
            self.make(item)
            seconds = time.perf_counter() - began
        tick()
        return seconds


def go_through(
    items: Sequence[Item],
    work: Work[Item],
    folder: RunFolder,
    *,
    workers: int = 1,
    watch: Watch[float | None] | None = None,
) -> Pace:
    """Do the work on all pictures.

    Args:
        items: one a picture.
        work: is done to each; results that are there are left as they are.
        folder: takes note of the time.
        workers: processes; pictures are shared out among them.
        watch: is told how far it is: ticks are pictures.

    Raises:
        RvsamError: what the work raised.
    """
    ledger = _Ledger(folder, watch)
    # Libraries for networks have threads of their own, which do not survive a fork.
    each(work, items, workers=workers, watch=ledger, start="spawn")
    return ledger.close()


class _Ledger:
    """Adds up the time in `run.json`, and passes on how far the work is."""

    def __init__(self, folder: RunFolder, watch: Watch[float | None] | None) -> None:
        self._folder, self._watch = folder, watch
        record = folder.record
        self._pictures = record.counts.get("pictures", 0)
        self._seconds = record.timings.get("pictures", 0.0)
        self._noted = time.monotonic()

    def ticked(self, count: int) -> None:
        if self._watch is not None:
            self._watch.ticked(count)

    def finished(self, index: int, result: float | None) -> None:
        if result is not None:
            self._pictures += 1
            self._seconds += result
            if time.monotonic() - self._noted > _NOTE_EVERY:
                self._note()
        if self._watch is not None:
            self._watch.finished(index, result)

    def close(self) -> Pace:
        self._note()
        return Pace(self._pictures, self._seconds)

    def _note(self) -> None:
        self._noted = time.monotonic()
        seconds = round(self._seconds, 3)
        self._folder.update(counts={"pictures": self._pictures}, timings={"pictures": seconds})


@cache
def segmenter_in_this_process(part: Part, workers: int) -> Segmenter:
    """Load once per process what all its pictures use; raises as `Part.load_segmenter`."""
    segmenter = part.load_segmenter()
    if workers > 1:
        share_processors(workers)
    return segmenter


def everything_in_this_process(part: Part, workers: int) -> SamSegmenter:
    """Load once per process a segmenter with everything mode.

    Raises:
        UsageError: if this one has none.
        WeightsError: if weights cannot be had.
    """
    return with_everything_mode(segmenter_in_this_process(part, workers))


def identity_of(part: Part) -> dict[str, Any]:
    """Return all of a segmenter that decides results, for `run.json`."""
    return {**part.identity(), "device": part.place, "backend": part.backend}
