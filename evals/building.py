"""What benchmarks run: a tracker and a segmenter by name, with the settings of a preset."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rvsam_video.engine import DEFAULT_SEGMENTER, DEFAULT_TRACKER, VideoSegmenter
from rvsam_video.errors import UsageError
from rvsam_video.segmenters import create_segmenter, segmenter_names
from rvsam_video.settings import SegmentationSettings
from rvsam_video.trackers import tracker_names

PRESETS = {"default": SegmentationSettings()}
"""Settings of the engine by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is evaluated.

    Attributes:
        preset: one of `PRESETS`.
        tracker: registry name.
        segmenter: registry name.
        checkpoint: a file of weights for the segmenter, instead of the published ones.
        device: "auto", or a PyTorch device; for learned segmenters.
        backend: what runs the image encoder: "torch", "onnxruntime" or "openvino".
        seed: of the random generators.
    """

    preset: str = "default"
    tracker: str = DEFAULT_TRACKER
    segmenter: str = DEFAULT_SEGMENTER
    checkpoint: Path | None = None
    device: str = "auto"
    backend: str = "torch"
    seed: int = 0


def settings_of(method: Method) -> SegmentationSettings:
    """Return the constants of the engine.

    Raises:
        UsageError: if there is no such preset, tracker or segmenter.
    """
    for what, name, names in (
        ("preset", method.preset, list(PRESETS)),
        ("tracker", method.tracker, tracker_names()),
        ("segmenter", method.segmenter, segmenter_names()),
    ):
        if name not in names:
            msg = f"there is no {what} named {name!r}; choose one of: {', '.join(names)}"
            raise UsageError(msg)
    return replace(PRESETS[method.preset], seed=method.seed)


def build(method: Method) -> VideoSegmenter:
    """Make what is evaluated.

    Raises:
        UsageError: if a name is unknown.
        WeightsError: if weights cannot be had.
    """
    network = create_segmenter(method.segmenter, method.checkpoint, method.device, method.backend)
    return VideoSegmenter(method.tracker, network, settings_of(method))


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
