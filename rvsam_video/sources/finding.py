"""Finding the pictures of a folder or pattern, in the order a person would count them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rvsam_video.errors import SourceError
from rvsam_video.sources.base import count

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".apng")
)
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mpg", ".mpeg", ".gif", ".flv")
)
"""Only used to guess what somebody meant; any file is tried as a video."""

_WILDCARDS = re.compile(r"[*?\[]")
_NUMBERED = re.compile(r"%(0?)([0-9]*)d")
_NAMED = 3

_MOST = 0.75
"""So much of a folder's pictures must be named alike for the others to be something else."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Pictures that are a video.

    Attributes:
        paths: in order.
        notes: sentences about files that were left out.
    """

    paths: list[Path]
    notes: tuple[str, ...] = ()


def is_pattern(text: str) -> bool:
    """Whether a name holds wildcards, as in `frames/*.jpg`, or a number, as in `%05d.jpg`."""
    return _WILDCARDS.search(text) is not None or _NUMBERED.search(Path(text).name) is not None


def natural_key(path: Path) -> tuple[list[str | int], str]:
    """Return a sort key that puts `2.jpg` before `10.jpg`."""
    parts: list[str | int] = list(re.split(r"(\d+)", path.name.casefold()))
    # With its group, split alternates: text, digits, text ... so kinds never meet in a comparison.
    parts[1::2] = map(int, parts[1::2])
    # 1.jpg and 01.jpg would be equal, and their order left to chance.
    return parts, path.name


def images_in_folder(folder: Path) -> Chosen:
    """Return the pictures that stand directly in a folder, in natural order.

    Where most are named alike but for a number, as frames are, the others are left out.

    Raises:
        SourceError: if there is none, the folder holds two pictures of some frames, or it is a
            folder of videos.
    """
    # Hidden files are thumbnails and the like of other systems.
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    images = _images(files)
    videos = _videos(files)
    if not images:
        raise SourceError(f"folder {folder} holds no pictures; {_advice(files)}")
    if len(videos) >= len(images):
        msg = (
            f"folder {folder} holds {count(len(videos), 'video')} and "
            f"{count(len(images), 'picture')}; give one of the videos ({_some(videos)}), or choose "
            f"the pictures by a pattern such as {folder / '*'}{images[0].suffix}"
        )
        raise SourceError(msg)
    return _alike(images, folder)


def _alike(images: Sequence[Path], folder: Path) -> Chosen:
    groups: defaultdict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in images:
        groups[re.sub(r"\d+", "#", path.stem.casefold()), path.suffix.lower()].append(path)
    kinds = sorted(groups.values(), key=len, reverse=True)
    main = kinds[0]
    if len(main) == 1:
        return Chosen(list(images))
    for other in kinds[1:]:
        # 7.png beside 7_mask.png: masks, depth or the other eye of the same frames.
        if len(other) == len(main) and _numbers(other) == _numbers(main):
            msg = (
                f"folder {folder} holds two pictures of each frame, such as {main[0].name} and "
                f"{other[0].name}; choose one kind by a pattern such as "
                f"{folder / re.sub(r'[0-9]+', '*', main[0].name)}"
            )
            raise SourceError(msg)
    if len(main) < 3 or len(main) < _MOST * len(images):
        return Chosen(list(images))
    rest = [path.name for kind in kinds[1:] for path in kind]
    note = (
        f"left out {count(len(rest), 'picture')} of {folder} not named like the others: "
        f"{_some(rest)}; a pattern such as {folder / '*'}{main[0].suffix} takes all"
    )
    return Chosen(main, (note,) if rest else ())


def _numbers(paths: Iterable[Path]) -> set[tuple[str, ...]]:
    return {tuple(re.findall(r"\d+", path.stem)) for path in paths}


def images_of_pattern(pattern: str) -> Chosen:
    """Return the pictures whose paths match a pattern, in natural order.

    Args:
        pattern: with wildcards, or with a number as FFmpeg writes it: `frames/%05d.png`.

    Raises:
        SourceError: if there is none, or there are two pictures of some frames.
    """
    name = Path(pattern).name
    wild = pattern[: len(pattern) - len(name)] + _NUMBERED.sub("*", name)
    path = Path(wild)
    # Path.glob takes relative patterns only.
    parts = path.parts[1:] if path.anchor else path.parts
    found = Path(path.anchor).glob("/".join(parts))
    exact = re.compile(_numbered_expression(name))
    files = [item for item in found if wild == pattern or exact.fullmatch(item.name)]
    if not files:
        raise SourceError(f"no file matches {pattern}; check the path and the pattern")
    images = _images(files)
    if not images:
        raise SourceError(f"{pattern} matches no pictures; {_advice(files)}")
    return Chosen(images)


def _numbered_expression(name: str) -> str:
    """Return the regular expression of names that a printf pattern makes."""
    parts = []
    end = 0
    for match in _NUMBERED.finditer(name):
        width = match[2] or "1"
        # Wider numbers than asked for are written in full.
        parts += [re.escape(name[end : match.start()]), f"[0-9]{{{width},}}"]
        end = match.end()
    return "".join([*parts, re.escape(name[end:])])


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


def _videos(files: Iterable[Path]) -> list[str]:
    return sorted(path.name for path in files if path.suffix.lower() in VIDEO_SUFFIXES)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")


def _advice(files: Iterable[Path]) -> str:
    files = list(files)
    videos = _videos(files)
    if videos:
        return f"give one of the videos instead: {_some(videos)}"
    for folder in sorted(path for path in files if path.is_dir()):
        inside = sum(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
        if inside:
            return f"its folder {folder.name}/ holds {count(inside, 'picture')}: give {folder}"
    return f"pictures end in {', '.join(sorted(IMAGE_SUFFIXES))}"
