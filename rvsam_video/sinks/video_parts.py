"""Encoded video that can be cut back to a mark: packets kept on disk, with the source's times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from rvsam_video.errors import OutputError
from rvsam_video.writing import AppendFile, replacing, writing

TICKS_PER_SECOND = 90_000
"""Time base of videos written: a multiple of the common frame rates, as in MPEG systems."""

_MILLISECOND = TICKS_PER_SECOND // 1000

_LONGEST_LEAD = 10 * TICKS_PER_SECOND
"""A first frame further from zero than this comes from the clock of a camera or a broadcast."""

_LONGEST_FALL = 10 * TICKS_PER_SECOND
"""Times that fall further than this come from a clock that was set, or a stream that restarted."""

_LONGEST_GAP = 12 * 3600 * TICKS_PER_SECOND
"""MP4 counts the ticks between two frames in 32 bits, which is 13 hours."""


class PresentationClock:
    """Turns a source's times into ticks that rise strictly, as a video file needs them.

    Times are kept as they are, with three exceptions. A clock that starts far from zero is taken
    to start at zero. A clock that leaps, ahead by half a day or back by more than ten seconds, is
    taken to go on from where it was. A time that merely does not rise, or is no number, comes one
    millisecond after the one before.

    Args:
        origin: ticks of the source taken for zero, of an earlier clock to go on from.
        last: ticks of the last frame of that clock; -1 if there was none.
    """

    def __init__(self, origin: int = 0, last: int = -1) -> None:
        self.origin = origin
        self.last = last

    def ticks(self, seconds: float) -> int:
        """Return the time stamp of the next frame.

        Args:
            seconds: the frame's time; anything, even not a number, is taken.
        """
        exact = seconds * TICKS_PER_SECOND
        following = self.last + _MILLISECOND
        # A time that is no number counts as "just after the last", by the source's own clock.
        source = round(exact) if math.isfinite(exact) else self.origin + following
        if self.last < 0:
            self.origin = 0 if 0 <= source <= _LONGEST_LEAD else source
        # Small steps back are jitter and are pushed forward below; only leaps move the origin.
        elif not -_LONGEST_FALL <= source - self.origin - self.last <= _LONGEST_GAP:
            self.origin = source - following
        ticks = source - self.origin
        self.last = ticks if ticks > self.last else following
        return self.last


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One encoded frame: its bytes, its time stamp in ticks, and whether decoding can start."""

    data: bytes
    pts: int
    key: bool


class PacketLog:
    """Packets on disk: a playable `.h264` stream, and an index of where each packet stands.

    Args:
        stream: path of the `.h264` file; the index stands beside it.
    """

    # Little-endian and of one size: a mark cuts the index at a whole record.
    _RECORD = np.dtype([("pts", "<i8"), ("offset", "<i8"), ("size", "<i4"), ("key", "<i4")])
    _RECORDS_PER_READ = 4096

    def __init__(self, stream: Path) -> None:
        self._stream = AppendFile(stream)
        self._index = AppendFile(stream.with_suffix(".index"))

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes of the stream and of the index, to go on from."""
        return self._stream.size, self._index.size

    def open(self, stream_size: int = 0, index_size: int = 0) -> None:
        """Begin anew, or go on behind the sizes given; the rest is cut off."""
        self._stream.open(stream_size)
        self._index.open(index_size)

    def add_header(self, header: bytes) -> None:
        """Write parameter sets, which players of the bare stream need and the index skips."""
        self._stream.write(header)

    def add(self, packets: Sequence[EncodedPacket]) -> None:
        """Append packets."""
        for packet in packets:
            # Before the packet is written: its offset is where the stream ends now.
            record = (packet.pts, self._stream.size, len(packet.data), packet.key)
            self._index.write(np.array(record, self._RECORD).tobytes())
            self._stream.write(packet.data)

    def sync(self) -> None:
        """Wait for the disk to have all packets."""
        # The stream first: no record may point at bytes that a crash has lost.
        self._stream.sync()
        self._index.sync()

    def close(self) -> None:
        """Close both files."""
        self._stream.close()
        self._index.close()

    def read(self) -> Iterator[EncodedPacket]:
        """Yield all packets, a few in memory at a time."""
        self._stream.flush()
        self._index.flush()
        block = self._RECORDS_PER_READ * self._RECORD.itemsize
        behind, last = 0, -1
        with self._stream.path.open("rb") as stream, self._index.path.open("rb") as index:
            while data := index.read(block):
                for pts, offset, size, key in np.frombuffer(data, self._RECORD).tolist():
                    # As they were written, or somebody has changed the index.
                    if not (behind <= offset < offset + size <= self._stream.size and pts > last):
                        msg = f"{self._index.path} is damaged; use --overwrite to start again"
                        raise OutputError(msg)
                    behind, last = offset + size, pts
                    stream.seek(offset)
                    yield EncodedPacket(stream.read(size), pts, bool(key))


_TIME_BASE = Fraction(1, TICKS_PER_SECOND)
_DEFAULT_DURATION = TICKS_PER_SECOND // 25

# Only rate control and the level look at it; time stamps carry the real timing.
_NOMINAL_RATE = Fraction(30)
# The bytes depend on the number of threads, so it must not follow the machine's.
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures become packets, and packets a file.

    Attributes:
        encoder: FFmpeg's name of it.
        pixels: FFmpeg's name of the pixel format.
        container: FFmpeg's name of the file format.
        options: of the encoder.
    """

    encoder: str
    pixels: str
    container: str
    options: Mapping[str, str]


