"""Video in, results out. Importing this loads neither PyAV nor OpenCV: the command line is quick.

`open_source` reads anything that frames can come from; `prefetch` reads ahead in a thread.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rvsam_video.io.base import FrameSource, RandomAccessSource, ReadReport
    from rvsam_video.io.prefetching import prefetch
    from rvsam_video.io.source import open_source

__all__ = ["FrameSource", "RandomAccessSource", "ReadReport", "open_source", "prefetch"]

_HOMES = {
    "FrameSource": "base",
    "RandomAccessSource": "base",
    "ReadReport": "base",
    "open_source": "source",
    "prefetch": "prefetching",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (any of the names above)
    """Load a name when it is first used."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
