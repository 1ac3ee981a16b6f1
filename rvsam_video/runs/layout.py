"""The names inside a run folder: all that this package may ever write or remove there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rvsam_video.json_values import Json
from rvsam_video.runs.pictures import Ranges, listed
from rvsam_video.sinks.names import (
    DONE_NOTE,
    OBJECT_FILES,
    PARTS_FOLDER,
    PICTURE_FOLDERS,
    PICTURE_LOG,
    POINT_FILES,
)
from rvsam_video.writing import refuse_link, temporary_name

RUN_FILE = "run.json"
LOCK_FILE = ".lock"
CHECKPOINT_FILE = "checkpoint.npz"

SPOOL_FILE = "backward.spool"
"""What was found going backward, until the run is complete."""

PROMPTS_FILE = "prompts.json"
"""What was followed, to be replayed with `--points`."""

_VIDEO_STEMS = ("overlay", "side-by-side", "cutout", "alpha")
# Removed in this order: parts without their checkpoint mean nothing, a checkpoint needs its parts.
_WORKING_PATTERNS = (
    CHECKPOINT_FILE,
    *(f"{stem}.*" for stem in _VIDEO_STEMS),
    *(f"{stem}-held-*.yuv" for stem in _VIDEO_STEMS),
    "rle*",
    "*.jsonl",
    "thumbnails.*",
    "points.rows",
    SPOOL_FILE,
    "stop-*.npz",
    DONE_NOTE,
    # Last: without them nobody knows which pictures are the run's.
    f"*{PICTURE_LOG}",
)


def stop_file(frame: int) -> str:
    """Return the name of the state before a frame, which a run can go back to."""
    return f"stop-{frame:08d}.npz"


def planned_files(command: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the files that a run of this command makes, by the outputs it was asked for."""
    save, files = command.get("save"), OBJECT_FILES if "prompts" in command else POINT_FILES
    names = save if isinstance(save, list) else []
    return tuple(file for name in names for file in files.get(str(name), ()))


def refuse_links(folder: Path) -> None:
    """Refuse links where a run keeps folders of its own.

    Raises:
        OutputError: if one is there.
    """
    for name in (PARTS_FOLDER, *PICTURE_FOLDERS):
        refuse_link(folder / name)


def remove_results(
    folder: Path, files: Iterable[str] = (), pictures: Mapping[str, Ranges] | None = None
) -> None:
    """Remove the results of an earlier run; whatever it did not write stays.

    Args:
        folder: the run folder.
        files: its results, as paths below the folder.
        pictures: folder name to the pictures written there.

    Raises:
        OSError: if one cannot be removed.
    """
    for name in files:
        path = folder / name
        # The same command may be told to follow them, and every run of objects replaces them.
        if name in {RUN_FILE, PROMPTS_FILE}:
            continue
        # A record that was tampered with must not reach beyond its folder. By the parent: a link
        # itself is removed, not what it points to.
        inside = path.parent.resolve().is_relative_to(folder.resolve())
        if inside and (path.is_file() or path.is_symlink()):
            path.unlink()
        if inside:
            path.with_name(temporary_name(path.name)).unlink(missing_ok=True)
    for name, ranges in (pictures or {}).items():
        _remove_pictures(folder / name, ranges)
        if "/" in name:
            _remove_if_empty((folder / name).parent)


def _remove_pictures(folder: Path, ranges: Ranges) -> None:
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return
    for path in folder.iterdir():
        # A kill leaves the last one under its temporary name.
        name = path.name.removeprefix(".").removesuffix(".tmp")
        if listed(path.name, ranges) or (
            path.name == temporary_name(name) and listed(name, ranges)
        ):
            path.unlink()
    _remove_if_empty(folder)


def remove_working_files(folder: Path) -> None:
    """Remove what only an unfinished run needs, its checkpoint before all else.

    Raises:
        OSError: if one cannot be removed.
    """
    parts = folder / PARTS_FOLDER
    if parts.is_symlink():
        return
    _remove(parts, _WORKING_PATTERNS)
    _remove_if_empty(parts)


def _remove(folder: Path, patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        # Half-written ones, too: a kill leaves them under their temporary names.
        for path in [*folder.glob(pattern), *folder.glob(temporary_name(pattern))]:
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
