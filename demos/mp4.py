"""`write_mp4`: frames into an H.264 file that every player opens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av

from ..errors import UsageError
from ..frame import Frame
from ..writing import replacing

_QUALITY = "18"
"""Constant rate factor of x264; by its manual, visually lossless or nearly so."""


def write_mp4(path: Path, frames: Iterable[Frame], size: tuple[int, int], fps: int) -> None:
    """Encode frames; the file appears under its name only when it is complete.

    Args:
        path: the file to write; one that exists is replaced.
        frames: the pictures, all of one size.
        size: (width, height) of them in pixels, both even.
        fps: frames per second.

    Raises:
        UsageError: if a side is odd.
        OutputError: if the file cannot be written.
    """
    width, height = size
    # yuv420p shares colours among 2x2 pixels.
    if width % 2 or height % 2:
        msg = (
            f"an H.264 file needs even sides, and the frames are {width}x{height}; "
            f"make them {width + width % 2}x{height + height % 2}"
        )
        raise UsageError(msg)
    # Rendered again in seconds, so nobody waits for the disk.
    with replacing(path, durable=False) as temporary:
        _encode(temporary, frames, size, fps)


def _encode(path: Path, frames: Iterable[Frame], size: tuple[int, int], fps: int) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": _QUALITY})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            container.mux(stream.encode(picture))
        # The frames that the encoder still holds.
        container.mux(stream.encode())
