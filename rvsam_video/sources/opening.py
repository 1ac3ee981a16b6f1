"""`open_source`: one door for files, folders, patterns, cameras, streams and standard input."""

from __future__ import annotations

import math
import operator
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, SupportsIndex, TypeGuard, get_args

from rvsam_video.errors import RvsamError, SourceError, UsageError
from rvsam_video.sources.base import BadFrames, FrameSource, Reader
from rvsam_video.sources.finding import (
    IMAGE_SUFFIXES,
    Chosen,
    images_in_folder,
    images_of_pattern,
    is_pattern,
)
from rvsam_video.sources.part import WHOLE, ClipPart
from rvsam_video.sources.place import (
    STANDARD_INPUT,
    Place,
    address,
    is_address,
    printable,
    video_file,
)

MOST_FPS = 100_000
"""Faster than any camera; beyond it times would hardly rise."""


def is_place(what: object) -> TypeGuard[str | bytes | Path | int | BinaryIO]:
    """Whether `open_source` takes something, in contrast to frames that are there already."""
    # NumPy has integers of its own, and True is the number 1.
    if isinstance(what, bool):
        return False
    return isinstance(what, str | bytes | os.PathLike | SupportsIndex) or hasattr(what, "read")


def open_source(
    what: str | bytes | Path | int | BinaryIO,
    *,
    reader: Reader = "pyav",
    on_bad_frame: BadFrames = "skip",
    start: int = 0,
    fps: float | None = None,
    part: ClipPart = WHOLE,
) -> FrameSource:
    """Open anything that frames can come from.

    Args:
        what: a video file; a folder of pictures, or a pattern such as `frames/*.jpg` or
            `frames/%05d.jpg` (in natural order: 2 before 10); a picture, of which a TIFF, WebP or
            PNG may hold many; the number of a camera, 0 being the first; an address such as
            `rtsp://...` or `https://...`; or `-` for a video on standard input. A file whose
            name is a number or a dash is meant by `./0` and `./-`. A file that is open for
            reading bytes is read from where it stands, once.
        reader: library that decodes video files. `decord` gives frames in any order by
            `frame_at`, but reads fewer formats, and needs the extra `rvsam-video[decord]`.
        on_bad_frame: `skip` passes over what is damaged and goes on; `stop` ends there, with all
            that was read before it. Neither raises; `report` of the source says what happened.
        start: index of the first frame to give, with the same index, time and pixels as in a
            full reading: to go on with a run that was interrupted.
        fps: frames per second of pictures, instead of 25 or an animation's own times.
        part: which frames count, by number or time; they keep their index and time. What lies
            before it is not decoded.

    Returns:
        the open source; iterate over it, then close it, or use it in a `with` statement.

    Raises:
        UsageError: if an option has a value that is not allowed, or does not fit the source.
        SourceError: if there is nothing to read; one sentence says why and what to do.
    """
    _check(reader, on_bad_frame, start, fps)
    try:
        given = _plain(what)
        if not isinstance(given, str | Path | int):
            place = Place("stdin", "the open file", file=given)
            _refuse(place.name, reader, fps=fps)
            return _video(place, reader, on_bad_frame, start, part)
        return _open(given, reader, on_bad_frame, start, fps, part)
    except RvsamError:
        raise
    except OSError as error:
        msg = f"{what!s} cannot be opened ({error.strerror}); check the path and its access rights"
        raise SourceError(msg) from error


def _plain(what: object) -> Any:  # noqa: ANN401 (a text, a path, a number or an open file)
    if isinstance(what, bytes):
        return os.fsdecode(what)
    if isinstance(what, str | Path) or hasattr(what, "read"):
        return what
    if isinstance(what, os.PathLike):
        return Path(what)
    # Integers of NumPy, too.
    if isinstance(what, SupportsIndex) and not isinstance(what, bool):
        return operator.index(what)
    msg = (
        f"the source is of type {type(what).__name__}; give a path, an address, the number of a "
        "camera or an open file"
    )
    raise UsageError(msg)


def _open(
    what: str | Path | int,
    reader: Reader,
    on_bad_frame: BadFrames,
    start: int,
    fps: float | None,
    part: ClipPart,
) -> FrameSource:
    text = os.fspath(what) if isinstance(what, str | Path) else str(what)
    # A text of digits is a camera, since the command line knows no numbers; ./0 is a file.
    if isinstance(what, int) or (isinstance(what, str) and what.isdecimal()):
        _refuse(f"camera {text}", reader, start, fps)
        _refuse_part(f"camera {text}", part)
        return _camera(int(text), on_bad_frame)
    is_text = isinstance(what, str)
    if is_text and (text == "-" or is_address(text)):
        place = STANDARD_INPUT if text == "-" else address(text)
        _refuse(place.name, "pyav", fps=fps)
        return _video(place, reader, on_bad_frame, start, part)
    if (chosen := _images(text)) is not None:
        _refuse(printable(text), reader)
        return _pictures(chosen, printable(text), on_bad_frame, start, fps, part)
    place = video_file(text)
    _refuse(place.name, "pyav", fps=fps)
    return _video(place, reader, on_bad_frame, start, part)


