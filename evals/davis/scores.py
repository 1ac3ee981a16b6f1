"""DAVIS 2016 and 2017: from masks to the official table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import SourceError
from ..metrics.statistics import Statistics, statistics
from ..workers import Tick, Watch, each
from .checks import refuse_unscorable
from .layout import DavisSequence, DavisSet, Task, Year
from .scoring import SequenceScores, score_sequence

GLOBAL_COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")
"""What the official table says of a whole set."""


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """One row of the table.

    Attributes:
        name: sequence and number, for example `dogs-jump_2`.
        sequence: name of its sequence.
        j: statistics of its region similarity.
        f: statistics of its boundary measure.
    """

    name: str
    sequence: str
    j: Statistics
    f: Statistics

    @property
    def j_and_f(self) -> float:
        """Mean of both means."""
        return (self.j.mean + self.f.mean) / 2


@dataclass(frozen=True, slots=True)
class DavisScores:
    """All scores of a set.

    Attributes:
        year: 2016 or 2017.
        split: name of the part.
        task: whose rules held.
        sequences: J and F by object and frame, in the order of the set.
    """

    year: Year
    split: str
    task: Task
    sequences: tuple[SequenceScores, ...]

    @property
    def objects(self) -> list[ObjectScores]:
        """One row per object, in order."""
        return [row for sequence in self.sequences for row in object_scores(sequence)]

    def summary(self) -> dict[str, float]:
        """Return the means over all objects by `GLOBAL_COLUMNS`, as fractions."""
        rows = self.objects
        values = {
            # Over objects, not over sequences or frames: a sequence of five counts five times.
            f"{measure}-{what}": float(np.mean([getattr(getattr(row, key), field) for row in rows]))
            for measure, key in (("J", "j"), ("F", "f"))
            for what, field in (("Mean", "mean"), ("Recall", "recall"), ("Decay", "decay"))
        }
        # First in the table, and the mean of the two means.
        return {"J&F-Mean": (values["J-Mean"] + values["F-Mean"]) / 2, **values}


def object_scores(sequence: SequenceScores) -> list[ObjectScores]:
    """Return one row per object of a sequence."""
    return [
        ObjectScores(f"{sequence.name}_{number}", sequence.name, statistics(j), statistics(f))
        for number, (j, f) in enumerate(zip(sequence.j, sequence.f, strict=True), 1)
    ]


def score_davis(
    chosen: DavisSet, results: Path, *, workers: int = 1, watch: Watch[SequenceScores] | None = None
) -> DavisScores:
    """Score masks that any tool has written.

    Args:
        chosen: from `find_davis`.
        results: folder that holds `NAME/FRAME.png`.
        workers: processes; sequences are shared out among them.
        watch: is told how far it is.

    Raises:
        SourceError: see `score_sequence`; or if no sequence has an object.
    """
    if not results.is_dir():
        msg = f"there is no folder {results}; it should hold the masks as NAME/00000.png"
        raise SourceError(msg)
    # Before hours of scoring: what is missing would be found in the last sequence otherwise.
    refuse_unscorable(chosen, results)
    score = partial(_score_one, results=results, task=chosen.task, year=chosen.year)
    return gather(chosen, each(score, chosen.sequences, workers=workers, watch=watch))


def _score_one(
    sequence: DavisSequence, tick: Tick, *, results: Path, task: Task, year: Year
) -> SequenceScores:
    return score_sequence(sequence, results, task=task, year=year, tick=tick)


def gather(chosen: DavisSet, scores: Sequence[SequenceScores]) -> DavisScores:
    """Put the scores of all sequences together.

    Raises:
        SourceError: if no sequence has an object.
    """
    if not any(len(sequence.j) for sequence in scores):
        msg = f"the first annotations of {chosen.split} show no object: there is nothing to score"
        raise SourceError(msg)
    return DavisScores(chosen.year, chosen.split, chosen.task, tuple(scores))
