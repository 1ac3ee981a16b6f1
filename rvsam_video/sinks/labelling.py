"""Outlines of all objects for labelling tools: COCO annotations and CVAT tracks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO, TextIO
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.results import FrameResult, ObjectResult
from rvsam_video.sinks.base import SinkContext
from rvsam_video.sinks.line_log import LineLog, LinesSink
from rvsam_video.sinks.names import COCO_FILE, CVAT_FILE

Polygon = NDArray[np.float32]
"""(V, 2) float32, V >= 4: corners x, y in pixels from the picture's upper left corner, so that the
centre of the first pixel is at (0.5, 0.5)."""


def outlines(mask: NDArray[np.bool_]) -> list[Polygon]:
    """Return the outer outline of each connected part of a mask, the largest part first.

    Polygons have no holes: those of the mask are filled. Drawn by pycocotools they give the
    pixels of the mask with its holes filled, exactly.

    Args:
        mask: (H, W) bool.
    """
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask).view(np.uint8))
    if width == 0:
        return []
    inside = mask[y : y + height, x : x + width].astype(np.uint8)
    # OpenCV's contours run through the centres of pixels. Each pixel made four, they run a quarter
    # of a pixel inside the true edge, close enough for every pixel to fall on its own side.
    doubled = inside.repeat(2, axis=0).repeat(2, axis=1)
    # Outer ones only: neither COCO's polygons nor CVAT's have holes.
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # From centres of half pixels to pixels counted from the picture's corner.
    polygons = [(contour[:, 0].astype(np.float32) + 0.5) / 2 + (x, y) for contour in contours]
    polygons.sort(key=_area, reverse=True)
    return [np.asarray(polygon, np.float32) for polygon in polygons]


OUTLINE_TOLERANCE = 1.0
"""Most pixels that outlines in `cvat.xml` may lie off the exact ones: takes the steps of pixels
out of slanted edges, and leaves one corner of ten to thirty."""

_SHARE = 1 / 50
"""Of the side of a square as large as the part: a pixel is much for what is ten pixels wide."""


def simplified(polygon: Polygon) -> Polygon:
    """Return an outline with fewer corners, at most `OUTLINE_TOLERANCE` from the given one.

    Args:
        polygon: from `outlines`.
    """
    allowed = min(OUTLINE_TOLERANCE, _SHARE * math.sqrt(_area(polygon)))
    reduced = cv2.approxPolyDP(polygon, allowed, closed=True)[:, 0]
    # Of a line of pixels two corners are left, which no tool takes for an area.
    return np.asarray(reduced, np.float32) if len(reduced) > 2 else polygon


def _area(polygon: NDArray[np.floating]) -> float:
    return float(cv2.contourArea(polygon.astype(np.float32)))


_UNNAMED = "object"


class CocoSink(LinesSink):
    """Writes `coco.json`: one image a frame, one annotation a visible object with its polygons.

    `track_id` is the object id; `file_name` is the picture's name where the source is a folder of
    pictures, else the name that the output `frames` gives the frame; `area` is that of the mask in
    pixels, holes left out. Categories are the names of the objects, `object` for those without.

    Args:
        folder: the run folder.
        context: names the video and its frames.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, COCO_FILE, "coco.jsonl")
        self._context = context
        # In the order of the objects; the same name is the same category.
        names = list(dict.fromkeys(context.names.values()))
        self._categories = {name: number for number, name in enumerate([*names, _UNNAMED], 1)}

    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return the image entry and the annotations of one frame."""
        height, width = result.image.shape[:2]
        image = {
            "id": int(result.index) + 1,
            "file_name": self._context.picture_name(result.index),
            "width": width,
            "height": height,
            "time": round(result.time, 6),
        }
        objects = [self._annotation(item) for item in result.objects if item.visible]
        return {"image": image, "annotations": objects}

    def build(self, lines: LineLog, path: Path) -> None:
        """Write images, then annotations, with one frame in memory at a time."""
        with path.open("wb") as file:
            self._assemble(lines, file)

    def _assemble(self, lines: LineLog, file: BinaryIO) -> None:
        used = {item["category_id"] for record in lines.read() for item in record["annotations"]}
        head = {
            "info": {"description": str(self._context.video_id)},
            "categories": [
                {"id": number, "name": name, "supercategory": ""}
                for name, number in self._categories.items()
                # No tool should offer a category that nothing has, beside those that were named.
                if number in used or name != _UNNAMED or len(self._categories) == 1
            ],
        }
        # The object is left open: images and annotations are written one by one behind it.
        file.write(json.dumps(head)[:-1].encode() + b', "images": [')
        for place, record in enumerate(lines.read()):
            file.write((",\n" if place else "\n").encode() + json.dumps(record["image"]).encode())
        file.write(b'\n], "annotations": [')
        count = 0
        # A second reading instead of a list: memory does not grow with the video.
        for record in lines.read():
            for item in record["annotations"]:
                count += 1
                entry = {"id": count, "image_id": record["image"]["id"], **item}
                file.write((",\n" if count > 1 else "\n").encode() + json.dumps(entry).encode())
        file.write(b"\n]}\n")

    def _annotation(self, item: ObjectResult) -> dict[str, Any]:
        box = cv2.boundingRect(np.ascontiguousarray(item.mask).view(np.uint8))
        return {
            "track_id": item.object_id,
            "category_id": self._categories[self._context.names.get(item.object_id, _UNNAMED)],
            "iscrowd": 0,
            "area": int(np.count_nonzero(item.mask)),
            "bbox": list(box),
            "score": round(float(item.score), 6),
            "segmentation": [polygon.ravel().tolist() for polygon in outlines(item.mask)],
        }


class CvatSink(LinesSink):
    """Writes `cvat.xml`: tracks of polygons, labelled by their names or `object 1` and so on.

    Outlines are simplified to within `OUTLINE_TOLERANCE`. A frame is a key frame unless its outline
    and both neighbours' are the same. A CVAT track has one polygon a frame. An object in several
    parts gets one track for its largest part, one for the second largest, and so on; all have its
    label.

    Args:
        folder: the run folder.
        context: names the video.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, CVAT_FILE, "cvat.jsonl")
        self._name, self._called = str(context.video_id), context.called

    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return the outlines of one frame's objects."""
        objects = {
            str(item.object_id): [simplified(part).tolist() for part in outlines(item.mask)]
            for item in result.objects
        }
        height, width = result.image.shape[:2]
        return {"frame": int(result.index), "size": [width, height], "objects": objects}

    def build(self, lines: LineLog, path: Path) -> None:
        """Write one track after the other."""
        with path.open("w", encoding="utf-8") as file:
            self._assemble(lines, file)

    def _assemble(self, lines: LineLog, file: TextIO) -> None:
        most, frames, size = _extent(lines)
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("<version>1.1</version>\n<meta><task>")
        # Quoted as an attribute, which covers text as well; the quotes themselves are cut off.
        file.write(f"<name>{quoteattr(self._name)[1:-1]}</name><size>{frames}</size>")
        file.write("<mode>interpolation</mode><labels>")
        # Once each: objects may have the same name.
        for name in dict.fromkeys(self._called(int(key)) for key in most):
            text = quoteattr(name)[1:-1]
            file.write(f"<label><name>{text}</name><attributes></attributes></label>")
        file.write("</labels><original_size>")
        file.write(f"<width>{size[0]}</width><height>{size[1]}</height>")
        file.write("</original_size></task></meta>\n")
        tracks = [(key, part) for key, parts in most.items() for part in range(parts)]
        for number, (key, part) in enumerate(tracks):
            label = quoteattr(self._called(int(key)))
            file.write(f'<track id="{number}" label={label} source="auto">\n')
            for frame, outside, points, key_frame in _with_keys(_track(lines, key, part)):
                file.write(_polygon(frame, outside, points, key_frame))
            file.write("</track>\n")
        file.write("</annotations>\n")


