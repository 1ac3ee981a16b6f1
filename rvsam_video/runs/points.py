"""A run that follows points alone: a source in, an overlay and tables of points out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from rvsam_video.runs.identity import Json
from rvsam_video.points.queries import PointRequest
from rvsam_video.streaming.point_session import PointSession
from rvsam_video.runs.loop import Job, RunListener, RunSummary, drive, refuse_endless
from rvsam_video.runs.options import CommonOptions
from rvsam_video.sinks.base import SinkContext, create_sinks
from rvsam_video.sinks.names import POINT_SINKS
from rvsam_video.sources.base import FrameSource
from rvsam_video.trackers import create_tracker, weights_of

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

    def command(self, source: FrameSource, weights: Mapping[str, str]) -> dict[str, Json]:
        """Return all that decides the results; a run is resumed only if this is the same."""
        return {
            **self.reading(source),
            "points": self.request.to_json(),
            "save": sorted(self.save),
            "trail": self.trail,
            "tracker": self.tracker,
            "tracker_weights": weights.get("sha256"),
            "device": self.device,
        }


def run_points(
    options: PointRunOptions,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Follow points through a source into a run folder; go on where the same run was interrupted.

    Args:
        options: what to read, follow and write.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.

    Raises:
        UsageError: if a name or value makes no sense.
        PromptError: if a point does not fit the frames, or there is none.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    return drive(options, partial(_prepare, options), listener, should_stop)


def _prepare(options: PointRunOptions, source: FrameSource) -> Job:
    queries, object_ids = options.request.points(source.size)
    sinks = create_sinks(options.save, options.out, SinkContext(queries=queries), POINT_SINKS)
    tracker = create_tracker(options.tracker, options.tracker_checkpoint, options.device)
    refuse_endless(tracker, source)
    weights = weights_of(options.tracker, options.tracker_checkpoint)
    session = PointSession(tracker, queries, object_ids, options.trail)
    return Job(
        session=session,
        sinks=sinks,
        command=options.command(source, weights),
        device=str(getattr(tracker, "device", "cpu")),
        weights={"tracker_weights": weights},
        # All there is to know is in run.json already.
        begin=lambda _folder: None,
        unused=partial(_unused, session),
    )


def _unused(session: PointSession) -> list[str]:
    return [
        f"the points of frame {frame} were not used: the video ended before it"
        for frame in session.pending.tolist()
    ]
