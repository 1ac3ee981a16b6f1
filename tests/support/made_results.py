"""Results of a made-up run: every kind of object and point that a sink can meet."""

from __future__ import annotations

import numpy as np

from rvsam_video.results import FrameResult, ObjectResult, PointState, PointTable

SIZE = (61, 43)
"""Odd on purpose: width, height."""


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius * abs(radius)


def make_picture(index: int, size: tuple[int, int]) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    waves = [np.sin((columns + 2 * index) / (5 + c)) + np.cos(rows / (4 + c)) for c in range(3)]
    return ((np.stack(waves, axis=-1) + 2) * 63).astype(np.uint8)


def make_points(index: int, size: tuple[int, int]) -> PointTable:
    states = [PointState.VISIBLE, PointState.HIDDEN, PointState.OUTSIDE, PointState.VISIBLE]
    xy = [(10 + index % 20, 20), (12, 22.25), (-40, 7), (size[0] - 6, 5.5)]
    return PointTable(
        ids=np.array([0, 1, 2, 7], np.int64),
        object_ids=np.array([1, 1, 2, 2], np.int64),
        labels=np.array([1, 1, 1, 0], np.int8),
        xy=np.array(xy, np.float32),
        confidence=np.array([0.9, 0.4, 0.1, 1.0], np.float32),
        states=np.array(states, np.int8),
    )


def make_result(index: int, size: tuple[int, int] = SIZE, time: float | None = None) -> FrameResult:
    """Object 1 always lives and is hidden in every 7th frame; 2 starts at 5; 9 lives to 12."""
    masks = {1: disc(size, 12 + index % 20, 20, 8 if index % 7 else -1)}
    if index >= 5:
        masks[2] = disc(size, 45, 25, 6) & ~masks[1]
    if index <= 12:
        masks[9] = disc(size, 30, 35, 5) & ~masks[1]
    objects = tuple(
        ObjectResult(key, mask, 0.5 + key / 100 + index / 1000)
        for key, mask in sorted(masks.items())
    )
    when = index / 25 if time is None else time
    return FrameResult(index, when, make_picture(index, size), objects, make_points(index, size))
