"""The objects as a video with transparency, for video editors."""

from __future__ import annotations

from pathlib import Path

import av
from av.video.reformatter import ColorRange, Colorspace

from rvsam_video.errors import OutputError
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.sinks.names import ALPHA_FILE, PARTS_FOLDER
from rvsam_video.sinks.video_parts import (
    PRORES_4444,
    PacketLog,
    PartEncoder,
    PresentationClock,
    encoding,
    join,
)
from rvsam_video.writing import writing


class AlphaSink:
    """Writes `alpha.mov`, ProRes 4444: the objects' pixels, everything else transparent.

    Every frame is encoded by itself, so that a killed run goes on behind any of them.

    Args:
        folder: the run folder.
        context: has the shape of the pixels.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        self._pixel_aspect = context.pixel_aspect
        self._target = folder / ALPHA_FILE
        self._log = PacketLog(folder / PARTS_FOLDER / "alpha.prores")
        self._clock = PresentationClock()
        self._size = (0, 0)
        self._encoder: PartEncoder | None = None

    def start(self, mark: Mark | None) -> None:
        """Begin anew, or cut back to the mark."""
        folder = self._target.parent / PARTS_FOLDER
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if mark is None:
            self._log.open()
            return
        self._size = (mark["width"], mark["height"])
        self._clock = PresentationClock(mark["origin"], mark["last"])
        self._log.open(mark["stream_size"], mark["index_size"])

    def write(self, result: FrameResult) -> None:
        """Encode one frame."""
        height, width = result.image.shape[:2]
        if self._size not in {(0, 0), (width, height)}:
            msg = (
                f"frame {result.index} is {width}x{height} pixels, but {ALPHA_FILE} was begun "
                f"with {self._size[0]}x{self._size[1]}; a video has frames of one size"
            )
            raise OutputError(msg)
        self._size = (width, height)
        # Matrix and range of HD video, which editors take ProRes to have.
        picture = av.VideoFrame.from_ndarray(result.cut_out(), format="rgba").reformat(
            format=PRORES_4444.pixels,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        with encoding(self._target):
            if self._encoder is None:
                # Made with the first frame, whose size it needs.
                self._encoder = PartEncoder(PRORES_4444, width, height, self._pixel_aspect)
            packets = self._encoder.encode(picture, self._clock.ticks(result.time))
        # May be those of earlier frames: the encoder works in several threads.
        self._log.add(packets)

    def commit(self) -> Mark:
        """Wait for the disk to have the packets."""
        # First, so that the mark counts the frames still inside.
        self._end_part()
        self._log.sync()
        return {
            "width": self._size[0],
            "height": self._size[1],
            "origin": self._clock.origin,
            "last": self._clock.last,
            "stream_size": self._log.sizes[0],
            "index_size": self._log.sizes[1],
        }

    def _end_part(self) -> None:
        """Take the packets that the encoder's threads still hold."""
        # A flushed encoder takes no more frames; the next one makes another.
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            with encoding(self._target):
                self._log.add(encoder.flush())

    def finish(self, complete: bool) -> list[Path]:
        """Put all frames up to here into `alpha.mov`; none if there was no frame."""
        # An interrupted run gets its video, too.
        del complete
        if self._size == (0, 0):
            self.close()
            return []
        self._end_part()
        join(self._log, self._target, PRORES_4444, self._size, pixel_aspect=self._pixel_aspect)
        self.close()
        return [self._target]

    def close(self) -> None:
        """Close the files; the encoder is dropped with what is in it."""
        self._encoder = None
        self._log.close()
