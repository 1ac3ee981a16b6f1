"""Outlines of all objects as tracks in the format "CVAT for video 1.1"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO
from xml.sax.saxutils import quoteattr

from rvsam_video.io.contours import outlines
from rvsam_video.io.layout import CVAT_FILE
from rvsam_video.io.line_log import LineLog, LinesSink
from rvsam_video.io.sinks import SinkContext
from rvsam_video.results import FrameResult


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
    return {key: most[key] for key in sorted(most, key=int)}, frames, size


def _track(lines: LineLog, key: str, part: int) -> Iterator[tuple[int, bool, list[list[float]]]]:
    """Yield frame, whether the track ends there, and its polygon (the last one at an end)."""
    last: list[list[float]] | None = None
    for record in lines.read():
        parts: Any = record["objects"].get(key, [])
        if part < len(parts):
            last = parts[part]
            yield record["frame"], False, last
        elif last is not None:
            yield record["frame"], True, last
            last = None


def _polygon(frame: int, outside: bool, points: list[list[float]]) -> str:
    corners = ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return (
        f'<polygon frame="{frame}" outside="{outside:d}" occluded="0" keyframe="1" '
        f'z_order="0" points="{corners}"/>\n'
    )
