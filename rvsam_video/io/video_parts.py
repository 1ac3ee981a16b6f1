"""Video encoded in short independent parts, which are joined without encoding again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.codec.codec import UnknownCodecError
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from rvsam_video.errors import OutputError
from rvsam_video.io.packet_log import EncodedPacket, PacketLog
from rvsam_video.io.presentation_clock import TICKS_PER_SECOND
from rvsam_video.writing import replacing, writing

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
    """

    def __init__(self, kind: Encoding, width: int, height: int) -> None:
        context = cast(VideoCodecContext, av.CodecContext.create(kind.encoder, "w"))
        _configure(context, kind, width, height)
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


def _configure(context: VideoCodecContext, kind: Encoding, width: int, height: int) -> None:
    context.width = width
    context.height = height
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
    log: PacketLog, path: Path, kind: Encoding, size: tuple[int, int], comment: str = ""
) -> None:
    """Write the packets into a video file, without encoding anything again.

    The file appears in one step when it is whole.

    Args:
        log: the packets of all parts.
        path: the file to make.
        kind: how the packets were encoded.
        size: (width, height) of the encoded pictures, in pixels.
        comment: kept in the file's metadata.

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
        _configure(cast(VideoCodecContext, stream.codec_context), kind, *size)
        stream.time_base = _TIME_BASE
        if comment:
            container.metadata["comment"] = comment
        for item, duration in _with_durations(log.read()):
            packet = av.Packet(item.data)
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
            duration = following.pts - packet.pts if following else duration
            yield packet, duration
