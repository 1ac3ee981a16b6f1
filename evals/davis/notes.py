"""Notes on sequences that are done, for an evaluation whose first process was killed meanwhile."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from ...runs.pictures import as_ranges
from ...sinks.names import DONE_NOTE, MASK_FOLDER, PARTS_FOLDER
from ...writing import replacing


def write_note(out: Path, name: str, seconds: float, masks: Sequence[str]) -> None:
    """Note that a sequence is done, durably.

    Args:
        out: folder of the evaluation.
        name: of the sequence.
        seconds: that it took.
        masks: file names.

    Raises:
        OutputError: if it cannot be written.
    """
    content = {"seconds": seconds, "pictures": {f"{MASK_FOLDER}/{name}": as_ranges(masks)}}
    with replacing(_place(out, name)) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def read_note(out: Path, name: str) -> float | None:
    """Return the seconds that a sequence took; None if there is no note on it."""
    try:
        seconds = json.loads(_place(out, name).read_text(encoding="utf-8"))["seconds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = isinstance(seconds, int | float) and math.isfinite(seconds)
    return float(seconds) if known else None


def _place(out: Path, name: str) -> Path:
    return out / PARTS_FOLDER / DONE_NOTE.replace("*", name)
