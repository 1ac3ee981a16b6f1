"""`ScoreBook`: how sure the segmenter was of each object in each frame, for the timelines."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rvsam_video.results import ObjectResult
from rvsam_video.writing import replacing

UNKNOWN, HIDDEN, LOWEST = 0, 1, 2
"""Not tracked; tracked and not seen; seen with a score of 0. One more for each hundredth."""


class ScoreBook:
    """One byte for each object and frame.

    Args:
        path: where it is kept between two visits.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[int, NDArray[np.uint8]] = {}
        if path.is_file():
            self._load()

    def _load(self) -> None:
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                self._rows = {int(name): np.array(arrays[name], np.uint8) for name in arrays}
        # A damaged file costs colours of a timeline, nothing else; they come back with tracking.
        except Exception:
            self._rows = {}

    def put(self, frame: int, objects: Iterable[ObjectResult]) -> None:
        """Note the objects of one frame."""
        for item in objects:
            row = self._row(item.object_id, frame)
            score = LOWEST + round(100 * min(max(item.score, 0.0), 1.0))
            row[frame] = score if item.visible else HIDDEN

    def _row(self, key: int, frame: int) -> NDArray[np.uint8]:
        row = self._rows.setdefault(key, np.zeros(64, np.uint8))
        if frame >= len(row):
            # Doubled, so that a long video costs no copy a frame.
            longer = np.zeros(max(2 * len(row), frame + 1), np.uint8)
            longer[: len(row)] = row
            row = self._rows[key] = longer
        return row

    def forget(self, frame: int, keys: Iterable[int] | None = None) -> None:
        """Forget what was known from a frame on.

        Args:
            frame: the first to forget.
            keys: of these objects; None for all.
        """
        for key in list(self._rows) if keys is None else keys:
            if key in self._rows:
                self._rows[key][frame:] = UNKNOWN

    def save(self) -> None:
        """Write the file.

        Raises:
            OutputError: if it cannot be written.
        """
        rows = {str(key): row for key, row in self._rows.items()}
        # Not waited for: a power cut costs colours of a timeline.
        with replacing(self._path, durable=False) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **rows)  # type: ignore[arg-type]

    def to_json(self) -> dict[str, str]:
        """Return each object's bytes, as base64, without the unknown ones at the end."""
        return {
            str(key): base64.b64encode(np.trim_zeros(row, "b").tobytes()).decode("ascii")
            for key, row in self._rows.items()
        }
