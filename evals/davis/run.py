"""Run the tracker on DAVIS from the first annotations, and score what comes out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from ...batch.processors import share_processors
from ...errors import SourceError
from ...json_values import Json
from ...methods import Pair
from ...runs.folder import RunFolder
from ...runs.pictures import as_ranges
from ...sinks.base import SinkContext
from ...sinks.masks import MaskSink
from ...sinks.names import MASK_FOLDER, PARTS_FOLDER
from ...writing import refuse_link, writing
from ..following import Follower, follower_of, noting_the_end
from ..workers import Tick, Watch, each
from .checks import refuse_unscorable
from .files import Speed, save_speeds, save_tables
from .layout import DavisSequence, DavisSet, Year
from .masks import first_objects
from .notes import read_note, write_note
from .report import save_report
from .scores import DavisScores, gather
from .scoring import SequenceScores, score_sequence


@dataclass(frozen=True, slots=True)
class TrackedSequence:
    """One sequence, tracked and scored.

    Attributes:
        scores: of its masks.
        frames: how many it has.
        seconds: that reading, tracking, segmenting and writing took; None if the masks had been
            there already.
    """

    scores: SequenceScores
    frames: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        scores: of all sequences.
        speeds: by sequence, over all parts of a resumed run.
        files: tables and picture.
    """

    scores: DavisScores
    speeds: Mapping[str, Speed]
    files: tuple[Path, ...]

    @property
    def frames(self) -> int:
        """How many frames were tracked."""
        return sum(speed.frames for speed in self.speeds.values())

    @property
    def seconds(self) -> float:
        """How long tracking them took, added up over processes."""
        return sum(speed.seconds for speed in self.speeds.values())


