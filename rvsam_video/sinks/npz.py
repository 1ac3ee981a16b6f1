"""Masks, scores and times as NumPy arrays in one file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.results import FrameResult
from rvsam_video.sinks.base import SinkContext
from rvsam_video.sinks.line_log import LineLog, LinesSink
from rvsam_video.sinks.names import NPZ_FILE


class NpzSink(LinesSink):
    """Writes `masks.npz`, for `numpy.load`.

    `frames` (T,) int64 and `times` (T,) float64 in seconds; `object_ids` (K,) int64; `object_names`
    (K,) text, `object 1` and so on where none was given; `scores`
    (T, K) float32, NaN where an object does not live; `masks` (T, K, H, W) uint8, 1 on the object.
    The file is compressed, and built without ever holding more than one frame.

    Args:
        folder: the run folder.
        context: has the names of the objects.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, NPZ_FILE, "npz.jsonl")
        self._called = context.called

    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return the masks of one frame as run lengths, with their scores."""
        objects = {
            str(item.object_id): [float(item.score), encode_mask(item.mask)]
            for item in result.objects
        }
        size = list(result.image.shape[:2])
        return {"frame": int(result.index), "time": result.time, "size": size, "objects": objects}

    def build(self, lines: LineLog, path: Path) -> None:
        """Write the arrays one after the other, the masks frame by frame."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            _assemble(lines, archive, self._called)


@dataclass(frozen=True, slots=True)
class _Head:
    """What is small of a line."""

    frame: int
    time: float
    size: tuple[int, int]
    scores: dict[str, float]

    @classmethod
    def of(cls, record: dict[str, Any]) -> _Head:
        height, width = record["size"]
        scores = {key: score for key, (score, _) in record["objects"].items()}
        return cls(record["frame"], record["time"], (height, width), scores)


def _assemble(lines: LineLog, archive: zipfile.ZipFile, called: Callable[[int], str]) -> None:
    heads = [_Head.of(record) for record in lines.read()]
    # Known only at the end: objects may join in any frame.
    keys = sorted({key for head in heads for key in head.scores}, key=int)
    _add(archive, "frames", np.array([head.frame for head in heads], np.int64))
    _add(archive, "times", np.array([head.time for head in heads], np.float64))
    _add(archive, "object_ids", np.array(keys, np.int64))
    # With a type of its own: an empty list of texts would be one of numbers.
    _add(archive, "object_names", np.array([called(int(key)) for key in keys], np.str_))
    scores = [[head.scores.get(key, np.nan) for key in keys] for head in heads]
    _add(archive, "scores", np.array(scores, np.float32).reshape(len(heads), len(keys)))
    height, width = heads[0].size if heads else (0, 0)
    shape = (len(heads), len(keys), height, width)
    with _member(archive, "masks") as file:
        # Header and rows by hand: numpy.savez would want all masks in memory at once.
        npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for masks in _masks(lines, keys):
            file.write(masks.tobytes())


def _masks(lines: LineLog, keys: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    """Yield (K, H, W) uint8 for each frame."""
    for record in lines.read():
        height, width = record["size"]
        masks = np.zeros((len(keys), height, width), np.uint8)
        for row, key in enumerate(keys):
            if key in record["objects"]:
                masks[row] = decode_mask(record["objects"][key][1], height, width)
        yield masks


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    # A fixed date: the same run gives the same bytes.
    info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    # The size is not known when the member begins; without this 2 GiB would be the end.
    return archive.open(info, "w", force_zip64=True)


def _add(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with _member(archive, name) as file:
        npy.write_array(file, array, allow_pickle=False)
