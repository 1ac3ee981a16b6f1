"""A run that follows points alone: a source in, an overlay and tables of points out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rvsam_video.json_values import Json
from rvsam_video.methods import announced
from rvsam_video.points.queries import PointRequest
from rvsam_video.runs.driving import drive
from rvsam_video.runs.job import (
    Job,
    Ready,
    RunListener,
    RunSummary,
    Silent,
    nothing_to_do,
    refuse_endless,
)
from rvsam_video.runs.options import CommonOptions
from rvsam_video.sinks.base import POINT_RUN_SINKS, Sink, SinkContext, create_sinks
from rvsam_video.sinks.names import POINT_SINKS
from rvsam_video.sources.backward import goes_back
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.video_file import pixel_aspect_of
from rvsam_video.streaming.both_ways import PointWays
from rvsam_video.streaming.directions import chosen_direction
from rvsam_video.streaming.scaling import Reduction

DEFAULT_TRAIL = 15
"""Half a second at 30 frames per second: shows where things go and still leaves the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRunOptions(CommonOptions):
    """What a run of points reads, follows and writes; see `CommonOptions` for the rest.

    Attributes:
        request: which points to follow.
        save: names of outputs, of `rvsam_video.sinks.names.POINT_SINKS`.
        trail: frames of the trails in the overlay; 1 draws the points alone.
    """

    request: PointRequest = field(default_factory=PointRequest)
    save: tuple[str, ...] = tuple(POINT_SINKS)
    trail: int = DEFAULT_TRAIL


def run_points(
    options: PointRunOptions,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ready: Ready = nothing_to_do,
) -> RunSummary:
    """Follow points through a source into a run folder; go on where the same run was interrupted.

    Args:
        options: what to read, follow and write.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.
        ready: is called once source, names and points are known to be right, before anything is
            loaded.

    Raises:
        UsageError: if a name or value makes no sense.
        PromptError: if a point does not fit the frames, or there is none.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    prepare = partial(PointJob, options, listener=listener or Silent(), ready=ready)
    return drive(options, prepare, listener, should_stop)


class PointJob(Job):
    """A run that follows points, ready to begin.

    Args:
        options: what to read, follow and write.
        source: where the frames come from.
        listener: is told what is loaded.
        ready: is called before, with what is to be loaded.

    Raises:
        UsageError: if a name is unknown, or the device cannot be used.
        PromptError: if a point does not fit the frames, or there is none.
        WeightsError: if weights cannot be had, or are those of another network.
    """

    def __init__(
        self,
        options: PointRunOptions,
        source: FrameSource,
        listener: RunListener,
        ready: Ready,
    ) -> None:
        self._options, self._size = options, source.size
        part = options.method.resolve_tracker()
        self._queries, self._object_ids = options.request.points(source.size)
        frames = self._queries.frames.tolist()
        options.check_frames([(frame, f"the query frame {frame}") for frame in set(frames)])
        first = options.part.start if isinstance(options.part.start, int) else None
        self._direction = chosen_direction(
            options.direction, frames, first, again=goes_back(source), name=source.name
        )
        self._context = SinkContext(queries=self._queries, pixel_aspect=pixel_aspect_of(source))
        # Only to check the names, before networks are loaded.
        create_sinks(options.save, options.out, self._context, POINT_RUN_SINKS)
        ready([part])
        listener.message(f"{announced(part)}; {options.request}")
        self._tracker = part.load_tracker()
        refuse_endless(self._tracker, source)
        self._scale = Reduction(source.size, options.longest_side)
        self.device, self.weights = part.place, {"tracker_weights": part.weights}
        self.command = {
            **options.reading(source),
            "direction": self._direction,
            "points": options.request.to_json(),
            "save": sorted(options.save),
            "trail": options.trail,
            **part.identity(),
            "device": part.place,
            "backend": part.backend,
        }

    def ways(self) -> PointWays:
        """Begin the video."""
        return PointWays(
            self._tracker,
            self._queries,
            self._object_ids,
            self._direction,
            self._scale,
            self._options.trail,
        )

    def sinks(self) -> Mapping[str, Sink]:
        """Make what takes the results."""
        return create_sinks(self._options.save, self._options.out, self._context, POINT_RUN_SINKS)

    def facts(self) -> dict[str, Json]:
        """Return the size of the video, which a grid of points depends on."""
        return {"size": list(self._size)}

    def begin(self, folder: Path) -> None:
        """Write nothing: all there is to know is in `run.json` already."""

    def unused(self, last: int) -> list[str]:
        """Say which frames with points never came."""
        return [
            f"the points of frame {frame} were not used: the video ended before it"
            for frame in sorted(set(self._queries.frames.tolist()))
            if frame > last
        ]
