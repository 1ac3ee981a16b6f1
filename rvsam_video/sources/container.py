"""Opening a video with PyAV, and saying plainly why it could not be opened or went away.

FFmpeg's own log is off while PyAV's logging level is None, which is PyAV's default; nothing here
changes that level, so a program that turned the log on to look into something keeps it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from rvsam_video.errors import SourceError
from rvsam_video.limits import max_pixels, too_large
from rvsam_video.sources.place import Place
from rvsam_video.sources.spooling import readable

OPEN_SECONDS = 10.0
"""How long a server or network camera may take to send its first frames: some wake up slowly."""

READ_SECONDS = 10.0
"""How long an open stream may be silent before it counts as lost."""

_SNIFFED_BYTES = 4096

# A title in some old encoding is no reason to refuse a video; from 19 on PyAV thinks so too.
_FORGIVE_TEXT: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)

_TEXT_FORMATS = ("tty", "subviewer", "srt", "lrc", "webvtt")
"""What FFmpeg would draw as pictures of letters, or take for subtitles: no video for us."""


def open_container(place: Place) -> InputContainer:
    """Open a video for reading.

    Raises:
        SourceError: in one sentence, why it cannot be opened and what to do.
    """
    options: dict[str, Any] = dict(_FORGIVE_TEXT)
    if place.kind == "stream":
        # Two limits: for opening and for each later read. Without them PyAV waits for ever.
        options["timeout"] = (OPEN_SECONDS, READ_SECONDS)
        if place.target.startswith("rtsp"):
            # Cameras lose packets over UDP as soon as the network is busy, so TCP comes first.
            options["options"] = {"rtsp_flags": "prefer_tcp"}
    file = readable(_stream_of(place), place.name) if place.kind == "stdin" else place.target
    try:
        container: InputContainer = av.open(file, "r", **options)
    except FFmpegError as error:
        raise SourceError(_why_not_opened(place, error)) from error
    return container


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """Choose the stream to read: the best one that moves; a cover picture is no video.

    Raises:
        SourceError: if there is none, or no decoder for it.
    """
    # FFmpeg's own choice where there are several.
    best = container.streams.best("video")
    if container.format.name in _TEXT_FORMATS:
        msg = f"{name} is a text file, not a video; give the video itself"
        raise SourceError(msg)
    if not isinstance(best, VideoStream) or best.disposition & Disposition.attached_pic:
        found = "sound but no video" if container.streams.audio else "no video"
        msg = f"{name} holds {found}; give a file that holds a video"
        raise SourceError(msg)
    # The attribute is None where PyAV's type says it never is: there was no decoder.
    if getattr(best, "codec_context", None) is None:
        msg = (
            f"{name} is compressed in a way that cannot be decoded here; convert it first, "
            "for example to an MP4 file with H.264"
        )
        raise SourceError(msg)
    context = best.codec_context
    if (reason := too_large(context.width, context.height)) is not None:
        raise SourceError(f"{name} cannot be read: {reason}")
    # Some formats tell the size of a picture, or change it, only when it is decoded.
    context.options = {"max_pixels": str(max_pixels())}
    return best


def lost(place: Place, frames: int, error: FFmpegError) -> SourceError:
    """Return the error for a source that went away in the middle."""
    if place.kind == "stream":
        reason = (
            f"nothing came for {READ_SECONDS:g} seconds"
            if isinstance(error, av.error.ExitError)
            else _plain(error)
        )
        advice = "check the network and the camera or server, then run the same command again"
    else:
        reason, advice = _plain(error), "check the disk or connection it comes from"
    when = f"after frame {frames - 1}" if frames else "before its first frame"
    return SourceError(f"{place.name} was lost {when} ({reason}); {advice}")


def _stream_of(place: Place) -> BinaryIO:
    return _standard_input() if place.file is None else place.file


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():
        msg = (
            "there is no video on standard input; pipe one in, for example: "
            "ffmpeg -i clip.mov -f matroska - | rvsam-video track -"
        )
        raise SourceError(msg)
    return sys.stdin.buffer


def _plain(error: FFmpegError) -> str:
    text = error.strerror or type(error).__name__
    return text[:1].lower() + text[1:]


def _why_not_opened(place: Place, error: FFmpegError) -> str:
    if place.kind == "stream":
        return _why_no_answer(place.name, error)
    # Before OSError, of which it is a kind.
    if isinstance(error, av.error.PermissionError):
        return f"{place.name} may not be read: permission denied; change its access rights"
    if isinstance(error, OSError):
        return f"{place.name} cannot be opened ({_plain(error)}); check the path and the disk"
    if place.kind == "stdin":
        return (
            f"{place.name} holds no video that can be read as it comes; send MP4, MPEG-TS or "
            "Matroska, or save it to a file and give that"
        )
    return f"{place.name} {_what_it_is(place.path)}"


def _why_no_answer(name: str, error: FFmpegError) -> str:
    # PyAV's errors, which are also the built-in ones of the same name.
    if isinstance(error, av.error.ConnectionRefusedError):
        return f"{name} refused the connection; check the address and that the server is running"
    if isinstance(error, av.error.HTTPNotFoundError):
        return f"the server has nothing at {name} (404 not found); check the address"
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return (
            f"{name} wants another user name or password; "
            "give them in the address, as in rtsp://user:password@host/path"
        )
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return (
            f"{name} sent no video for {OPEN_SECONDS:g} seconds; "
            "check the address, the network and that the camera is on"
        )
    if isinstance(error, av.error.InvalidDataError):
        return f"what {name} sends is no video that can be read; check the address in a browser"
    return f"{name} cannot be reached ({_plain(error)}); check the address and the network"


def _what_it_is(path: Path | None) -> str:
    """Look at the first bytes of a file that is no video to FFmpeg, and finish the sentence."""
    head = b""
    if path is not None:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
    # An MP4 file by its first box, yet FFmpeg found no index in it.
    if head[4:8] == b"ftyp":
        return (
            "is an MP4 file without its index, so no frame can be found: the recording or the "
            "copy broke off; copy it again, or repair it with a tool such as untrunc"
        )
    # Zero bytes are in nearly all binary files and in no UTF-8 text.
    if head and b"\0" not in head and _is_text(head):
        return "is a text file, not a video; give the video itself"
    return (
        "is no video that can be read: its content is damaged or in an unknown format; "
        "copy it again, or convert it to an MP4 file with H.264"
    )


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut in half.
        head[:-4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
