"""Outlines of all objects as COCO annotations, which most labelling tools import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from rvsam_video.io.contours import outlines
from rvsam_video.io.layout import COCO_FILE
from rvsam_video.io.line_log import LineLog, LinesSink
from rvsam_video.io.sinks import SinkContext
from rvsam_video.results import FrameResult, ObjectResult


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
        file.write(json.dumps(head)[:-1].encode() + b', "images": [')
        for place, record in enumerate(lines.read()):
            file.write((",\n" if place else "\n").encode() + json.dumps(record["image"]).encode())
        file.write(b'\n], "annotations": [')
        count = 0
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
