"""Everything that shows frames: files, folders, cameras, streams.

In comes a path, address or number; out come `Frame`s in order, with an honest report of what went
wrong. `open_source` reads anything, `prefetch` reads ahead in a thread. Importing this loads
neither PyAV nor OpenCV: the command line is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rvsam_video.sources.base import FrameSource, RandomAccessSource, ReadReport
    from rvsam_video.sources.opening import open_source
    from rvsam_video.sources.prefetching import prefetch

__all__ = ["FrameSource", "RandomAccessSource", "ReadReport", "open_source", "prefetch"]

_HOMES = {
    "FrameSource": "base",
    "RandomAccessSource": "base",
    "ReadReport": "base",
    "open_source": "opening",
    "prefetch": "prefetching",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (any of the names above)
    """Load a name when it is first used."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