def _images(text: str) -> Chosen | None:
    """Return the pictures that a path or pattern means; None if it means a video."""
    path = Path(text)
    if path.is_dir():
        return images_in_folder(path)
    # Looked up first: a file may hold brackets in its name and be no pattern.
    if not path.exists():
        return images_of_pattern(text) if is_pattern(text) else None
    return Chosen([path]) if path.suffix.lower() in IMAGE_SUFFIXES else None


def _pictures(
    chosen: Chosen,
    name: str,
    on_bad_frame: BadFrames,
    start: int,
    fps: float | None,
    part: ClipPart,
) -> FrameSource:
    # Each kind loads its own library, and only when it is opened.
    from rvsam_video.sources.picture_reading import UNREADABLE, pages_of
    from rvsam_video.sources.pictures import ImageSequence
    from rvsam_video.sources.stack import PictureStack

    if len(chosen.paths) == 1:
        (path,) = chosen.paths
        # What is broken is told when it is read.
        with suppress(*UNREADABLE):
            pages = pages_of(path)
            if len(pages) > 1:
                return PictureStack(
                    path,
                    pages,
                    name,
                    fps=fps,
                    on_bad_frame=on_bad_frame,
                    start=start,
                    part=part,
                )
    return ImageSequence(
        chosen.paths,
        name,
        fps=fps,
        notes=chosen.notes,
        on_bad_frame=on_bad_frame,
        start=start,
        part=part,
    )


def _camera(number: int, on_bad_frame: BadFrames) -> FrameSource:
    if number < 0:
        msg = f"there is no camera {number}; cameras are numbered from 0"
        raise UsageError(msg)
    from rvsam_video.sources.camera import Camera

    return Camera(number, on_bad_frame=on_bad_frame)


def _video(
    place: Place, reader: Reader, on_bad_frame: BadFrames, start: int, part: ClipPart
) -> FrameSource:
    if reader == "decord":
        if place.kind != "file":
            _refuse(place.name, reader)
        from rvsam_video.sources.decord_video import DecordVideo

        return DecordVideo(place, on_bad_frame=on_bad_frame, start=start, part=part)
    from rvsam_video.sources.video_file import VideoSource

    source = VideoSource(place, on_bad_frame=on_bad_frame, start=start, part=part)
    # Known only once it is open: the same address may be a recording or a live stream.
    if source.live and (start or not part.whole):
        source.close()
        _refuse_part(place.name, part)
        _refuse(place.name, reader, start)
    return source


def _check(reader: Reader, on_bad_frame: BadFrames, start: int, fps: float | None) -> None:
    for name, value, allowed in (
        ("reader", reader, get_args(Reader)),
        ("on_bad_frame", on_bad_frame, get_args(BadFrames)),
    ):
        if value not in allowed:
            msg = f"{name} is {value!r}; choose one of: {', '.join(allowed)}"
            raise UsageError(msg)
    if start < 0:
        msg = f"start is {start}; frames are numbered from 0"
        raise UsageError(msg)
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= MOST_FPS):
        msg = f"fps is {fps}; it must be a number above 0 and up to {MOST_FPS}"
        raise UsageError(msg)


def _refuse(name: str, reader: Reader, start: int = 0, fps: float | None = None) -> None:
    """Refuse options that do not fit a source.

    Raises:
        UsageError: if the reader is decord, the source is live and would have to go back, or it has
            times of its own.
    """
    if reader == "decord":
        msg = f"the reader 'decord' reads video files only, not {name}; leave the option out"
        raise UsageError(msg)
    if start:
        msg = f"{name} is live, so it cannot begin at frame {start}; leave start at 0"
        raise UsageError(msg)
    if fps is not None:
        msg = f"{name} has times of its own; fps is for pictures: leave it out"
        raise UsageError(msg)


def _refuse_part(name: str, part: ClipPart) -> None:
    """Refuse to begin a live source elsewhere than now.

    Raises:
        UsageError: if that was asked for.
    """
    if not part.whole:
        msg = f"{name} is live and has no parts ({part}); leave start, end and stride out"
        raise UsageError(msg)
