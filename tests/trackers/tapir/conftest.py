"""An engine with closed-form answers, which shows whatever a state may do wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rvsam_video.frame import Image
from rvsam_video.snapshot import Arrays
from rvsam_video.trackers.tapir.engine import Found, PointRows


class CountingEngine:
    """A point is where it was put, moved right by a pixel with every frame that it went through.

    What is remembered of it is that number of frames, and the sum of their brightness. Half of the
    frames hide all points whose place is left of the middle.
    """

    side = 256

    def __init__(self) -> None:
        self.encoded = 0
        self.batches: list[int] = []

    def encode(self, picture: Image) -> float:
        self.encoded += 1
        return float(picture.mean())

    def start(self, encoded: float, xy: np.ndarray) -> PointRows:
        assert np.isfinite(encoded)
        return PointRows(np.asarray(xy, np.float32).copy(), np.zeros((len(xy), 2), np.float32))

    def follow(self, encoded: float, rows: PointRows) -> Found:
        self.batches.append(len(rows))
        xy = rows.queries + rows.memory[:, :1] * np.float32([1, 0])
        rows.memory = rows.memory + np.float32([1, encoded])
        hidden = (xy[:, 0] < 128) & (int(encoded) % 2 == 0)
        logits = np.where(hidden, 3.0, -3.0)[:, None] * np.ones(2)
        return Found(xy.astype(np.float32), logits.astype(np.float32))

    def join(self, parts: Sequence[PointRows]) -> PointRows:
        return PointRows(
            np.concatenate([rows.queries for rows in parts]),
            np.concatenate([rows.memory for rows in parts]),
        )

    def take(self, rows: PointRows, chosen: np.ndarray) -> PointRows:
        return PointRows(rows.queries[chosen], rows.memory[chosen])

    def arrays(self, rows: PointRows) -> Arrays:
        return {"queries": rows.queries.copy(), "memory": rows.memory.copy()}

    def rows(self, arrays: Arrays) -> PointRows:
        return PointRows(np.array(arrays["queries"]), np.array(arrays["memory"]))


@pytest.fixture
def counting() -> Any:
    """The engine with closed-form answers."""
    return CountingEngine()
