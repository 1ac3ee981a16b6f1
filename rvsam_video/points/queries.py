"""Which points to follow when points alone are tracked: a grid, points, or a grid in masks."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rvsam_video.errors import PromptError
from rvsam_video.json_values import Json
from rvsam_video.prompts.as_json import prompts_to_json
from rvsam_video.prompts.prompt import Prompt, check_against_frame
from rvsam_video.trackers.base import QueryPoints

NO_OBJECT = 0
"""Object id of points that were not given for an object."""

DEFAULT_GRID = 20
"""Points on each side: 400 in all, enough to see what moves, and quick to follow."""

Places = NDArray[np.float32]


def grid_points(
    count: int, frame_size: tuple[int, int], region: NDArray[np.bool_] | None = None
) -> Places:
    """Return the centres of count x count equal cells of a picture, row by row.

    Args:
        count: cells on each side.
        frame_size: (width, height) in pixels.
        region: (H, W) bool, keep only the centres inside it; None keeps all.

    Returns:
        (N, 2) float32, x then y in pixels.
    """
    x, y = (side * (np.arange(count) + 0.5) / count - 0.5 for side in frame_size)
    places = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)
    if region is None:
        return places
    columns, rows = np.rint(places).astype(np.int64).T
    return np.asarray(places[region[rows, columns]])


def query_points(queries: ArrayLike, frame_size: tuple[int, int]) -> QueryPoints:
    """Return the points of an array, numbered by row.

    Args:
        queries: (N, 3) frame, x, y, or (N, 2) x, y in frame 0; pixels.
        frame_size: (width, height) of the frames.

    Raises:
        PromptError: if the array has another shape, or a point lies outside the frames.
    """
    table = np.asarray(queries, np.float64)
    if table.ndim != 2 or table.shape[1] not in {2, 3} or not len(table):
        msg = f"queries have shape {table.shape}; give (N, 3) frame, x, y, or (N, 2) x, y"
        raise PromptError(msg)
    frames = table[:, 0] if table.shape[1] == 3 else np.zeros(len(table))
    if not (np.isfinite(table).all() and (frames >= 0).all() and (frames % 1 == 0).all()):
        msg = "queries hold frames or places that are no numbers; frames are 0, 1, 2 and so on"
        raise PromptError(msg)
    check_against_frame(Prompt.create(points=table[:, -2:]), frame_size)
    return _numbered(frames.astype(np.int64), table[:, -2:].astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRequest:
    """Which points to follow.

    Attributes:
        prompts: their points are followed, whatever their labels; a mask or box is a region for
            the grid. None of them stands for the whole picture.
        grid: points on each side of the grid; None takes `DEFAULT_GRID` where there is a region,
            or no prompt at all.
        query_frame: index of the frame that the grid over the whole picture starts in.
    """

    prompts: Sequence[Prompt] = ()
    grid: int | None = None
    query_frame: int = 0

    def points(self, frame_size: tuple[int, int]) -> tuple[QueryPoints, NDArray[np.int64]]:
        """Return the points, and (N,) the object that each belongs to or `NO_OBJECT`.

        Raises:
            PromptError: if a prompt does not fit the frames, or there is no point to follow.
        """
        parts: list[tuple[int, int, Places]] = []
        regions = 0
        for prompt in self.prompts:
            fitted = check_against_frame(prompt, frame_size)
            parts.append((prompt.object_id, prompt.frame, fitted.points))
            region = _region(fitted, frame_size)
            if region is not None:
                regions += 1
                places = grid_points(self.grid or DEFAULT_GRID, frame_size, region)
                parts.append((prompt.object_id, prompt.frame, places))
        count = self.grid or (0 if self.prompts else DEFAULT_GRID)
        if count and not regions:
            parts.append((NO_OBJECT, self.query_frame, grid_points(count, frame_size)))
        return _joined(parts)

    def __str__(self) -> str:
        """Say in a few words what is followed."""
        count = sum(len(prompt.points) for prompt in self.prompts)
        regions = sum(item.mask is not None or item.box is not None for item in self.prompts)
        parts = [f"{count} point{'s' * (count > 1)}"] if count else []
        if self.grid or regions or not self.prompts:
            side = self.grid or DEFAULT_GRID
            inside = f" inside {regions} region{'s' * (regions > 1)}" if regions else ""
            parts.append(f"a grid of {side}x{side} points{inside}")
        return " and ".join(parts)

    def to_json(self) -> dict[str, Json]:
        """Return the request for `run.json`."""
        return {
            "prompts": prompts_to_json(list(self.prompts)),
            "grid": self.grid,
            "query_frame": self.query_frame,
        }


def _region(prompt: Prompt, frame_size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return the (H, W) region of a mask or a box."""
    if prompt.mask is not None:
        return prompt.mask
    if prompt.box is None:
        return None
    x0, y0, x1, y1 = prompt.box
    width, height = frame_size
    x, y = np.arange(width), np.arange(height)[:, None]
    return cast(NDArray[np.bool_], (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))


def _joined(parts: Sequence[tuple[int, int, Places]]) -> tuple[QueryPoints, NDArray[np.int64]]:
    sizes = [len(places) for _, _, places in parts]
    if not sum(sizes):
        msg = "no point of the grid lies inside what was given; use a finer one with --grid"
        raise PromptError(msg)
    frames = np.repeat([frame for _, frame, _ in parts], sizes).astype(np.int64)
    objects = np.repeat([number for number, _, _ in parts], sizes).astype(np.int64)
    return _numbered(frames, np.concatenate([places for _, _, places in parts])), objects


def _numbered(frames: NDArray[np.int64], xy: NDArray[np.float32]) -> QueryPoints:
    return QueryPoints(np.arange(len(xy), dtype=np.int64), frames, xy.astype(np.float32))


def read_point_table(text: str, place: str, query_frame: int = 0) -> list[Prompt]:
    """Read points from CSV text whose header names the columns x, y and maybe frame.

    Args:
        text: the table; other columns are ignored, and so is the case of names.
        place: what to call it in messages.
        query_frame: frame of the points if there is no such column.

    Returns:
        one prompt per run of rows with the same frame.

    Raises:
        PromptError: naming the line that is not understood.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    # Spreadsheets of half the world separate by semicolons.
    rows = csv.DictReader(lines, delimiter=_separator(lines[0] if lines else ""))
    if rows.fieldnames is not None:
        rows.fieldnames = [name.strip().lower() for name in rows.fieldnames]
    if rows.fieldnames is None or not {"x", "y"} <= set(rows.fieldnames):
        msg = f"{place} has no columns x and y; its first line must name them: frame,x,y or x,y"
        raise PromptError(msg)
    points = []
    for row in rows:
        try:
            points.append((int(row.get("frame") or query_frame), float(row["x"]), float(row["y"])))
        except (TypeError, ValueError) as error:
            msg = f"{place} line {rows.line_num} is not understood ({error}); write numbers"
            raise PromptError(msg) from error
    if not points:
        msg = f"{place} holds no points"
        raise PromptError(msg)
    runs = groupby(points, key=itemgetter(0))
    return [Prompt.create(frame=frame, points=[point[1:] for point in run]) for frame, run in runs]


def _separator(header: str) -> str:
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")
