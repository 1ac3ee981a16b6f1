"""The names inside a run folder: all that this package may ever write or remove there."""

from __future__ import annotations

from pathlib import Path

RUN_FILE = "run.json"
LOCK_FILE = ".lock"
PARTS_FOLDER = ".parts"
"""Working files of a run that is not complete; removed when it is."""
CHECKPOINT_FILE = "checkpoint.npz"

PROMPTS_FILE = "prompts.json"
"""What was followed, to be replayed with `--points`."""

MASK_FOLDER = "masks"
OVERLAY_FILE = "overlay.mp4"
RLE_FILE = "results.json"
POINTS_FILE = "points.csv"
ARRAYS_FILE = "points.npz"

_RESULT_PATTERNS = (PROMPTS_FILE, OVERLAY_FILE, RLE_FILE, POINTS_FILE, ARRAYS_FILE)
_MASK_PATTERNS = ("*.png",)
_WORKING_PATTERNS = (CHECKPOINT_FILE, "overlay.*", "overlay-held-*.yuv", "rle*", "points.rows")


def temporary_name(name: str) -> str:
    """Return what a file, or pattern of files, is called until it is whole."""
    return f".{name}.tmp"


def remove_results(folder: Path) -> None:
    """Remove the results of an earlier run; other files, and `run.json`, stay.

    Raises:
        OSError: if one cannot be removed.
    """
    _remove(folder, _RESULT_PATTERNS)
    _remove(folder / MASK_FOLDER, _MASK_PATTERNS)
    _remove_if_empty(folder / MASK_FOLDER)


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
        for path in [*folder.glob(pattern), *folder.glob(temporary_name(pattern))]:
            path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
