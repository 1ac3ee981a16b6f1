"""`VideoSegmenter`: a tracker and a segmenter, ready to follow objects through any video."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from numpy.typing import NDArray

from rvsam_video.frame import Frame
from rvsam_video.methods import AUTO, Method, Pair
from rvsam_video.prompts.from_python import as_prompts, check_whole
from rvsam_video.prompts.prompt import Prompt, check_against_frame, merge_prompts
from rvsam_video.results import FrameResult
from rvsam_video.segmenters import Segmenter
from rvsam_video.settings import SegmentationSettings
from rvsam_video.sources import open_source
from rvsam_video.sources.backward import given_frames, goes_back, sized
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.opening import is_place
from rvsam_video.sources.part import WHOLE, ClipPart
from rvsam_video.streaming.both_ways import ObjectWays, reading, results_of
from rvsam_video.streaming.directions import AskedDirection, Direction, chosen_direction
from rvsam_video.streaming.scaling import Reduction
from rvsam_video.streaming.session import Session
from rvsam_video.trackers import PointTracker

Prompts: TypeAlias = "Prompt | Mapping[str, Any] | Sequence[Any] | NDArray[Any]"
"""The ways in which `track` takes prompts, see there."""

_LOGGER = logging.getLogger(__name__)


class VideoSegmenter:
    """Follows objects through videos; holds no state of any video, so it can serve many.

    Args:
        tracker: a registry name (see `rvsam_video.trackers.tracker_names`) or an own tracker.
            "auto" takes the best one whose weights are on this machine, else one that needs none;
            nothing is downloaded for it.
        segmenter: a registry name (see `rvsam_video.segmenters.segmenter_names`) or an own one;
            "auto" likewise.
        settings: constants of the engine; None takes those of the preset, else the defaults.
        preset: a name of `rvsam_video.presets.PRESETS`: settings, and the parts that "auto" takes.
        device: "auto" (CUDA, else Apple's GPU, else the CPU), or a PyTorch device; for networks.
        backend: what runs networks: "torch", "onnxruntime" or "openvino".

    Attributes:
        tracker: follows the points.
        segmenter: turns points into masks.
        settings: constants of the engine.
        pair: both parts as they were chosen by name; None if one is the caller's own.

    Raises:
        UsageError: if a name is unknown, or there is no such device.
        WeightsError: if weights cannot be had, or are those of another network.

    Example:
        >>> import rvsam_video
        >>> from rvsam_video.demos.synthetic import SyntheticClip
        >>> clip = SyntheticClip(frames=3)
        >>> segmenter = rvsam_video.VideoSegmenter()
        >>> for result in segmenter.track(clip, clip.prompts()):
        ...     print(result.index, sorted(result.masks))
        0 [1, 2, 3]
        1 [1, 2, 3]
        2 [1, 2, 3]
    """

    def __init__(
        self,
        tracker: str | PointTracker = AUTO,
        segmenter: str | Segmenter = AUTO,
        settings: SegmentationSettings | None = None,
        *,
        preset: str | None = None,
        device: str = "auto",
        backend: str = "torch",
    ) -> None:
        pair = Method(
            preset=preset,
            tracker=tracker if isinstance(tracker, str) else AUTO,
            segmenter=segmenter if isinstance(segmenter, str) else AUTO,
            device=device,
            backend=backend,
            settings=settings,
        ).resolve()
        self.settings = pair.settings
        named = isinstance(tracker, str) and isinstance(segmenter, str)
        self.pair: Pair | None = pair if named else None
        if named:
            _LOGGER.info("%s", pair)
            self.tracker, self.segmenter = pair.load()
            return
        self.tracker = pair.tracker.load_tracker() if isinstance(tracker, str) else tracker
        self.segmenter = (
            pair.segmenter.load_segmenter() if isinstance(segmenter, str) else segmenter
        )

    @classmethod
    def of(cls, pair: Pair) -> VideoSegmenter:
        """Load what a method came to.

        Args:
            pair: from `Method.resolve`.

        Raises:
            UsageError: if there is no such device or backend.
            WeightsError: if weights cannot be had, or are those of another network.
        """
        tracker, segmenter = pair.load()
        loaded = cls(tracker, segmenter, pair.settings)
        loaded.pair = pair
        return loaded

    def session(self, prompts: Sequence[Prompt] = ()) -> Session:
        """Begin a video whose frames will be pushed by the caller."""
        return Session(self.tracker, self.segmenter, self.settings, prompts)

    def track(
        self,
        source: str | bytes | Path | int | BinaryIO | Iterable[object],
        prompts: Prompts,
        *,
        fps: float | None = None,
        direction: AskedDirection = "auto",
        part: ClipPart = WHOLE,
        longest_side: int | None = None,
    ) -> Iterator[FrameResult]:
        """Follow the prompted objects through a video; results come while it is being read.

        Args:
            source: whatever `open_source` takes (a file, folder, glob, camera, stream), or frames:
                `Frame`s, (H, W, 3) uint8 RGB arrays, Pillow images, or tensors (3, H, W) or
                (H, W, 3) of uint8 or of floats from 0 to 1. They are copied, so one buffer can
                be filled again and again.
            prompts: what to follow: prompts, each with its object and frame; or mappings with the
                names of a prompt file; or points [[x, y]] of object 1 in frame 0.
            fps: frames per second of pictures, in files or as arrays; None takes 25.
            direction: in which direction of time objects are followed from their prompts:
                "forward", "backward" or "both". "auto" goes both ways where the source can be read
                again and the first prompt of an object is not in its first frame. Of the prompts
                of an object the nearest decides.
            part: which frames of a source that is opened here count.
            longest_side: pixels to which larger frames are reduced before; results keep the size
                of the frames.

        Yields:
            one result per frame, in order, also for frames without objects.

        Raises:
            SourceError: if the source cannot be read.
            PromptError: if a prompt does not fit the frames.
            UsageError: if the source cannot be read backward, or a value makes no sense.
        """
        known = as_prompts(prompts)
        check_whole(known)
        known = merge_prompts(known)
        if is_place(source):
            with open_source(source, fps=fps, part=part) as opened:
                first = part.start if isinstance(part.start, int) else None
                yield from self._track(opened, known, direction, first, longest_side)
        else:
            frames = given_frames(source, fps)
            yield from self._track(frames, known, direction, 0, longest_side)

    def _track(
        self,
        source: FrameSource | Iterable[Frame],
        prompts: Sequence[Prompt],
        asked: AskedDirection,
        first: int | None,
        longest_side: int | None,
    ) -> Iterator[FrameResult]:
        opened = hasattr(source, "live")
        direction = object_direction(asked, prompts, source, first)
        if direction == "forward" and longest_side is None:
            session = self.session(prompts)
            with reading(source, ahead=opened) as frames:
                yield from run_session(session, frames)
            return
        size, source = sized(source)
        if size is not None:
            ways = self.ways(prompts, direction, Reduction(size, longest_side))
            yield from results_of(ways, source, ahead=opened)
            for note in ways.notes():
                _LOGGER.warning("%s", note)

    def ways(self, prompts: Sequence[Prompt], direction: Direction, scale: Reduction) -> ObjectWays:
        """Say how objects are followed through a video.

        Args:
            prompts: one per object and frame, in pixels of the video's frames.
            direction: in which.
            scale: to which size frames are brought before.

        Raises:
            PromptError: if a prompt does not fit the frames.
        """
        return ObjectWays(
            begin=self.session,
            prompts=[check_against_frame(prompt, scale.size) for prompt in prompts],
            direction=direction,
            scale=scale,
            overlap=self.settings.overlap,
        )


def object_direction(
    asked: AskedDirection,
    prompts: Sequence[Prompt],
    source: object,
    first: int | None,
) -> Direction:
    """Decide in which direction objects are followed, see `chosen_direction`.

    Args:
        asked: by the user.
        prompts: of all objects.
        source: open, or what gives frames.
        first: index of its first frame; None if it is not known yet.
    """
    begins: dict[int, int] = {}
    for prompt in prompts:
        begins[prompt.object_id] = min(prompt.frame, begins.get(prompt.object_id, prompt.frame))
    name = str(getattr(source, "name", "an iterator"))
    return chosen_direction(asked, [*begins.values()], first, again=goes_back(source), name=name)


def run_session(session: Session, frames: Iterable[Frame]) -> Iterator[FrameResult]:
    """Push all frames, yield results as they become final, flush at the end."""
    said = 0
    for frame in frames:
        results = session.push(frame)
        for note in session.notes[said:]:
            _LOGGER.warning("%s", note)
        said = len(session.notes)
        yield from results
    yield from session.flush()
