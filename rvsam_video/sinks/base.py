"""Sinks: where results go, frame by frame, so that a killed run can go on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Protocol

from rvsam_video.closing import ClosesItself
from rvsam_video.errors import OutputError
from rvsam_video.registry import Registry
from rvsam_video.results import FrameResult
from rvsam_video.sinks.names import OBJECT_SINKS, POINT_SINKS
from rvsam_video.trackers.base import QueryPoints

Mark = Mapping[str, int]
"""How far a sink had got at a checkpoint, for example a file's size in bytes."""


class Sink(Protocol):
    """Writes one kind of output of one run.

    The calls come as: `start`, then any number of `write` and `commit`, then `finish` or, when
    the run failed, `close`. What is written depends on the results alone, not on when `commit`
    was called, so that an interrupted run ends with the same bytes as one that was not.
    """

    def start(self, mark: Mark | None) -> None:
        """Begin anew, or go on from a mark that `commit` returned; later output is removed.

        Raises:
            OutputError: if the output cannot be written, or no longer fits the mark.
        """

    def write(self, result: FrameResult) -> None:
        """Take the next frame.

        Raises:
            OutputError: if it cannot be written.
        """

    def commit(self) -> Mark:
        """Make all that was written durable, and return where that is.

        Raises:
            OutputError: if it cannot be written.
        """

    def finish(self, complete: bool) -> list[Path]:
        """Build the final files from what was written; return them.

        Args:
            complete: whether the video ended; otherwise the run was interrupted, and the files
                hold what there is. Either way the last mark stays good to go on from.

        Raises:
            OutputError: if they cannot be written.
        """

    def close(self) -> None:
        """Let go of open files without building anything; can be called at any time, twice."""


def five_digits(index: int) -> str:
    """Return the stem that mask files have by default: 00042 for frame 42."""
    return f"{index:05d}"


def numbered_jpeg(index: int) -> str:
    """Return the name that pictures of a video have: 00042.jpg for frame 42."""
    return f"{five_digits(index)}.jpg"


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What sinks want to know of a run.

    Attributes:
        video_id: names the video in `results.json`.
        mask_stem: frame index to file name without ending; different frames need different names.
        picture_name: frame index to the name of its picture: that of the source where it is a
            folder of pictures, else the one that the output `frames` gives it.
        names: what the user calls objects, by their ids.
        queries: all points that will be followed, where that is known beforehand.
        background: RGB colour behind cut-out objects.
        pixel_aspect: width of a pixel, its height being 1, that videos written are to have.
    """

    video_id: int | str = 0
    mask_stem: Callable[[int], str] = five_digits
    picture_name: Callable[[int], str] = numbered_jpeg
    names: Mapping[int, str] = field(default_factory=dict)
    queries: QueryPoints | None = None
    background: tuple[int, int, int] = (0, 255, 0)
    pixel_aspect: Fraction = Fraction(1)

    def called(self, object_id: int) -> str:
        """Return what an object is called: its name, or `object 3` if it has none."""
        return self.names.get(object_id, f"object {object_id}")


SinkFactory = Callable[[Path, SinkContext], Sink]
"""Makes a sink for a run folder; opens and writes nothing yet."""


def _later(module: str, class_name: str) -> SinkFactory:
    """Return a factory that imports its class when it makes the first sink."""

    def factory(folder: Path, context: SinkContext) -> Sink:
        made: Sink = getattr(import_module(module), class_name)(folder, context)
        return made

    return factory


SINKS: Registry[SinkFactory] = Registry(
    "output",
    {name: _later(*place) for name, place in OBJECT_SINKS.items()},
    group="rvsam_video.sinks",
)
"""Outputs of runs that follow objects, by name."""

POINT_RUN_SINKS: Registry[SinkFactory] = Registry(
    "output of points",
    {name: _later(*place) for name, place in POINT_SINKS.items()},
    group="rvsam_video.point_sinks",
)
"""Outputs of runs that follow points alone, by name."""


def register_sink(name: str, *, points: bool = False) -> Callable[[SinkFactory], SinkFactory]:
    """Give an output a name, by which `--save` and the page know it.

    What its `finish` returns is listed in `run.json`, and removed when the run is overwritten.

    Args:
        name: what it is called.
        points: for runs that follow points alone, instead of objects.

    Returns:
        a decorator for a class, or a function, that makes the sink from a folder and a context.

    Raises:
        UsageError: when it is applied, if the name is that of an output of this package.

    Example:
        >>> @register_sink("areas")
        ... class Areas:
        ...     def __init__(self, folder: Path, context: SinkContext) -> None: ...
    """

    def register(factory: SinkFactory) -> SinkFactory:
        (POINT_RUN_SINKS if points else SINKS).add(name, factory)
        return factory

    return register


def create_sinks(
    names: Iterable[str],
    folder: Path,
    context: SinkContext | None = None,
    sinks: Registry[SinkFactory] | None = None,
) -> dict[str, Sink]:
    """Make the named sinks; nothing is opened or written before their `start`.

    Args:
        names: of `sinks`; a name given twice counts once.
        folder: the run folder.
        context: what the sinks want to know of the run.
        sinks: the outputs that there are; None takes `SINKS`, those of runs that follow objects.

    Raises:
        UsageError: if a name is unknown.
    """
    # All are found before any is made: a wrong name leaves nothing behind.
    factories = {name: (sinks or SINKS).find(name) for name in dict.fromkeys(names)}
    chosen = context or SinkContext()
    return {name: factory(folder, chosen) for name, factory in factories.items()}


class SinkWriter(ClosesItself):
    """Drives all sinks of a run together, in the caller's thread.

    Args:
        sinks: name to sink, as `create_sinks` returns them.
    """

    def __init__(self, sinks: Mapping[str, Sink]) -> None:
        self._sinks = dict(sinks)

    def start(self, marks: Mapping[str, Mark] | None = None) -> None:
        """Begin anew, or go on from the marks of a checkpoint.

        Raises:
            OutputError: if an output cannot be written, or no longer fits its mark.
        """
        # A new output would lack the frames before the mark, and one left out would stay behind.
        if marks is not None and set(marks) != set(self._sinks):
            msg = (
                f"the checkpoint is of a run with the outputs {', '.join(sorted(marks))}, not "
                f"{', '.join(sorted(self._sinks))}; use --overwrite to start again"
            )
            raise OutputError(msg)
        for name, sink in self._sinks.items():
            sink.start(None if marks is None else marks[name])

    def write(self, result: FrameResult) -> None:
        """Give one frame to every sink; its arrays must not be changed afterwards.

        Raises:
            OutputError: if a sink cannot write.
        """
        for sink in self._sinks.values():
            sink.write(result)

    def commit(self) -> dict[str, Mark]:
        """Make all output durable; return the mark of each sink for the checkpoint.

        Raises:
            OutputError: if a sink cannot write.
        """
        return {name: sink.commit() for name, sink in self._sinks.items()}

    def finish(self, complete: bool) -> list[Path]:
        """Build the final files of all sinks and return them, see `Sink.finish`.

        Raises:
            OutputError: if a sink cannot write.
        """
        return [path for sink in self._sinks.values() for path in sink.finish(complete)]

    def close(self) -> None:
        """Let go of all files without building anything; can be called at any time, twice."""
        for sink in self._sinks.values():
            sink.close()
