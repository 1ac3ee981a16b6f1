"""Scoring one sequence of DAVIS: frames and objects that count, void, and missing masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError
from ..metrics.assignment import best_assignment
from ..metrics.index_maps import Scores, score_objects, score_pairs
from ..workers import Tick
from .layout import DavisSequence, Task, Year
from .masks import VOID, first_objects, masks_of

MOST_PROPOSALS = 20
"""An unsupervised result may hold no more, over a whole sequence."""


@dataclass(frozen=True, slots=True)
class SequenceScores:
    """J and F of every object of a sequence in every frame that counts.

    Attributes:
        name: of the sequence.
        frame_ids: of the T frames.
        j: (N, T) float64, region similarity by object and frame.
        f: (N, T) float64, boundary measure, likewise.
    """

    name: str
    frame_ids: tuple[str, ...]
    j: NDArray[np.float64]
    f: NDArray[np.float64]


def score_sequence(
    sequence: DavisSequence,
    results: Path,
    *,
    task: Task = "semi-supervised",
    year: Year = 2017,
    tick: Tick = lambda: None,
) -> SequenceScores:
    """Score the masks of one sequence, frame by frame; memory does not grow with its length.

    Source: the DAVIS 2017 evaluation, whose values these are to the last bit.

    * How many objects there are says the first annotation: as many as its highest number. What has
      a higher number later is background.
    * Semi-supervised: the first and the last frame do not count, and void pixels are background.
    * Unsupervised: all frames count, void pixels do not. Each object is matched with the proposal
      that makes the sum of J and F over all objects highest; rows follow the proposals' numbers.
    * 2016: everything annotated is one object, and so is everything predicted.

    Args:
        sequence: from `find_davis`.
        results: folder that holds `NAME/FRAME.png`.
        task: whose rules hold.
        year: 2016 merges all objects into one.
        tick: called after every frame.

    Raises:
        SourceError: if a mask is missing or unreadable, has another size than the first annotation,
            or holds a number that no object or proposal may have.
    """
    objects = int(first_objects(sequence, year).max(initial=0))
    score = _score_matched if task == "unsupervised" else _score_named
    return score(_Frames(sequence, results, task, year), objects, tick)


class _Frames:
    """The frames of a sequence that count: annotation and result of one at a time."""

    def __init__(self, sequence: DavisSequence, results: Path, task: Task, year: Year) -> None:
        self.name = sequence.name
        self._truth = sequence.truth[_counted(task)]
        self.ids = tuple(sequence.frame_ids[_counted(task)])
        self._results = counted_results(sequence, results, task)
        self._masks = masks_of(sequence, year)
        self._first = sequence.truth[0]
        if not self.ids:
            msg = (
                f"{sequence.name} has {len(sequence.truth)} annotations, and the first and the "
                "last do not count: there is nothing to score"
            )
            raise SourceError(msg)
        # All at once, before the first is read.
        refuse_missing_masks(self._results)

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8], Path]]:
        """Yield the numbers of the annotation (with void), those of the result, and its file."""
        # The first annotation decides, though its frame may not count.
        size = self._masks.truth(self._first).shape
        for annotation, result in zip(self._truth, self._results, strict=True):
            truth, found = self._masks.truth(annotation), self._masks.prediction(result)
            for numbers, path in ((truth, annotation), (found, result)):
                if numbers.shape != size:
                    msg = (
                        f"the mask {path} has {_size(numbers.shape)} pixels, but {self._first} has "
                        f"{_size(size)}; save all masks of a sequence in the size of its frames"
                    )
                    raise SourceError(msg)
            yield truth, found, result


def counted_results(sequence: DavisSequence, results: Path, task: Task) -> list[Path]:
    """Return the masks of a sequence that count."""
    return [results / sequence.name / f"{name}.png" for name in sequence.frame_ids[_counted(task)]]


def _counted(task: Task) -> slice:
    # The first frame is given, and the last is left out as well by the rules of the challenge.
    return slice(None) if task == "unsupervised" else slice(1, -1)


def refuse_missing_masks(results: Sequence[Path]) -> None:
    """Refuse masks that are not all there.

    Raises:
        SourceError: naming the first that is missing.
    """
    missing = [path for path in results if not path.is_file()]
    if missing:
        msg = (
            f"the mask {missing[0]} is missing ({len(missing)} of {len(results)} of this sequence "
            "are); every annotated frame needs one, named as its annotation"
        )
        raise SourceError(msg)


def _score_named(frames: _Frames, objects: int, tick: Tick) -> SequenceScores:
    """Score every object against its namesake."""
    rows: list[Scores] = []
    for truth, found, path in frames:
        highest = int(found.max(initial=0))
        # Refused as in the official evaluation; there the program ends as if all were well.
        if highest > objects:
            msg = (
                f"the mask {path} holds the number {highest}, but {frames.name} has {objects} "
                f"object{'s' * (objects != 1)}; number them as in its first annotation"
                + ("; masks of white on black are scored by --year 2016" if highest == VOID else "")
            )
            raise SourceError(msg)
        # Numbers that the first annotation does not have are background, void among them.
        late = int(truth.max(initial=0)) > objects
        known = np.where(truth > objects, np.uint8(0), truth) if late else truth
        rows.append(score_objects(found, known, objects))
        tick()
    # Contiguous by object: NumPy sums such rows pairwise, as the official code does; else the last
    # bit differs.
    j, f = (np.ascontiguousarray(np.stack(part, axis=-1)) for part in zip(*rows, strict=True))
    return SequenceScores(frames.name, frames.ids, j, f)


def _score_matched(frames: _Frames, objects: int, tick: Tick) -> SequenceScores:
    """Score every object against the proposal that it is given in the best assignment."""
    rows: list[Scores] = []
    used = 0
    for truth, found, path in frames:
        highest = int(found.max(initial=0))
        if highest > MOST_PROPOSALS:
            msg = (
                f"the mask {path} holds the number {highest}, but a result may hold at most "
                f"{MOST_PROPOSALS} proposals, numbered from 1"
            )
            raise SourceError(msg)
        used = max(used, highest)
        # Taken out of both before the boundaries are drawn, so the rim of void can make some, as it
        # does in the official evaluation.
        void = truth == VOID
        known = np.where(void | (truth > objects), np.uint8(0), truth)
        proposals = np.where(void, np.uint8(0), found)
        # Always as many rows, so that frames can be stacked whatever numbers each holds.
        rows.append(score_pairs(proposals, known, max(MOST_PROPOSALS, objects), objects))
        tick()
    # Objects beyond the number of proposals are given empty ones.
    j, f = (
        np.ascontiguousarray(np.stack(part, axis=-1)[: max(used, objects)])
        for part in zip(*rows, strict=True)
    )
    # Over the whole sequence: an object cannot change its proposal from frame to frame.
    chosen = best_assignment((j.mean(axis=-1) + f.mean(axis=-1)) / 2)
    # TableRows by rising proposal and not by object, as the official tables have them.
    order = np.argsort(chosen)
    matched = chosen[order], order
    return SequenceScores(frames.name, frames.ids, j[matched], f[matched])


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, reversed(shape)))