def evaluate_davis(
    chosen: DavisSet,
    out: Path,
    method: Pair,
    *,
    workers: int = 1,
    overwrite: bool = False,
    watch: Watch[TrackedSequence] | None = None,
) -> Evaluation:
    """Track every sequence from the objects of its first annotation, and score the masks.

    Masks go to `OUT/masks/NAME/00000.png`, sequence by sequence: one that is there is whole, and is
    not tracked again. So the same command goes on where it was killed.

    Args:
        chosen: from `find_davis`, semi-supervised.
        out: folder of the evaluation; made if it is missing.
        method: what to run, from `Method.resolve`.
        workers: processes; sequences are shared out among them.
        overwrite: begin anew where another evaluation has been.
        watch: is told how far it is; it is ticked once per frame, also for masks that were there.

    Raises:
        UsageError: if a name is unknown.
        SourceError: if frames are missing or damaged.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    # Before hours of tracking: a frame that is missing would be found in the last sequence
    # otherwise.
    _check_frames(chosen)
    refuse_unscorable(chosen)
    command = _command(chosen, method)
    with RunFolder.open(out, command, overwrite=overwrite) as folder:
        folder.update(device=method.device, notes=method.weights())
        work = partial(_track_and_score, out=out, method=method, year=chosen.year, workers=workers)
        ledger = _Ledger(folder, chosen, watch)
        # Libraries for tracking have threads of their own, which do not survive a fork.
        with noting_the_end(folder):
            tracked = each(work, chosen.sequences, workers=workers, watch=ledger, start="spawn")
        scores = gather(chosen, [sequence.scores for sequence in tracked])
        counts, timings = folder.record.counts, folder.record.timings
        names = [sequence.name for sequence in chosen.sequences if sequence.name in timings]
        speeds = {name: Speed(counts.get(name, 0), timings[name]) for name in names}
        tables = [*save_tables(scores, out), save_speeds(scores, speeds, out)]
        files = (*tables, save_report(scores, out))
        folder.finish("complete")
        return Evaluation(scores, speeds, files)


class _Ledger:
    """Keeps the time of each sequence in `run.json`, so that a resumed run knows all of them."""

    def __init__(
        self, folder: RunFolder, chosen: DavisSet, watch: Watch[TrackedSequence] | None
    ) -> None:
        self._folder, self._chosen, self._watch = folder, chosen, watch

    def ticked(self, count: int) -> None:
        """Pass it on."""
        if self._watch is not None:
            self._watch.ticked(count)

    def finished(self, index: int, result: TrackedSequence) -> None:
        """Note the time, and pass it on."""
        if result.seconds is not None:
            sequence = self._chosen.sequences[index]
            name = sequence.name
            seconds = round(result.seconds, 3)
            masks = as_ranges(path.name for path in mask_files(sequence))
            self._folder.update(
                timings={name: seconds},
                counts={name: result.frames},
                pictures={f"{MASK_FOLDER}/{name}": masks},
            )
        if self._watch is not None:
            self._watch.finished(index, result)


def _command(chosen: DavisSet, method: Pair) -> dict[str, Json]:
    """Return all that decides the masks; an evaluation goes on only if this is the same."""
    return {
        "evaluation": f"DAVIS {chosen.year}",
        # Neither split nor names: a part of a set may be done first, and more of it later.
        "data": str(chosen.root.resolve()),
        "longest_side": method.longest_side,
        "restarts": method.restarts,
        **method.identity(),
    }


def _check_frames(chosen: DavisSet) -> None:
    """Refuse sequences whose frames are not exactly the annotated ones."""
    for sequence in chosen.sequences:
        frames = sorted(path.stem for path in sequence.pictures.glob("*.jpg"))
        if frames != sequence.frame_ids:
            msg = (
                f"{sequence.name} has {len(sequence.truth)} annotations and {len(frames)} frames "
                f"in {sequence.pictures}; both need the same names, unpack that folder again"
            )
            raise SourceError(msg)


def mask_files(sequence: DavisSequence) -> list[Path]:
    """Return the masks of a sequence, as paths below its folder."""
    return [Path(f"{name}.png") for name in sequence.frame_ids]


def _track_and_score(
    sequence: DavisSequence, tick: Tick, *, out: Path, method: Pair, year: Year, workers: int
) -> TrackedSequence:
    masks = out / MASK_FOLDER / sequence.name
    # Whole, since it was renamed into its place; only its score is computed again.
    if all((masks / path).is_file() for path in mask_files(sequence)):
        # Of a process whose answer nobody waited for any more.
        seconds = read_note(out, sequence.name)
        for _ in sequence.truth:
            tick()
    else:
        began = time.perf_counter()
        seconds = _track(_follower(method, workers), sequence, out, year, tick, began)
    scores = score_sequence(sequence, masks.parent, year=year)
    return TrackedSequence(scores, len(sequence.truth), seconds)


# Loading a network takes longer than some sequences do.
@cache
def _follower(method: Pair, workers: int) -> Follower:
    """Build once per process what all its sequences use."""
    follower = follower_of(method)
    # After loading: threads are counted for libraries that are there.
    if workers > 1:
        share_processors(workers)
    return follower


def _track(
    follower: Follower, sequence: DavisSequence, out: Path, year: Year, tick: Tick, began: float
) -> float:
    """Write the masks of a sequence aside, and move them to their place when all are there.

    Returns:
        Seconds since it began.
    """
    aside = out / PARTS_FOLDER / sequence.name
    numbers = first_objects(sequence, year)
    # Objects that show later are not known to the task: only the first annotation is given.
    objects = {int(key): numbers == key for key in np.unique(numbers[numbers != 0])}
    with closing(
        MaskSink(aside, SinkContext(sequence.name, sequence.frame_ids.__getitem__))
    ) as sink:
        # Begins anew over whatever a kill has left.
        sink.start(None)
        frames = 0
        for result in follower.follow(sequence.pictures, objects):
            sink.write(result)
            frames += 1
            tick()
        sink.commit()
    # A frame that could not be read has no mask, and the score would fail without saying why.
    if frames != len(sequence.truth):
        msg = (
            f"{len(sequence.truth) - frames} of the {len(sequence.truth)} frames in "
            f"{sequence.pictures} could not be read; unpack that folder again"
        )
        raise SourceError(msg)
    seconds = time.perf_counter() - began
    # Before the masks get their place: from then on nobody else knows how long they took.
    write_note(out, sequence.name, seconds, [path.name for path in mask_files(sequence)])
    with writing(out):
        (out / MASK_FOLDER).mkdir(exist_ok=True)
        _move(aside / MASK_FOLDER, out / MASK_FOLDER / sequence.name)
        shutil.rmtree(aside)
    return seconds


def _move(source: Path, target: Path) -> None:
    """Move a folder to its place; into it, if somebody keeps files of his own there."""
    if not target.exists():
        # One step, on the same disk: the folder is there whole or not at all.
        source.rename(target)
        return
    refuse_link(target)
    for path in source.iterdir():
        path.replace(target / path.name)
