"""Sizes that are known before a picture is decoded, so that a small file cannot fill the memory."""

from __future__ import annotations

from pathlib import Path

from rvsam_video.errors import SourceError, UsageError
from rvsam_video.picture_file import picture_size
from rvsam_video.sources.finding import IMAGE_SUFFIXES


def check_pixels(source: str, most: int) -> None:
    """Refuse a file or folder whose pictures have too many pixels, by what its headers say.

    Args:
        source: what is to be opened; cameras and addresses are not looked at.
        most: pixels of one picture.

    Raises:
        UsageError: if a picture is larger.
        SourceError: if a header cannot be read.
    """
    path = Path(source)
    if not path.exists():
        return
    pictures = [path]
    if path.is_dir():
        # All of them: the first may be small, and each is decoded when it is come to.
        pictures = [item for item in path.iterdir() if item.suffix.lower() in IMAGE_SUFFIXES]
    for picture in pictures:
        width, height = _size(picture)
        if width * height > most:
            msg = (
                f"the pictures have {width}x{height} pixels; at most {most / 1e6:.0f} million "
                "are taken (--max-pixels)"
            )
            raise UsageError(msg)


def _size(path: Path) -> tuple[int, int]:
    """Return width and height by the header alone; nothing is decoded."""
    if path.suffix.lower() in IMAGE_SUFFIXES | {".gif"}:
        return _picture_size(path)
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            streams = container.streams.video
            return max(((item.width, item.height) for item in streams), default=(0, 0))
    except (FFmpegError, OSError, ValueError) as error:
        msg = f"{path.name} cannot be read as a video; copy or record it again"
        raise SourceError(msg) from error


def _picture_size(path: Path) -> tuple[int, int]:
    try:
        return picture_size(path)
    except (OSError, ValueError, SyntaxError) as error:
        msg = f"{path.name} cannot be read as a picture; copy it again"
        raise SourceError(msg) from error
