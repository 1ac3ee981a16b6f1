"""Finding the pictures of a folder or pattern, in the order a person would count them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rvsam_video.errors import SourceError

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
)
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mpg", ".mpeg", ".gif", ".flv")
)
"""Only used to guess what somebody meant; any file is tried as a video."""

_WILDCARDS = re.compile(r"[*?\[]")
_NAMED = 3


def is_pattern(text: str) -> bool:
    """Whether a name holds wildcards, as in `frames/*.jpg`."""
    return _WILDCARDS.search(text) is not None


def natural_key(path: Path) -> tuple[list[str | int], str]:
    """Return a sort key that puts `2.jpg` before `10.jpg`."""
    parts: list[str | int] = list(re.split(r"(\d+)", path.name.casefold()))
    # With its group, split alternates: text, digits, text ... so kinds never meet in a comparison.
    parts[1::2] = map(int, parts[1::2])
    # 1.jpg and 01.jpg would be equal, and their order left to chance.
    return parts, path.name


def images_in_folder(folder: Path) -> list[Path]:
    """Return the pictures that stand directly in a folder, in natural order.

    Raises:
        SourceError: if there is none, or the folder holds two pictures of some frames.
    """
    # Hidden files are thumbnails and the like of other systems.
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    images = _images(files)
    if not images:
        raise SourceError(f"folder {folder} holds no pictures; {_advice(files)}")
    return images


def images_of_pattern(pattern: str) -> list[Path]:
    """Return the pictures whose paths match a pattern, in natural order.

    Raises:
        SourceError: if there is none, or there are two pictures of some frames.
    """
    path = Path(pattern)
    # Path.glob takes relative patterns only.
    parts = path.parts[1:] if path.anchor else path.parts
    files = list(Path(path.anchor).glob("/".join(parts)))
    if not files:
        raise SourceError(f"no file matches {pattern}; check the path and the pattern")
    images = _images(files)
    if not images:
        raise SourceError(f"{pattern} matches no pictures; {_advice(files)}")
    return images


def _images(files: Iterable[Path]) -> list[Path]:
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    images.sort(key=natural_key)
    seen: dict[Path, Path] = {}
    for path in images:
        # Masks beside the pictures, or two formats of one frame: each frame would come twice.
        if (other := seen.setdefault(path.with_suffix(""), path)) is not path:
            msg = (
                f"{other.name} and {path.name} in {path.parent} look like one frame twice; "
                f"choose one kind by a pattern such as {path.parent / '*'}{other.suffix}"
            )
            raise SourceError(msg)
    return images


def _advice(files: Iterable[Path]) -> str:
    videos = sorted(path.name for path in files if path.suffix.lower() in VIDEO_SUFFIXES)
    if videos:
        names = ", ".join(videos[:_NAMED]) + (" ..." if len(videos) > _NAMED else "")
        return f"give one of the videos instead: {names}"
    return f"pictures end in {', '.join(sorted(IMAGE_SUFFIXES))}"
