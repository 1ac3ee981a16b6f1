"""`open_source`: one door for files, folders, patterns, cameras, streams and standard input."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.sources.base import BadFrames, FrameSource, Reader
from rvsam_video.sources.finding import (
    IMAGE_SUFFIXES,
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


def open_source(
    what: str | Path | int,
    *,
    reader: Reader = "pyav",
    on_bad_frame: BadFrames = "skip",
    start: int = 0,
    part: ClipPart = WHOLE,
) -> FrameSource:
    """Open anything that frames can come from.

    Args:
        what: a video file; a folder of pictures, or a pattern such as `frames/*.jpg` (in natural
            order: 2 before 10); the number of a camera, 0 being the first; an address such as
            `rtsp://...` or `https://...`; or `-` for a video on standard input. A file whose
            name is a number or a dash is meant by `./0` and `./-`.
        reader: library that decodes video files. `decord` gives frames in any order by
            `frame_at`, but reads fewer formats, and needs the extra `rvsam-video[decord]`.
        on_bad_frame: `skip` passes over what is damaged and goes on; `stop` ends there, with all
            that was read before it. Neither raises; `report` of the source says what happened.
        start: index of the first frame to give, with the same index, time and pixels as in a
            full reading: to go on with a run that was interrupted.
        part: which frames count, by number or time; they keep their index and time. What lies
            before it is not decoded.

    Returns:
        the open source; iterate over it, then close it, or use it in a `with` statement.

    Raises:
        UsageError: if an option has a value that is not allowed, or does not fit the source.
        SourceError: if there is nothing to read; one sentence says why and what to do.
    """
    _check(reader, on_bad_frame, start)
    try:
        return _open(what, reader, on_bad_frame, start, part)
    except (SourceError, UsageError):
        raise
    except OSError as error:
        msg = f"{what} cannot be opened ({error.strerror}); check the path and its access rights"
        raise SourceError(msg) from error


def _open(
    what: str | Path | int, reader: Reader, on_bad_frame: BadFrames, start: int, part: ClipPart
) -> FrameSource:
    text = os.fspath(what) if isinstance(what, str | Path) else str(what)
    # A text of digits is a camera, since the command line knows no numbers; ./0 is a file.
    if isinstance(what, int) or (isinstance(what, str) and what.isdecimal()):
        _refuse(f"camera {text}", reader, start)
        _refuse_part(f"camera {text}", part)
        return _camera(int(text), on_bad_frame)
    if what == "-":
        return _video(STANDARD_INPUT, reader, on_bad_frame, start, part)
    if isinstance(what, str) and is_address(what):
        return _video(address(what), reader, on_bad_frame, start, part)
    if (paths := _images(text)) is not None:
        _refuse(printable(text), reader)
        # Each kind loads its own library, and only when it is opened.
        from rvsam_video.sources.pictures import ImageSequence

        return ImageSequence(
            paths, printable(text), on_bad_frame=on_bad_frame, start=start, part=part
        )
    return _video(video_file(text), reader, on_bad_frame, start, part)


def _images(text: str) -> list[Path] | None:
    """Return the pictures that a path or pattern means; None if it means a video."""
    path = Path(text)
    if path.is_dir():
        return images_in_folder(path)
    # Looked up first: a file may hold brackets in its name and be no pattern.
    if not path.exists():
        return images_of_pattern(text) if is_pattern(text) else None
    return [path] if path.suffix.lower() in IMAGE_SUFFIXES else None


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


def _check(reader: Reader, on_bad_frame: BadFrames, start: int) -> None:
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


def _refuse(name: str, reader: Reader, start: int = 0) -> None:
    """Refuse options that do not fit a source.

    Raises:
        UsageError: if the reader is decord, or the source is live and would have to go back.
    """
    if reader == "decord":
        msg = f"the reader 'decord' reads video files only, not {name}; leave the option out"
        raise UsageError(msg)
    if start:
        msg = f"{name} is live, so it cannot begin at frame {start}; leave start at 0"
        raise UsageError(msg)


def _refuse_part(name: str, part: ClipPart) -> None:
    """Refuse to begin a live source elsewhere than now.

    Raises:
        UsageError: if that was asked for.
    """
    if not part.whole:
        msg = f"{name} is live and has no parts ({part}); leave start, end and stride out"
        raise UsageError(msg)
