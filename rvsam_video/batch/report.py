"""`batch.json` and `batch.csv`: how each clip of a batch stands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from rvsam_video.batch.claims import tries_of
from rvsam_video.batch.clips import ClipUnit, record_of
from rvsam_video.batch.loop import CLAIMS_FOLDER
from rvsam_video.writing import replacing

JSON_FILE, CSV_FILE = "batch.json", "batch.csv"

ClipStatus = Literal["complete", "failed", "killed", "interrupted", "running", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLine:
    """How one clip stands.

    Attributes:
        name: of its run folder.
        clip: what is read.
        status: `killed` has ended its worker; `waiting` was not begun.
        frames: tracked so far.
        fps: average speed, frames per second.
        low_scores: share of the masks whose score is below a half; None if nothing was tracked.
        error: why it failed.
    """

    name: str
    clip: str
    status: ClipStatus
    frames: int
    fps: float
    low_scores: float | None
    error: str | None


def line_of(unit: ClipUnit, place: Path) -> ClipLine:
    """Say how a clip stands.

    Args:
        unit: the clip.
        place: folder of the results.
    """
    record, tries = record_of(unit.options.out), tries_of(place / CLAIMS_FOLDER, unit.name)
    counts = {} if record is None else record.counts
    seconds = 0.0 if record is None else record.timings.get("total", 0.0)
    frames, masks = counts.get("frames", 0), counts.get("masks", 0)
    status: ClipStatus = "waiting" if record is None else record.status
    error = tries.error
    if status != "complete" and tries.count:
        status = "failed" if error is not None else "killed"
        error = error or f"it ended its worker {tries.count} times"
    return ClipLine(
        name=unit.name,
        clip=unit.options.source,
        status=status,
        frames=frames,
        fps=round(frames / seconds, 2) if seconds else 0.0,
        low_scores=round(counts.get("low_scores", 0) / masks, 4) if masks else None,
        error=None if status == "complete" else error,
    )


def save_batch(units: Sequence[ClipUnit], place: Path) -> list[ClipLine]:
    """Write how all clips stand, each file in one step; return the same.

    Args:
        units: all clips.
        place: folder of the results.

    Raises:
        OutputError: if they cannot be written.
    """
    lines = [line_of(unit, place) for unit in units]
    rows = [asdict(line) for line in lines]
    with replacing(place / JSON_FILE) as temporary:
        temporary.write_text(json.dumps({"clips": rows}, indent=2) + "\n", encoding="utf-8")
    table = io.StringIO()
    writer = csv.DictWriter(table, [item.name for item in fields(ClipLine)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(place / CSV_FILE) as temporary:
        temporary.write_text(table.getvalue(), encoding="utf-8")
    return lines
