"""What a run is made of, whatever it follows: `Job`, and what is told while it goes on."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from rvsam_video.errors import UsageError
from rvsam_video.json_values import Json
from rvsam_video.methods import Part
from rvsam_video.results import FrameResult
from rvsam_video.runs.doubts import LOOK_AT, Doubt, doubts_in
from rvsam_video.runs.record import RunRecord
from rvsam_video.sinks.base import Sink
from rvsam_video.sources.base import FrameSource
from rvsam_video.streaming.both_ways import Ways
from rvsam_video.trackers.base import PointTracker


class Job(ABC):
    """One kind of run, ready to begin; its networks are loaded.

    Attributes:
        command: all that decides the results; a run is resumed only if this is the same.
        device: what the networks run on.
        weights: file, hash and licence of each network's weights, by their name in `run.json`.
    """

    command: Mapping[str, Json]
    device: str
    weights: Mapping[str, Mapping[str, str]]

    @abstractmethod
    def ways(self) -> Ways:
        """Begin the video; return how it is tracked, in each direction."""

    @abstractmethod
    def sinks(self) -> Mapping[str, Sink]:
        """Make what takes the results, by name; nothing is opened yet."""

    @abstractmethod
    def facts(self) -> dict[str, Json]:
        """Return what the sinks know of the source and the run's command does not say."""

    @abstractmethod
    def begin(self, folder: Path) -> None:
        """Write what is known before the first frame into the run folder; can be called again.

        Raises:
            OutputError: if it cannot be written.
        """

    @abstractmethod
    def unused(self, last: int) -> list[str]:
        """Say what was asked for in frames that never came.

        Args:
            last: index of the last frame of the video, -1 if it had none.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """How a run ended.

    Attributes:
        folder: the run folder.
        status: `complete`, or `interrupted` when it was asked to stop.
        frames: frames tracked, those of earlier parts of a resumed run included.
        seconds: time this took, likewise.
        files: what was written.
        counts: bad and dropped frames and the like.
        messages: sentences for people.
        look_at: stretches of frames whose masks are scored low, the worst first.
        again: whether the same command can go on with it, if it is not complete.
        objects: by object id the frames in which it lived, was hidden, and had a low score.
        names: what objects are called, by their ids.
    """

    folder: Path
    status: Literal["complete", "interrupted"]
    frames: int
    seconds: float
    files: tuple[Path, ...]
    counts: dict[str, int]
    messages: tuple[str, ...]
    look_at: tuple[Doubt, ...] = ()
    again: bool = True
    objects: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float:
        """Average speed, reading and writing included."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def summary_of(record: RunRecord, folder: Path, files: Sequence[Path] = ()) -> RunSummary:
    """Return how a run stands by its record.

    Args:
        record: what `run.json` says.
        folder: the run folder.
        files: what was written.
    """
    return RunSummary(
        folder=folder,
        status="complete" if record.status == "complete" else "interrupted",
        frames=record.counts.get("frames", 0),
        seconds=record.timings.get("total", 0.0),
        files=tuple(files),
        counts=dict(record.counts),
        messages=record.messages,
        look_at=doubts_in(record.notes.get(LOOK_AT)),
        again=can_go_on(record),
        objects=_mapping(record.notes.get("objects")),
        names=_mapping(_mapping(record.notes.get("source")).get("names")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def can_go_on(record: RunRecord) -> bool:
    """Whether the source of a run can be read again, so that its command can go on with it."""
    facts = record.notes.get("source")
    return not isinstance(facts, Mapping) or bool(facts.get("again", True))


Ready = Callable[[Sequence[Part]], None]
"""Is called with the parts of a run before they are loaded: to fetch weights in sight of a user."""


def nothing_to_do(_parts: Sequence[Part]) -> None:
    """Load parts without further ado: weights that are missing are fetched then."""


class RunListener(Protocol):
    """Is told what a run does."""

    def message(self, text: str) -> None:
        """Take a sentence for people."""

    def started(self, total: int | None, done: int) -> None:
        """Tracking begins; `total` frames are expected (None: unknown), `done` are there."""

    def result(self, result: FrameResult) -> None:
        """A frame is final."""


class Silent:
    """A listener that ignores everything."""

    def message(self, text: str) -> None:
        """Ignore a sentence."""

    def started(self, total: int | None, done: int) -> None:
        """Ignore the start."""

    def result(self, result: FrameResult) -> None:
        """Ignore a frame."""


def refuse_endless(tracker: PointTracker, source: FrameSource) -> None:
    """Refuse a tracker that answers at the end of the video for a source that has none.

    Raises:
        UsageError: naming what to choose instead.
    """
    if source.live and tracker.lookahead == sys.maxsize:
        msg = (
            f"{tracker.name} answers at the end of the video, but {source.name} is live and would "
            "fill the memory first; choose a tracker that streams, such as cotracker3-online"
        )
        raise UsageError(msg)
