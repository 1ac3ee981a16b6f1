"""Videos of a run for people to look at: the overlay, the source beside it, and cut-outs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import OutputError
from rvsam_video.frame import Image
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.sinks.drawing import shared_overlay
from rvsam_video.sinks.names import CUTOUT_FILE, OVERLAY_FILE, PARTS_FOLDER, SIDE_BY_SIDE_FILE
from rvsam_video.sinks.video_parts import (
    H264,
    EncodedPacket,
    PacketLog,
    PartEncoder,
    PresentationClock,
    encoding,
    join,
)
from rvsam_video.writing import AppendFile, writing

PART_FRAMES = 25
"""Frames of a part: about a second, so that players can seek, for few key frames."""

_TIME_BYTES = 8


Draw = Callable[[FrameResult], Image]
"""Makes the picture of one frame, (H, W, 3) uint8 RGB, of the same size for every frame."""


class DrawnVideo:
    """A sink that writes an H.264 video of drawn frames, with the frames' own times.

    The video is encoded in parts of `PART_FRAMES` frames, each by a new encoder. An encoder's
    state cannot be saved, so the frames of the part that is open are held in a file beside it:
    going on from a mark encodes them again and gives the same bytes as if nothing had happened.
    The packets lie in `.parts/NAME.h264`, which most players show while the run lasts.

    H.264 in yuv420p needs even sides; odd ones are padded by repeating the last column or row,
    and the file's comment says so.

    Args:
        folder: the run folder.
        file_name: of the video, ending in `.mp4`.
        draw: makes the picture of a frame.
        context: has the shape of the pixels.
    """

    def __init__(self, folder: Path, file_name: str, draw: Draw, context: SinkContext) -> None:
        self._pixel_aspect = context.pixel_aspect
        self._target = folder / file_name
        self._draw = draw
        self._parts = folder / PARTS_FOLDER
        self._log = PacketLog(self._parts / f"{self._target.stem}.h264")
        self._clock = PresentationClock()
        self._size = (0, 0)
        self._encoder: PartEncoder | None = None
        self._held: AppendFile | None = None
        self._part = 0
        self._frames_in_part = 0
        self._part_start = (0, 0)
        self._committed_part = 0

    def start(self, mark: Mark | None) -> None:
        """Begin anew, or cut back to the start of the mark's part and encode its frames again."""
        with writing(self._parts):
            self._parts.mkdir(parents=True, exist_ok=True)
        if mark is None:
            self._log.open()
            return
        self._size = (mark["width"], mark["height"])
        self._clock = PresentationClock(mark["origin"], mark["last"])
        self._part = self._committed_part = mark["part"]
        self._part_start = (mark["stream_size"], mark["index_size"])
        # Back to where the part began, not to where the log ended: an encoder cannot go on in a
        # part.
        self._log.open(*self._part_start)
        self._encode_held(mark["held"])

    def _encode_held(self, frames: int) -> None:
        if frames == 0:
            return
        width, height = _padded(self._size)
        held = self._open_held(frames * (_TIME_BYTES + width * height * 3 // 2))
        with writing(held.path), held.path.open("rb") as file:
            for _ in range(frames):
                pts = int.from_bytes(file.read(_TIME_BYTES), "little", signed=True)
                # I420: a plane of brightness and two of a quarter of its size.
                planes = np.frombuffer(file.read(width * height * 3 // 2), np.uint8)
                self._encode(planes.reshape(height * 3 // 2, width), pts)
        self._frames_in_part = frames

    def _open_held(self, size: int = 0) -> AppendFile:
        self._held = AppendFile(self._held_path(self._part))
        self._held.open(size)
        return self._held

    def _held_path(self, part: int) -> Path:
        return self._parts / f"{self._target.stem}-held-{part:06d}.yuv"

    def write(self, result: FrameResult) -> None:
        """Draw and encode one frame; a part that is full is closed."""
        picture = self._draw(result)
        self._check_size(result.index, picture)
        planes = _to_i420(picture)
        pts = self._clock.ticks(result.time)
        held = self._held or self._open_held()
        # As it goes into the encoder: converting from RGB again might round otherwise elsewhere.
        held.write(pts.to_bytes(_TIME_BYTES, "little", signed=True))
        held.write(planes.tobytes())
        # Held first: a packet without its held frame could not be made again.
        self._encode(planes, pts)
        self._frames_in_part += 1
        if self._frames_in_part == PART_FRAMES:
            self._close_part()

    def _check_size(self, index: int, picture: Image) -> None:
        height, width = picture.shape[:2]
        if self._size == (0, 0):
            self._size = (width, height)
        elif self._size != (width, height):
            msg = (
                f"frame {index} is {width}x{height} pixels, but {self._target.name} was begun "
                f"with {self._size[0]}x{self._size[1]}; a video has frames of one size"
            )
            raise OutputError(msg)

    def _encode(self, planes: NDArray[np.uint8], pts: int) -> None:
        with encoding(self._target):
            if self._encoder is None:
                self._encoder = PartEncoder(H264, *_padded(self._size), self._pixel_aspect)
            frame = av.VideoFrame.from_ndarray(planes, format=H264.pixels)
            packets = self._encoder.encode(frame, pts)
        self._append(packets, self._encoder)

    def _flush_encoder(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            with encoding(self._target):
                packets = encoder.flush()
            self._append(packets, encoder)

    def _append(self, packets: Sequence[EncodedPacket], encoder: PartEncoder) -> None:
        # Once a part, before its first packet, so that the bare stream plays from any part on.
        if packets and self._log.sizes == self._part_start:
            self._log.add_header(encoder.header)
        self._log.add(packets)

    def _close_part(self) -> None:
        self._flush_encoder()
        self._close_held()
        self._part += 1
        self._frames_in_part = 0
        self._part_start = self._log.sizes

    def _close_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def commit(self) -> Mark:
        """Wait for the disk to have the closed parts and the held frames of the open one."""
        self._log.sync()
        if self._held is not None:
            self._held.sync()
        # One commit late, see there.
        self._remove_held_before(self._committed_part)
        self._committed_part = self._part
        return {
            "width": self._size[0],
            "height": self._size[1],
            "origin": self._clock.origin,
            "last": self._clock.last,
            "part": self._part,
            "held": self._frames_in_part,
            "stream_size": self._part_start[0],
            "index_size": self._part_start[1],
        }

    def _remove_held_before(self, part: int) -> None:
        """Remove held frames that neither this checkpoint nor the one before it needs.

        Until the new checkpoint is in place a kill goes back to the one before.
        """
        keep = self._held_path(part).name
        with writing(self._parts):
            for path in self._parts.glob(f"{self._target.stem}-held-*.yuv"):
                if path.name < keep:
                    path.unlink()

    def finish(self, complete: bool) -> list[Path]:
        """Join all frames up to here into the video; none if there was no frame."""
        del complete
        if self._size == (0, 0):
            self.close()
            return []
        self._flush_encoder()
        join(
            self._log,
            self._target,
            H264,
            _padded(self._size),
            comment=_pad_comment(self._size),
            pixel_aspect=self._pixel_aspect,
        )
        self.close()
        return [self._target]

    def close(self) -> None:
        """Close the files; the encoder is dropped with what is in it."""
        self._encoder = None
        self._close_held()
        self._log.close()


def _padded(size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) rounded up to even numbers."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def _pad_comment(size: tuple[int, int]) -> str:
    width, height = size
    if width % 2 == height % 2 == 0:
        return ""
    return f"padded from {width}x{height}: right {width % 2}, bottom {height % 2}"


def _to_i420(image: Image) -> NDArray[np.uint8]:
    """Pad to even sides and convert; (H', W', 3) RGB to (H' * 3 / 2, W') uint8 planes."""
    height, width = image.shape[:2]
    if width % 2 or height % 2:
        # The edge repeated, not black: a dark line would draw the eye.
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)


class OverlaySink(DrawnVideo):
    """Writes `overlay.mp4`: frames with masks, points and ids drawn onto them.

    Args:
        folder: the run folder.
        context: has the shape of the pixels.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, OVERLAY_FILE, shared_overlay, context)


class SideBySideSink(DrawnVideo):
    """Writes `side-by-side.mp4`: the source on the left, the overlay on the right.

    Args:
        folder: the run folder.
        context: has the shape of the pixels.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, SIDE_BY_SIDE_FILE, _side_by_side, context)


class CutoutSink(DrawnVideo):
    """Writes `cutout.mp4`: the objects' own pixels on a plain background.

    Args:
        folder: the run folder.
        context: has the colour of the background.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        def draw(result: FrameResult) -> Image:
            picture = np.full_like(result.image, context.background)
            np.copyto(picture, result.image, where=result.foreground()[..., None])
            return picture

        super().__init__(folder, CUTOUT_FILE, draw, context)


def _side_by_side(result: FrameResult) -> Image:
    return np.hstack([result.image, shared_overlay(result)])