def _extent(lines: LineLog) -> tuple[dict[str, int], int, list[int]]:
    """Return the most parts that each object has in a frame, the frames, and their size."""
    most: dict[str, int] = {}
    frames, size = 0, [0, 0]
    for record in lines.read():
        frames, size = record["frame"] + 1, record["size"]
        for key, parts in record["objects"].items():
            most[key] = max(most.get(key, 0), len(parts))
    # As numbers: as text 10 would stand before 2.
    return {key: most[key] for key in sorted(most, key=int)}, frames, size


_Corners = list[list[float]]
_Shape = tuple[int, bool, _Corners]


def _with_keys(shapes: Iterable[_Shape]) -> Iterator[tuple[int, bool, _Corners, bool]]:
    """Say of each shape of a track whether it is a key frame.

    Tools interpolate between key frames, so a shape may only be left to them where the key frames
    on both sides are the same.
    """
    before: _Shape | None = None
    for shape, behind in pairwise(chain(shapes, [None])):
        if shape is None:
            return
        same = all(
            other is not None and other[1:] == shape[1:] and abs(other[0] - shape[0]) == 1
            for other in (before, behind)
        )
        yield (*shape, not same)
        before = shape


def _track(lines: LineLog, key: str, part: int) -> Iterator[_Shape]:
    """Yield frame, whether the track ends there, and its polygon (the last one at an end)."""
    last: list[list[float]] | None = None
    for record in lines.read():
        parts: Any = record["objects"].get(key, [])
        if part < len(parts):
            last = parts[part]
            yield record["frame"], False, last
        # CVAT interpolates to the next key frame, so an end has to be said, with some polygon.
        elif last is not None:
            yield record["frame"], True, last
            last = None


def _polygon(frame: int, outside: bool, points: _Corners, key_frame: bool) -> str:
    corners = ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return (
        f'<polygon frame="{frame}" outside="{outside:d}" occluded="0" keyframe="{key_frame:d}" '
        f'z_order="0" points="{corners}"/>\n'
    )
