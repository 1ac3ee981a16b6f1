"""How long things take: `Latencies` of results after their frames, and `Timings` of parts."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_SHORTEST = 0.001
_RATIO = 1.02
"""Between neighbouring classes: what is read off is within 2 % of the truth."""
_CLASSES = 700
"""1 ms times 1.02 to the 700th is more than 1000 s."""


class Latencies:
    """A histogram of seconds whose memory does not grow."""

    def __init__(self) -> None:
        self._counts = np.zeros(_CLASSES, np.int64)
        self.worst = 0.0

    @property
    def count(self) -> int:
        """How many were added."""
        return int(self._counts.sum())

    def add(self, seconds: float) -> None:
        """Add one latency."""
        # Logarithmic classes: the error is a share of the latency, for milliseconds as for minutes.
        place = math.log(max(seconds, _SHORTEST) / _SHORTEST, _RATIO)
        self._counts[min(round(place), _CLASSES - 1)] += 1
        self.worst = max(self.worst, seconds)

    def quantile(self, share: float) -> float:
        """Return the seconds that this share of all stays below, within 2 %; 0 if there are none.

        Args:
            share: 0 to 1; 0.5 is the median.
        """
        if not self.count:
            return 0.0
        place = int(np.searchsorted(np.cumsum(self._counts), share * self.count))
        # A class's middle may lie above the slowest of those in it.
        return min(_SHORTEST * _RATIO**place, self.worst)

    def to_dict(self) -> dict[str, float]:
        """Return median, 95 % and worst in seconds, for `run.json`."""
        return {
            "latency_median": round(self.quantile(0.5), 4),
            "latency_p95": round(self.quantile(0.95), 4),
            "latency_worst": round(self.worst, 4),
        }

    def __str__(self) -> str:
        """Say it in a few words."""
        return (
            f"latency from frame to result: median {1000 * self.quantile(0.5):.0f} ms, "
            f"95 % under {1000 * self.quantile(0.95):.0f} ms, worst {1000 * self.worst:.0f} ms"
        )


class Timings:
    """Seconds by part of the work.

    Args:
        parts: their names.

    Attributes:
        seconds: by part, and in all as `total`.
    """

    def __init__(self, *parts: str) -> None:
        self.seconds = dict.fromkeys(("total", *parts), 0.0)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Add the time that the block takes to a part, and to the total."""
        began = time.perf_counter()
        yield
        spent = time.perf_counter() - began
        self.seconds[part] += spent
        self.seconds["total"] += spent
