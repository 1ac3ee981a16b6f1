"""Outlines of all objects for labelling tools: COCO annotations and CVAT tracks."""

from __future__ import annotations

import json
from collections.abc import Iterator
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


def _area(polygon: NDArray[np.floating]) -> float:
    return float(cv2.contourArea(polygon.astype(np.float32)))


class CocoSink(LinesSink):
    """Writes `coco.json`: one image a frame, one annotation a visible object with its polygons.

    `track_id` is the object id; `file_name` is the frame's number, or the picture's name where
    the source is a folder; `area` is that of the mask in pixels, holes left out.

    Args:
        folder: the run folder.
        context: names the video and its frames.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, COCO_FILE, "coco.jsonl")
        self._context = context

    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return the image entry and the annotations of one frame."""
        height, width = result.image.shape[:2]
        image = {
            "id": int(result.index) + 1,
            "file_name": f"{self._context.mask_stem(result.index)}.jpg",
            "width": width,
            "height": height,
            "time": round(result.time, 6),
        }
        objects = [_annotation(item) for item in result.objects if item.visible]
        return {"image": image, "annotations": objects}

    def build(self, lines: LineLog, path: Path) -> None:
        """Write images, then annotations, with one frame in memory at a time."""
        with path.open("wb") as file:
            self._assemble(lines, file)

    def _assemble(self, lines: LineLog, file: BinaryIO) -> None:
        head = {
            "info": {"description": str(self._context.video_id)},
            "categories": [{"id": 1, "name": "object", "supercategory": ""}],
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


def _annotation(item: ObjectResult) -> dict[str, Any]:
    box = cv2.boundingRect(np.ascontiguousarray(item.mask).view(np.uint8))
    return {
        "track_id": item.object_id,
        "category_id": 1,
        "iscrowd": 0,
        "area": int(np.count_nonzero(item.mask)),
        "bbox": list(box),
        "score": round(float(item.score), 6),
        "segmentation": [polygon.ravel().tolist() for polygon in outlines(item.mask)],
    }


class CvatSink(LinesSink):
    """Writes `cvat.xml`: tracks of polygons, every frame a key frame, labels `object 1` and so on.

    A CVAT track has one polygon a frame. An object in several parts gets one track for its
    largest part, one for the second largest, and so on; all have the object's label.

    Args:
        folder: the run folder.
        context: names the video.
    """

    def __init__(self, folder: Path, context: SinkContext) -> None:
        super().__init__(folder, CVAT_FILE, "cvat.jsonl")
        self._name = str(context.video_id)

    def line(self, result: FrameResult) -> dict[str, Any]:
        """Return the outlines of one frame's objects."""
        objects = {
            str(item.object_id): [polygon.tolist() for polygon in outlines(item.mask)]
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
        for key in most:
            file.write(f"<label><name>object {key}</name><attributes></attributes></label>")
        file.write("</labels><original_size>")
        file.write(f"<width>{size[0]}</width><height>{size[1]}</height>")
        file.write("</original_size></task></meta>\n")
        tracks = [(key, part) for key, parts in most.items() for part in range(parts)]
        for number, (key, part) in enumerate(tracks):
            file.write(f'<track id="{number}" label="object {key}" source="auto">\n')
            for frame, outside, points in _track(lines, key, part):
                file.write(_polygon(frame, outside, points))
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


def _track(lines: LineLog, key: str, part: int) -> Iterator[tuple[int, bool, list[list[float]]]]:
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


def _polygon(frame: int, outside: bool, points: list[list[float]]) -> str:
    corners = ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return (
        f'<polygon frame="{frame}" outside="{outside:d}" occluded="0" keyframe="1" '
        f'z_order="0" points="{corners}"/>\n'
    )
