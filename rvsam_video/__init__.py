"""Segment and track any object in a video from a few clicks, streaming.

    import rvsam_video as rv

    segmenter = rv.VideoSegmenter()
    for result in segmenter.track("clip.mp4", rv.Prompt.create(points=[[320, 240]])):
        mask = result.masks[1]  # (H, W) bool

Names are imported when first used, so that `import rvsam_video` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rvsam_video.batch.tracking import track_many
    from rvsam_video.errors import (
        OutputError,
        PromptError,
        RvsamError,
        SourceError,
        UsageError,
        WeightsError,
    )
    from rvsam_video.frame import Frame
    from rvsam_video.prompts.files import load_prompts, save_prompts
    from rvsam_video.prompts.prompt import Prompt
    from rvsam_video.results import FrameResult, ObjectResult, PointState, PointTable
    from rvsam_video.segmenters import register_segmenter
    from rvsam_video.settings import SegmentationSettings
    from rvsam_video.sinks.base import register_sink
    from rvsam_video.sources import open_source
    from rvsam_video.streaming.engine import VideoSegmenter
    from rvsam_video.streaming.points_alone import track_points
    from rvsam_video.streaming.session import Session
    from rvsam_video.trackers import register_tracker

_HOMES = {
    "Frame": "frame",
    "FrameResult": "results",
    "ObjectResult": "results",
    "OutputError": "errors",
    "PointState": "results",
    "PointTable": "results",
    "Prompt": "prompts",
    "PromptError": "errors",
    "RvsamError": "errors",
    "SegmentationSettings": "settings",
    "Session": "streaming.session",
    "SourceError": "errors",
    "UsageError": "errors",
    "VideoSegmenter": "streaming.engine",
    "WeightsError": "errors",
    "load_prompts": "prompts",
    "open_source": "sources",
    "register_segmenter": "segmenters",
    "register_sink": "sinks.base",
    "register_tracker": "trackers",
    "save_prompts": "prompts",
    "track_many": "batch.tracking",
    "track_points": "streaming.points_alone",
}

__version__ = "0.1.0"

__all__ = [
    "Frame",
    "FrameResult",
    "ObjectResult",
    "OutputError",
    "PointState",
    "PointTable",
    "Prompt",
    "PromptError",
    "RvsamError",
    "SegmentationSettings",
    "Session",
    "SourceError",
    "UsageError",
    "VideoSegmenter",
    "WeightsError",
    "load_prompts",
    "open_source",
    "register_segmenter",
    "register_sink",
    "register_tracker",
    "save_prompts",
    "track_many",
    "track_points",
]


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first used."""
    if name not in _HOMES:
        msg = f"module 'rvsam_video' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"rvsam_video.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