H264 = Encoding(
    "libx264",
    "yuv420p",
    "mp4",
    {
        # Without the macroblock tree, see below, 22 is the size and quality that 20 is with it.
        "crf": "22",
        "preset": "veryfast",
        # Without B-frames packets leave in the order of the frames, pts equal to dts.
        "bf": "0",
        # The macroblock tree reads memory that it did not write: the same frames gave other bytes
        # when encoded again. The matrix is that of OpenCV's conversion; players would guess BT.709.
        "x264-params": "mbtree=0:colormatrix=smpte170m",
    },
)

PRORES_4444 = Encoding("prores_ks", "yuva444p10le", "mov", {"profile": "4444", "alpha_bits": "16"})
"""Every frame by itself, with transparency: what video editors exchange."""


class PartEncoder:
    """Encodes the frames of one part, which can be decoded without any other.

    Args:
        kind: the encoder and its settings.
        width: in pixels; even for H.264.
        height: in pixels; even for H.264.
        pixel_aspect: width of a pixel, its height being 1.
    """

    def __init__(
        self, kind: Encoding, width: int, height: int, pixel_aspect: Fraction = Fraction(1)
    ) -> None:
        context = cast(VideoCodecContext, av.CodecContext.create(kind.encoder, "w"))
        _configure(context, kind, width, height, pixel_aspect)
        # Parameter sets apart from the packets, where MP4 wants them; the bare stream gets them by
        # hand.
        context.flags |= Flags.global_header
        self._context = context

    @property
    def header(self) -> bytes:
        """The parameter sets, to stand before the first packet; known after the first frame."""
        return self._context.extradata or b""

    def encode(self, frame: av.VideoFrame, pts: int) -> list[EncodedPacket]:
        """Take a frame, in the pixel format of the encoding; return the packets that are ready.

        Args:
            frame: its time stamp is set here.
            pts: ticks, higher than before.
        """
        frame.pts = pts
        frame.time_base = _TIME_BASE
        return _plain(self._context.encode(frame))

    def flush(self) -> list[EncodedPacket]:
        """End the part; return the packets that were still inside."""
        return _plain(self._context.encode(None))


def _configure(
    context: VideoCodecContext, kind: Encoding, width: int, height: int, pixel_aspect: Fraction
) -> None:
    context.width = width
    context.height = height
    # Square pixels are left unsaid, as most files leave them.
    if pixel_aspect != 1:
        context.sample_aspect_ratio = pixel_aspect
    context.pix_fmt = kind.pixels
    context.time_base = _TIME_BASE
    context.framerate = _NOMINAL_RATE
    context.thread_count = _THREADS
    context.options = dict(kind.options)


def _plain(packets: Sequence[av.Packet[Any]]) -> list[EncodedPacket]:
    return [
        EncodedPacket(bytes(packet), packet.pts or 0, bool(packet.is_keyframe))
        for packet in packets
    ]


@contextmanager
def encoding(path: Path) -> Iterator[None]:
    """Turn errors of FFmpeg, too, into an `OutputError` about `path`.

    Raises:
        OutputError: in place of the `OSError` or the error of FFmpeg.
    """
    with writing(path):
        try:
            yield
        except UnknownCodecError as error:
            msg = f"this PyAV cannot encode {path.name}; reinstall it from PyPI: pip install av"
            raise OutputError(msg) from error
        except av.error.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error


def join(
    log: PacketLog,
    path: Path,
    kind: Encoding,
    size: tuple[int, int],
    *,
    comment: str = "",
    pixel_aspect: Fraction = Fraction(1),
) -> None:
    """Write the packets into a video file, without encoding anything again.

    The file appears in one step when it is whole.

    Args:
        log: the packets of all parts.
        path: the file to make.
        kind: how the packets were encoded.
        size: (width, height) of the encoded pictures, in pixels.
        comment: kept in the file's metadata.
        pixel_aspect: width of a pixel, its height being 1.

    Raises:
        OutputError: if it cannot be written.
    """
    # The start of the first frame is kept in units of `movie_timescale`, 1 ms unless told.
    options = {"movflags": "faststart", "movie_timescale": str(TICKS_PER_SECOND)}
    with (
        encoding(path),
        replacing(path) as temporary,
        av.open(str(temporary), "w", format=kind.container, options=options) as container,
    ):
        stream = container.add_stream(kind.encoder, rate=_NOMINAL_RATE)
        _configure(cast(VideoCodecContext, stream.codec_context), kind, *size, pixel_aspect)
        stream.time_base = _TIME_BASE
        if comment:
            container.metadata["comment"] = comment
        for item, duration in _with_durations(log.read()):
            packet = av.Packet(item.data)
            # Equal, since no encoder here reorders frames.
            packet.pts = packet.dts = item.pts
            packet.duration = duration
            packet.time_base = _TIME_BASE
            packet.is_keyframe = item.key
            packet.stream = stream
            container.mux(packet)


def _with_durations(packets: Iterator[EncodedPacket]) -> Iterator[tuple[EncodedPacket, int]]:
    """Pair each packet with the ticks until the next; the last lasts as long as the one before."""
    duration = _DEFAULT_DURATION
    for packet, following in itertools.pairwise(itertools.chain(packets, [None])):
        if packet is not None:
            # Variable frame rates: each frame lasts until the next one, whatever the nominal rate.
            duration = following.pts - packet.pts if following else duration
            yield packet, duration
