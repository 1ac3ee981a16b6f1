"""Which pictures a run has written into its folders: kept briefly, whatever their number."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rvsam_video.sinks.names import (
    DONE_NOTE,
    PARTS_FOLDER,
    PICTURE_FOLDERS,
    PICTURE_LOG,
    picture_names,
)

Ranges = Sequence[Sequence[str]]
"""File names in order; a pair stands for all numbers from its first to its last name."""

_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\.[A-Za-z]+)", re.DOTALL)


def as_ranges(names: Iterable[str]) -> list[list[str]]:
    """Return file names with neighbouring numbers joined: 00000.png to 00055.png is one pair."""
    ranges: list[list[str]] = []
    for name in names:
        if ranges and _follows(ranges[-1][-1], name):
            ranges[-1] = [ranges[-1][0], name]
        else:
            ranges.append([name])
    return ranges


def is_file_name(name: str) -> bool:
    """Whether a file can have this name at all."""
    try:
        return b"\0" not in os.fsencode(name) and name != ""
    except ValueError:
        return False


def are_ranges(value: object) -> bool:
    """Whether a value read from a file has the form that `as_ranges` gives."""
    return isinstance(value, list) and all(
        isinstance(item, list)
        and 1 <= len(item) <= 2
        and all(isinstance(name, str) and Path(name).name == name for name in item)
        and all(map(is_file_name, item))
        for item in value
    )


def picture_folder(name: str) -> bool:
    """Whether a run may keep pictures in the folder of this name below its own."""
    first, *rest = name.split("/")
    # As evaluations keep them, a sequence in a folder of its own: masks/dog.
    plain = all(part not in {".", ".."} and is_file_name(part) for part in rest)
    return first in PICTURE_FOLDERS and len(rest) <= 1 and plain


def missing(folder: Path, ranges: Ranges) -> tuple[int, str]:
    """Return how many pictures of a list are not in the folder, and the first of them.

    Args:
        folder: may be gone altogether.
        ranges: from `as_ranges`.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    expected = sum(_count(item) for item in ranges)
    found = len({name for name in there if listed(name, ranges)})
    if found >= expected:
        return 0, ""
    # Ends at the first gap, so no more names are made than there are files.
    first = next(name for name in _names(ranges) if name not in there)
    return expected - found, first


def listed(name: str, ranges: Ranges) -> bool:
    """Whether a file name is one of the list."""
    return any(_within(name, item) for item in ranges)


def logged(run_folder: Path) -> dict[str, list[list[str]]]:
    """Return the pictures that an unfinished run has written, by the name of their folder."""
    parts = run_folder / PARTS_FOLDER
    found = {
        path.name.removesuffix(PICTURE_LOG): as_ranges(picture_names(path.read_bytes()))
        for path in sorted(parts.glob(f"*{PICTURE_LOG}"))
        if not path.is_symlink()
    }
    for path in sorted(parts.glob(DONE_NOTE)):
        found |= _noted(path)
    return found


def _noted(path: Path) -> dict[str, list[list[str]]]:
    """Return the pictures in a note on what is done; none if it is no such note."""
    try:
        pictures = json.loads(path.read_text(encoding="utf-8"))["pictures"]
        return {
            name: ranges
            for name, ranges in pictures.items()
            if picture_folder(name) and are_ranges(ranges)
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _follows(before: str, name: str) -> bool:
    first, second = _NUMBERED.fullmatch(before), _NUMBERED.fullmatch(name)
    if first is None or second is None:
        return False
    same = first[1] == second[1] and first[3] == second[3] and len(first[2]) == len(second[2])
    return same and int(second[2]) == int(first[2]) + 1


def _within(name: str, item: Sequence[str]) -> bool:
    if len(item) == 1:
        return name == item[0]
    own, first, last = (_NUMBERED.fullmatch(text) for text in (name, *item))
    if own is None or first is None or last is None:
        return name in item
    same = own[1] == first[1] and own[3] == first[3] and len(own[2]) == len(first[2])
    return same and int(first[2]) <= int(own[2]) <= int(last[2])


def _count(item: Sequence[str]) -> int:
    first, last = _NUMBERED.fullmatch(item[0]), _NUMBERED.fullmatch(item[-1])
    if first is None or last is None:
        return len(set(item))
    return max(0, int(last[2]) - int(first[2]) + 1)


def _names(ranges: Ranges) -> Iterator[str]:
    for item in ranges:
        first = _NUMBERED.fullmatch(item[0])
        if first is None:
            yield from item
            continue
        for number in range(int(first[2]), int(first[2]) + _count(item)):
            yield f"{first[1]}{number:0{len(first[2])}d}{first[3]}"
