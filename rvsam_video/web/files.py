"""Files that a visitor may name: those of one folder, and what was uploaded. Nothing else."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from rvsam_video.errors import UsageError
from rvsam_video.sources import open_source
from rvsam_video.sources.finding import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from rvsam_video.web.limits import check_pixels
from rvsam_video.writing import writing

ALLOWED = VIDEO_SUFFIXES | IMAGE_SUFFIXES
MOST_LISTED = 500
"""Videos offered for choice; a folder with more should be narrowed down."""

_SAFE_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


def videos_below(root: Path, besides: Path | None = None) -> list[str]:
    """Return the videos and image folders below a folder, as paths relative to it.

    Links that lead out of the folder are left out.

    Args:
        root: the folder.
        besides: a folder that is left out, such as that of results; None for none.
    """
    base = root.resolve()
    left_out = None if besides is None else besides.resolve()
    found: list[str] = []
    for path in sorted(base.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(base).parts):
            continue
        # Results are overlays and folders of pictures, too.
        if left_out is not None and path.is_relative_to(left_out) and left_out != base:
            continue
        if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            # Resolved: a link may stand in the folder and point anywhere.
            if path.resolve().is_relative_to(base):
                found.append(path.relative_to(base).as_posix())
        elif path.is_dir() and path.resolve().is_relative_to(base) and _has_pictures(path):
            found.append(path.relative_to(base).as_posix())
        if len(found) == MOST_LISTED:
            break
    return found


def _has_pictures(folder: Path) -> bool:
    return any(item.suffix.lower() in IMAGE_SUFFIXES for item in folder.iterdir())


def file_below(root: Path, name: str) -> Path:
    """Return the file or folder of this name below a folder.

    Raises:
        UsageError: if it leads out of the folder, by dots, an absolute path or a link, or is not
            there, or is no video.
    """
    base = root.resolve()
    refused = f"{name!r} is not among the videos of this page; choose one from the list"
    # Refused before the file system is asked at all.
    if not name or "\0" in name or Path(name).is_absolute():
        raise UsageError(refused)
    try:
        path = (base / name).resolve()
        usable = path.is_relative_to(base) and path != base and path.exists()
    # ValueError: a name that no file can have, such as half of a character.
    except (OSError, ValueError) as error:
        raise UsageError(refused) from error
    if not usable or (path.is_file() and path.suffix.lower() not in VIDEO_SUFFIXES):
        raise UsageError(refused)
    return path


async def receive(
    name: str, chunks: AsyncIterator[bytes], folder: Path, limit: int, max_pixels: int
) -> Path:
    """Take an upload into a folder, under a name of our own.

    Args:
        name: as the visitor's browser gave it; only its ending is looked at, and kept.
        chunks: the content, as it comes.
        folder: where to put it.
        limit: bytes.
        max_pixels: of one picture.

    Returns:
        the file, which can be opened as a video.

    Raises:
        UsageError: if the kind of file is not allowed, it is too large or empty.
        SourceError: if it is no video.
        OutputError: if it cannot be written.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in ALLOWED:
        kinds = ", ".join(sorted(kind[1:] for kind in VIDEO_SUFFIXES))
        msg = f"{printable_name(name)} is no video by its name; upload one of: {kinds}"
        raise UsageError(msg)
    # Nothing of the visitor's name is used: it could hold dots, slashes or a device.
    path = folder / f"upload-{secrets.token_hex(8)}{suffix}"
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await _fill(path, chunks, limit)
        # In a thread: to open a video takes time that the server's loop does not have.
        await asyncio.to_thread(_check_video, path, max_pixels)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _check_video(path: Path, max_pixels: int) -> None:
    """Open a file once, so that what is no video is refused while the upload is answered."""
    check_pixels(str(path), max_pixels)
    with open_source(str(path)):
        pass


async def _fill(path: Path, chunks: AsyncIterator[bytes], limit: int) -> None:
    size = 0
    with writing(path), path.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            # Counted as it comes: what a request says of its own length proves nothing.
            if size > limit:
                msg = f"the upload is larger than {limit / 1024**2:.0f} MiB, which is the limit"
                raise UsageError(msg)
            file.write(chunk)
    if size == 0:
        raise UsageError("the upload is empty; choose a video file")


def printable_name(name: str) -> str:
    """Return a name that is safe to show and to use for a file: letters, digits, dot and dash."""
    return _SAFE_NAME.sub("_", Path(name.replace("\\", "/")).name)[:80].strip("._") or "file"
