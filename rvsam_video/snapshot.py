"""Helpers to keep nested state in one flat mapping of names to plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Frame

Arrays = Mapping[str, NDArray[np.generic]]
"""State as plain arrays: it can be saved without pickling, and continued to the last bit."""


def prefixed(name: str, arrays: Arrays) -> dict[str, NDArray[np.generic]]:
    """Put `name/` before every key."""
    return {f"{name}/{key}": value for key, value in arrays.items()}


def nested(name: str, arrays: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return the entries below `name/`, without that prefix."""
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in arrays.items() if key.startswith(start)}


def frames_to_arrays(frames: Sequence[Frame]) -> Arrays:
    """Return at least one frame of one size as arrays."""
    return {
        "index": np.array([frame.index for frame in frames], np.int64),
        "time": np.array([frame.time for frame in frames], np.float64),
        "image": np.stack([frame.image for frame in frames]),
    }


def frames_from_arrays(arrays: Arrays) -> list[Frame]:
    """Undo `frames_to_arrays`."""
    rows = zip(arrays["index"], arrays["time"], arrays["image"], strict=True)
    return [Frame(int(index), float(time), image) for index, time, image in rows]
