"""Clips to be tracked: `BatchClip`, and the unit of work that it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rvsam_video.errors import OutputError, SourceError
from rvsam_video.json_values import Json
from rvsam_video.methods import Pair
from rvsam_video.presets import find_preset
from rvsam_video.prompts.as_json import prompts_to_json
from rvsam_video.results import FrameResult
from rvsam_video.runs.job import RunSummary, Silent, summary_of
from rvsam_video.runs.layout import CHECKPOINT_FILE, RUN_FILE
from rvsam_video.runs.objects import RunOptions, run
from rvsam_video.runs.record import RunRecord, load_record
from rvsam_video.settings import SegmentationSettings
from rvsam_video.sinks.names import PARTS_FOLDER
from rvsam_video.streaming.engine import VideoSegmenter

_TICK_FRAMES = 5
"""Between two words on how far a clip is."""

_DIGITS = 8


@dataclass(frozen=True, slots=True)
class BatchClip:
    """A clip that is to be tracked.

    Attributes:
        name: what its folder is called, with eight digits that tell it from others of that name.
        options: what is read and followed, and how; the folder is chosen by `unit_of`.
    """

    name: str
    options: RunOptions


@dataclass(frozen=True, slots=True)
class ClipUnit:
    """The work on one clip.

    Attributes:
        options: what is done, into the folder that these name.
    """

    options: RunOptions

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.options.out.name

    def complete(self) -> bool:
        """Whether its run is complete."""
        record = record_of(self.options.out)
        return record is not None and record.status == "complete"

    def progress(self) -> str:
        """Return when its last checkpoint was made."""
        try:
            stamp = (self.options.out / PARTS_FOLDER / CHECKPOINT_FILE).stat().st_mtime_ns
        except OSError:
            return ""
        return str(stamp)

    def work(self, tick: Callable[[int], None], should_stop: Callable[[], bool]) -> bool:
        """Track it, or go on with it.

        Raises:
            RvsamError: if it cannot be tracked.
        """
        try:
            summary = run(self.options, _Ticking(tick), should_stop, load=loaded)
        except (SourceError, OutputError) as error:
            # What the system said, such as a disk that is full for now, is no property of the clip.
            raise type(error)(f"{self.options.source}: {error}") from error
        return summary.status == "complete"


def record_of(folder: Path) -> RunRecord | None:
    """Return what `run.json` says; None if there is none that can be read."""
    try:
        return load_record(folder / RUN_FILE) if (folder / RUN_FILE).exists() else None
    except OutputError:
        return None


class _Ticking(Silent):
    """Tells how many frames are done, now and then."""

    def __init__(self, tick: Callable[[int], None]) -> None:
        self._tick, self._done, self._told = tick, 0, 0

    def started(self, total: int | None, done: int) -> None:  # noqa: ARG002 (only counted)
        """Begin to count."""
        self._done = done
        self._tick(done)

    def message(self, text: str) -> None:  # noqa: ARG002 (in run.json anyway)
        """Say that it is alive."""
        self._tick(self._done)

    def result(self, result: FrameResult) -> None:  # noqa: ARG002 (only counted)
        """Count."""
        self._done += 1
        if self._done - self._told >= _TICK_FRAMES:
            self._told = self._done
            self._tick(self._done)


@lru_cache(maxsize=2)
def loaded(pair: Pair) -> VideoSegmenter:
    """Load networks once for all clips of a worker that use them; raises as `VideoSegmenter.of`."""
    return VideoSegmenter.of(pair)


def unit_of(clip: BatchClip, runs: Path) -> ClipUnit:
    """Give a clip its folder, which is the same whenever the same is asked for.

    Args:
        clip: what is to be done.
        runs: the folder of all run folders.
    """
    digest = hashlib.sha256(json.dumps(_identity(clip.options)).encode()).hexdigest()[:_DIGITS]
    return ClipUnit(replace(clip.options, out=runs / f"{clip.name}-{digest}"))


def _identity(options: RunOptions) -> dict[str, Json]:
    """Return what tells a clip from all others, without opening it."""
    method, path = options.method, Path(options.source)
    # Settings that were left out are those that would be given.
    preset = None if method.preset is None else find_preset(method.preset).settings
    settings = method.settings or preset or SegmentationSettings()
    return {
        "source": str(path.resolve()) if path.exists() else options.source,
        "prompts": prompts_to_json(options.prompts),
        "save": sorted(options.save),
        "background": list(options.background),
        "max_frames": options.max_frames,
        "fps": options.fps,
        "reader": options.reader,
        "on_bad_frame": options.on_bad_frame,
        **options.part.to_json(),
        "longest_side": options.longest_side,
        "direction": options.direction,
        "method": repr(replace(method, settings=None)),
        "settings": settings.to_dict(),
    }


def unit_list(clips: Sequence[BatchClip], runs: Path) -> list[ClipUnit]:
    """Return the units of clips; of those that ask for the same only the first."""
    units = {unit.name: unit for unit in (unit_of(clip, runs) for clip in clips)}
    return list(units.values())


def summary_of_unit(unit: ClipUnit) -> RunSummary | None:
    """Return how the run of a clip stands; None if it has not begun."""
    record = record_of(unit.options.out)
    if record is None:
        return None
    files = [unit.options.out / name for name in record.files]
    return summary_of(record, unit.options.out, files)
