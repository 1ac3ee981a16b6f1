"""Promptable segmenters: by name through `create_segmenter`, or each from its own module."""

from __future__ import annotations

from collections.abc import Callable

from rvsam_video.errors import UsageError
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt, Segmenter

__all__ = [
    "MaskPrediction",
    "ObjectPrompt",
    "Segmenter",
    "create_segmenter",
    "segmenter_names",
]


def _grabcut() -> Segmenter:
    from rvsam_video.segmenters.grabcut import GrabCut

    return GrabCut()


_FACTORIES: dict[str, Callable[[], Segmenter]] = {"grabcut": _grabcut}


def segmenter_names() -> list[str]:
    """Return the names that `create_segmenter` knows."""
    return sorted(_FACTORIES)


def create_segmenter(name: str) -> Segmenter:
    """Build the segmenter of this name with its default settings.

    Raises:
        UsageError: if the name is unknown.
    """
    if name not in _FACTORIES:
        msg = f"there is no segmenter named {name!r}; choose one of: {', '.join(segmenter_names())}"
        raise UsageError(msg)
    return _FACTORIES[name]()
