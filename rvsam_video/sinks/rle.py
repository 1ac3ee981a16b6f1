"""Masks as run-length codes in one JSON file, in the result format of YouTube-VIS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rvsam_video.mask_rle import encode_mask
from rvsam_video.results import FrameResult, ObjectResult
from rvsam_video.sinks.base import SinkContext
from rvsam_video.sinks.line_log import LineLog, LinesSink
from rvsam_video.sinks.names import RLE_FILE

_CATEGORY = 1
"""One class for all: the objects were chosen by clicks, not by kind."""

_FRAMES_IN_MEMORY = 200
"""Frames of each object that are collected at a time when the file is built: bounds the memory."""


def coco_code(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the compressed COCO run-length code of a mask, fit for JSON.

    Args:
        mask: (H, W) bool.

    Returns:
        `size` as [H, W] and `counts` as text.
    """
    return {"size": list(mask.shape), "counts": encode_mask(mask)}


class RleSink(LinesSink):
    """Writes `results.json`: a list with one entry per object.

    An entry has `video_id`, `object_id`, `category_id` (always 1), `name` if the object has one,
    `score` (the mean over the frames where the object was looked for) and `segmentations`: for
    every frame of the video from 0 on a compressed run-length code, or null where there is none. As
    in the annotations of
    YouTube-VIS, null also stands for an object that is not visible: before it starts, after it was
    removed, while its mask is empty, and in frames that could not be read.

    While the run lasts, `.parts/rle.jsonl` takes one line per frame, so memory does not grow.

    Args:
        folder: the run folder.
        context: names the video.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, RLE_FILE, "rle.jsonl")
        self._video_id, self._names = context.video_id, context.names

    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return the masks of one frame as run lengths, with their scores."""
        objects = {str(item.object_id): _segment(item) for item in result.objects}
        return {"frame": int(result.index), "objects": objects}

    def build(self, lines: LineLog, path: Path) -> None:
        """Write one object after the other."""
        with _columns(lines) as columns, path.open("wb") as file:
            self._assemble(file, columns)

    def _assemble(self, file: BinaryIO, columns: Sequence[_Column]) -> None:
        file.write(b"[")
        for position, column in enumerate(columns):
            entry = {
                "video_id": self._video_id,
                "object_id": column.object_id,
                "category_id": _CATEGORY,
                "score": column.mean_score,
            }
            if column.object_id in self._names:
                entry["name"] = self._names[column.object_id]
            opening = json.dumps(entry)[:-1] + ', "segmentations": ['
            file.write((",\n" if position else "\n").encode() + opening.encode())
            with column.path.open("rb") as segmentations:
                # Already JSON, and as long as the video: copied, never read into memory.
                shutil.copyfileobj(segmentations, file)
            file.write(b"]}")
        file.write(b"\n]\n")


@contextmanager
def _columns(lines: LineLog) -> Iterator[list[_Column]]:
    """Turn lines per frame into one column of segmentations per object, by rising id."""
    columns: dict[int, _Column] = {}
    frames = 0
    try:
        for record in lines.read():
            frame = record["frame"]
            for name, segment in record["objects"].items():
                key = int(name)
                if key not in columns:
                    columns[key] = _Column(key, lines.folder)
                columns[key].add(frame, segment)
            frames = frame + 1
        for column in columns.values():
            column.pad(frames)
            column.spill()
        yield [columns[key] for key in sorted(columns)]
    finally:
        for column in columns.values():
            column.path.unlink(missing_ok=True)


def _segment(item: ObjectResult) -> dict[str, Any]:
    code = coco_code(item.mask) if item.visible else None
    # A score of an object that was not looked for means nothing, so no mean counts it.
    return {"score": float(item.score) if item.prompted else None, "rle": code}


class _Column:
    """The segmentations of one object, in a file of its own while `results.json` is built."""

    def __init__(self, object_id: int, folder: Path) -> None:
        self.object_id = object_id
        self.path = folder / f"rle-object-{object_id}.txt"
        # Emptied: a killed run may have left one.
        self.path.write_bytes(b"")
        self._pending: list[str] = []
        self._frames = 0
        self._prompted = 0
        self._score = 0.0

    @property
    def mean_score(self) -> float:
        """Mean over the frames in which the object was looked for; 0 if there was none."""
        return self._score / self._prompted if self._prompted else 0.0

    def add(self, frame: int, segment: dict[str, Any]) -> None:
        """Append the entry of a frame, and nulls for the frames left out before it."""
        self.pad(frame)
        self._append(json.dumps(segment["rle"]))
        if segment["score"] is not None:
            self._prompted += 1
            self._score += segment["score"]

    def pad(self, frames: int) -> None:
        """Append nulls until there are entries for so many frames."""
        # Entries are found by position, so frames that could not be read need one, too.
        while self._frames < frames:
            self._append("null")

    def _append(self, entry: str) -> None:
        self._pending.append(f", {entry}" if self._frames else entry)
        self._frames += 1
        if len(self._pending) == _FRAMES_IN_MEMORY:
            self.spill()

    def spill(self) -> None:
        """Move what was collected into the file."""
        # Opened for each block: with hundreds of objects, open files would run out.
        with self.path.open("a", encoding="ascii") as file:
            file.writelines(self._pending)
        self._pending.clear()
