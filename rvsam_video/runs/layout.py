"""The names inside a run folder: all that this package may ever write or remove there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rvsam_video.sinks.names import (
    ALPHA_FILE,
    ARRAYS_FILE,
    COCO_FILE,
    CONTACT_SHEET_FILE,
    CUTOUT_FILE,
    CUTOUT_FOLDER,
    CVAT_FILE,
    MASK_FOLDER,
    NPZ_FILE,
    OVERLAY_FILE,
    PARTS_FOLDER,
    PLOT_FILE,
    POINTS_FILE,
    RLE_FILE,
    SIDE_BY_SIDE_FILE,
)
from rvsam_video.writing import temporary_name

RUN_FILE = "run.json"
LOCK_FILE = ".lock"
CHECKPOINT_FILE = "checkpoint.npz"

SPOOL_FILE = "backward.spool"
"""What was found going backward, until the run is complete."""

PROMPTS_FILE = "prompts.json"
"""What was followed, to be replayed with `--points`."""

_RESULT_PATTERNS = (
    PROMPTS_FILE,
    OVERLAY_FILE,
    SIDE_BY_SIDE_FILE,
    CUTOUT_FILE,
    ALPHA_FILE,
    RLE_FILE,
    COCO_FILE,
    CVAT_FILE,
    NPZ_FILE,
    POINTS_FILE,
    ARRAYS_FILE,
    CONTACT_SHEET_FILE,
    PLOT_FILE,
)
_PICTURE_FOLDERS = (MASK_FOLDER, CUTOUT_FOLDER)
_PICTURE_PATTERNS = ("*.png",)
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
)


def stop_file(frame: int) -> str:
    """Return the name of the state before a frame, which a run can go back to."""
    return f"stop-{frame:08d}.npz"


def remove_results(folder: Path, listed: Iterable[str] = ()) -> None:
    """Remove the results of an earlier run; other files, and `run.json`, stay.

    Args:
        folder: the run folder.
        listed: further results, as its record lists them.

    Raises:
        OSError: if one cannot be removed.
    """
    for name in listed:
        path = folder / name
        # A record that was tampered with must not reach beyond its folder.
        inside = path.resolve().is_relative_to(folder.resolve()) and name != RUN_FILE
        # A link itself is removed, not what it points to.
        if inside and (path.is_file() or path.is_symlink()):
            path.unlink()
    _remove(folder, _RESULT_PATTERNS)
    for name in _PICTURE_FOLDERS:
        _remove(folder / name, _PICTURE_PATTERNS)
        _remove_if_empty(folder / name)


def remove_working_files(folder: Path) -> None:
    """Remove what only an unfinished run needs, its checkpoint before all else.

    Raises:
        OSError: if one cannot be removed.
    """
    parts = folder / PARTS_FOLDER
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
