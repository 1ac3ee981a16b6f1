"""A whole run: read a source, track, write everything into a run folder, resume after a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rvsam_video.streaming.engine import DEFAULT_SEGMENTER, VideoSegmenter
from rvsam_video.runs.layout import PROMPTS_FILE
from rvsam_video.runs.identity import Json
from rvsam_video.part_devices import part_devices
from rvsam_video.prompts.as_json import prompts_to_json
from rvsam_video.prompts.files import save_prompts
from rvsam_video.prompts.prompt import Prompt
from rvsam_video.runs.loop import Job, RunListener, RunSummary, Silent, drive, refuse_endless
from rvsam_video.runs.options import CommonOptions
from rvsam_video.segmenters import Segmenter, create_segmenter
from rvsam_video.segmenters import weights_of as segmenter_weights
from rvsam_video.streaming.session import Session
from rvsam_video.settings import SegmentationSettings
from rvsam_video.sinks.base import SinkContext, create_sinks
from rvsam_video.sinks.names import DEFAULT_SINKS
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.pictures import ImageSequence
from rvsam_video.trackers import PointTracker, create_tracker
from rvsam_video.trackers import weights_of as tracker_weights
from rvsam_video.trackers.clips import as_sam_pt

__all__ = ["RunListener", "RunOptions", "RunSummary", "Silent", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(CommonOptions):
    """What a run reads, follows and writes; see `CommonOptions` for the rest.

    Attributes:
        prompts: what to follow.
        save: names of outputs, of `rvsam_video.sinks.names.SINK_NAMES`.
        background: RGB colour behind cut-out objects.
        segmenter: registry name.
        checkpoint: a file of weights for the segmenter, instead of the published ones.
        backend: what runs the image encoder: "torch", "onnxruntime" or "openvino".
        settings: constants of the engine.
    """

    prompts: list[Prompt]
    save: tuple[str, ...] = DEFAULT_SINKS
    background: tuple[int, int, int] = (0, 255, 0)
    segmenter: str = DEFAULT_SEGMENTER
    checkpoint: Path | None = None
    backend: str = "torch"
    settings: SegmentationSettings = field(default_factory=SegmentationSettings)

    def command(
        self, source: FrameSource, weights: Mapping[str, Mapping[str, str]]
    ) -> dict[str, Json]:
        """Return all that decides the results; a run is resumed only if this is the same."""
        return {
            **self.reading(source),
            "prompts": prompts_to_json(self.prompts),
            "save": sorted(self.save),
            "background": list(self.background),
            "tracker": self.tracker,
            "segmenter": self.segmenter,
            **{name: facts.get("sha256") for name, facts in weights.items()},
            "device": self.device,
            "backend": self.backend,
            "settings": self.settings.to_dict(),
        }


def run(
    options: RunOptions,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunSummary:
    """Track a source into a run folder; go on where the same run was interrupted.

    Args:
        options: what to read, follow and write.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.

    Raises:
        UsageError: if a name or value makes no sense.
        PromptError: if a prompt does not fit the frames.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    return drive(options, partial(_prepare, options), listener, should_stop)


def _prepare(options: RunOptions, source: FrameSource) -> Job:
    sinks = create_sinks(options.save, options.out, _context(source, options.background))
    tracker, segmenter = load_parts(options)
    refuse_endless(tracker, source)
    weights = {
        "weights": segmenter_weights(options.segmenter, options.checkpoint),
        "tracker_weights": tracker_weights(options.tracker, options.tracker_checkpoint),
    }
    session = VideoSegmenter(tracker, segmenter, options.settings).session(options.prompts)
    session.check_prompts(source.size)

    def begin(folder: Path) -> None:
        save_prompts(
            folder / PROMPTS_FILE, options.prompts, frame_size=source.size, source=source.name
        )

    return Job(
        session=session,
        sinks=sinks,
        command=options.command(source, weights),
        # Parts without a network run where everything else does.
        device=str(getattr(segmenter, "device", None) or getattr(tracker, "device", "cpu")),
        weights=weights,
        begin=begin,
        unused=partial(_unused, session),
    )


def load_parts(options: RunOptions) -> tuple[PointTracker, Segmenter]:
    """Load tracker and segmenter of a run.

    Raises:
        UsageError: if a name is unknown, or the device cannot be used.
        WeightsError: if weights cannot be had, or are those of another network.
    """
    on_tracker, on_segmenter = part_devices(options.tracker, options.segmenter, options.device)
    segmenter = create_segmenter(
        options.segmenter, options.checkpoint, on_segmenter, options.backend
    )
    tracker = create_tracker(options.tracker, options.tracker_checkpoint, on_tracker)
    return as_sam_pt(tracker) if options.settings.sam_pt_exact else tracker, segmenter


def _unused(session: Session) -> list[str]:
    return [
        f"the prompt of {prompt.where} was not used: the video ended before it"
        for prompt in session.pending
    ]


def _context(source: FrameSource, background: tuple[int, int, int]) -> SinkContext:
    """Name masks after the pictures of an image folder, as evaluation tools expect."""
    video_id = Path(source.name).stem or source.name
    if isinstance(source, ImageSequence) and len(set(source.stems)) == len(source.stems):
        return SinkContext(video_id, source.stems.__getitem__, background=background)
    return SinkContext(video_id, background=background)
