"""What benchmarks run: a tracker and a segmenter by name, with the settings of a preset."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..clips.frames import longest_side
from ..clips.segmenter import ClipObject, ClipSegmenter
from ..errors import UsageError
from ..frame import Frame
from ..part_devices import part_devices
from ..presets import PRESETS, Preset
from ..prompts.prompt import Prompt
from ..results import FrameResult, PointTable
from ..runs.identity import Json
from ..segmenters import Segmenter, create_segmenter, segmenter_names
from ..segmenters import weights_of as segmenter_weights
from ..settings import SegmentationSettings
from ..sources import open_source
from ..streaming.engine import DEFAULT_SEGMENTER, DEFAULT_TRACKER, VideoSegmenter
from ..trackers import ClipTracker, create_tracker, tracker_names
from ..trackers import weights_of as tracker_weights
from ..trackers.clips import create_clip_tracker

DEFAULT_PRESET = "default"

_DEFAULT = Preset(
    name=DEFAULT_PRESET,
    about="the default without weights",
    tracker=DEFAULT_TRACKER,
    segmenter=DEFAULT_SEGMENTER,
    settings=SegmentationSettings(),
)

Objects = Mapping[int, NDArray[np.bool_]]
"""Number of an object to its (H, W) mask in the first frame."""


class Follower(Protocol):
    """Follows objects through the pictures of a folder."""

    def follow(self, pictures: Path, objects: Objects) -> Iterator[FrameResult]:
        """Yield one result a frame, with masks of the size of those given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is evaluated.

    Attributes:
        preset: "default", or one of `rvsam_video.presets.PRESETS`.
        tracker: registry name; None takes that of the preset.
        segmenter: registry name; None takes that of the preset.
        tracker_checkpoint: a file of weights for the tracker, instead of the published ones.
        checkpoint: a file of weights for the segmenter, instead of the published ones.
        device: "auto", or a PyTorch device; for networks.
        backend: what runs the image encoder: "torch", "onnxruntime" or "openvino".
        seed: of the random generators.
    """

    preset: str = DEFAULT_PRESET
    tracker: str | None = None
    segmenter: str | None = None
    tracker_checkpoint: Path | None = None
    checkpoint: Path | None = None
    device: str = "auto"
    backend: str = "torch"
    seed: int = 0

    def parts(self) -> Preset:
        """Return what is run, with the seed in its settings.

        Raises:
            UsageError: if there is no such preset, tracker or segmenter.
        """
        presets = {DEFAULT_PRESET: _DEFAULT, **PRESETS}
        _check("preset", self.preset, list(presets))
        preset = presets[self.preset]
        tracker, segmenter = self.tracker or preset.tracker, self.segmenter or preset.segmenter
        _check("tracker", tracker, tracker_names())
        _check("segmenter", segmenter, segmenter_names())
        settings = replace(preset.settings, seed=self.seed)
        return replace(preset, tracker=tracker, segmenter=segmenter, settings=settings)

    def weights(self) -> dict[str, dict[str, str]]:
        """Return file, hash and licence of the weights of both parts.

        Raises:
            WeightsError: if a file is not there.
        """
        parts = self.parts()
        return {
            "weights": segmenter_weights(parts.segmenter, self.checkpoint),
            "tracker_weights": tracker_weights(parts.tracker, self.tracker_checkpoint),
        }

    def identity(self) -> dict[str, Json]:
        """Return which parts are run, to be noted; the engine's settings are not among it.

        Raises:
            WeightsError: if a file of weights is not there.
        """
        parts = self.parts()
        return {
            "preset": self.preset,
            "tracker": parts.tracker,
            "segmenter": parts.segmenter,
            **{name: facts.get("sha256") for name, facts in self.weights().items()},
            "device": self.device,
            "backend": self.backend,
        }


def _check(what: str, name: str, names: list[str]) -> None:
    if name not in names:
        msg = f"there is no {what} named {name!r}; choose one of: {', '.join(names)}"
        raise UsageError(msg)


def build(method: Method) -> Follower:
    """Make what is evaluated.

    Presets that say on which size of pictures they work take whole clips, as SAM-PT does; all
    others stream.

    Raises:
        UsageError: if a name is unknown.
        WeightsError: if weights cannot be had.
    """
    parts = method.parts()
    if parts.longest_side is None:
        device, _ = part_devices(parts.tracker, parts.segmenter, method.device)
        tracker = create_tracker(parts.tracker, method.tracker_checkpoint, device)
        return Streaming(VideoSegmenter(tracker, build_segmenter(method), parts.settings))
    clip_tracker, segmenter = build_clip_tracker(method), build_segmenter(method)
    rule = longest_side(parts.longest_side)
    return WholeClips(ClipSegmenter(clip_tracker, segmenter, parts.settings, rule=rule))


def build_segmenter(method: Method) -> Segmenter:
    """Make the segmenter alone; raises as `build`."""
    parts = method.parts()
    _, device = part_devices(parts.tracker, parts.segmenter, method.device)
    return create_segmenter(parts.segmenter, method.checkpoint, device, method.backend)


def build_clip_tracker(method: Method) -> ClipTracker:
    """Make the tracker for whole clips alone; raises as `build`."""
    parts = method.parts()
    device, _ = part_devices(parts.tracker, parts.segmenter, method.device)
    return create_clip_tracker(parts.tracker, method.tracker_checkpoint, device)


class Streaming:
    """Follows objects frame by frame, as a run does."""

    def __init__(self, segmenter: VideoSegmenter) -> None:
        self._segmenter = segmenter

    def follow(self, pictures: Path, objects: Objects) -> Iterator[FrameResult]:
        """Yield one result a frame."""
        prompts = [Prompt.create(number, mask=mask) for number, mask in objects.items()]
        return self._segmenter.track(pictures, prompts)


class WholeClips:
    """Follows objects through a clip that is read several times."""

    def __init__(self, segmenter: ClipSegmenter) -> None:
        self._segmenter = segmenter

    def follow(self, pictures: Path, objects: Objects) -> Iterator[FrameResult]:
        """Yield one result a frame."""
        asked = [
            ClipObject(object_id=number, frame=0, mask=mask) for number, mask in objects.items()
        ]
        if not asked:
            return _nothing(pictures)
        height, width = next(iter(objects.values())).shape
        return self._segmenter.segment(partial(read_pictures, pictures), asked, (width, height))


def _nothing(pictures: Path) -> Iterator[FrameResult]:
    """Yield results without objects, as a run without prompts does."""
    for frame in read_pictures(pictures):
        yield FrameResult(frame.index, frame.time, frame.image, (), PointTable.empty())


def read_pictures(folder: Path) -> Iterator[Frame]:
    """Read the pictures of a folder, from the first on each time it is called."""
    with open_source(folder) as source:
        yield from source


def share_processors(workers: int) -> None:
    """Let the libraries use only this process's share of the processors.

    Args:
        workers: processes that work at the same time.
    """
    import cv2

    threads = max(1, (os.cpu_count() or 1) // workers)
    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
