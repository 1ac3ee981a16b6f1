"""A run at a glance: a contact sheet of its frames, and area and score of its objects over time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from rvsam_video.frame import Image
from rvsam_video.results import LOOK_BELOW, FrameResult
from rvsam_video.sinks.base import Mark, SinkContext
from rvsam_video.sinks.contact_sheet import contact_sheet, small_jpeg
from rvsam_video.sinks.drawing import shared_overlay
from rvsam_video.sinks.line_log import LineLog
from rvsam_video.sinks.names import CONTACT_SHEET_FILE, PARTS_FOLDER, PLOT_FILE
from rvsam_video.sinks.plots import PLOT_COLUMNS, Timeline, draw_timelines
from rvsam_video.writing import AppendFile, replacing

_TILES = 12
_TILE_WIDTH = 320
_DENSE = 64
"""Frames kept for the sheet at each doubling of the video's length: of the first 128 every one, of
the next 128 every second, of the next 256 every fourth, and so on."""
_JPEG_QUALITY = 92


class SummarySink:
    """Writes `contact_sheet.png` and `plots.png` when the run ends.

    Args:
        folder: the run folder.
        _context: they need nothing of it.
    """

    def __init__(self, folder: Path, _context: SinkContext) -> None:
        self._folder = folder
        self._lines = LineLog(folder, "summary.jsonl")
        self._pictures = AppendFile(folder / PARTS_FOLDER / "thumbnails.jpg")
        self._place = 0

    def start(self, mark: Mark | None) -> None:
        """Open both files, cut back to the mark."""
        self._lines.start(mark)
        self._pictures.open(mark["pictures"] if mark is not None else 0)
        self._place = mark["place"] if mark is not None else 0

    def write(self, result: FrameResult) -> None:
        """Keep the numbers of a frame, and maybe a small picture."""
        area = result.image.shape[0] * result.image.shape[1]
        record: dict[str, Any] = {
            "frame": int(result.index),
            "time": result.time,
            "objects": {
                str(item.object_id): [int(item.mask.sum()) / area, float(item.score)]
                for item in result.objects
            },
        }
        if _is_kept(self._place):
            data = small_jpeg(shared_overlay(result), _TILE_WIDTH, _JPEG_QUALITY)
            # Where it will stand: the line is written after it, but must say so.
            record["picture"] = [self._pictures.size, len(data)]
            self._pictures.write(data)
        self._lines.add(record)
        self._place += 1

    def commit(self) -> Mark:
        """Wait for the disk to have both files."""
        return {
            **self._lines.commit(),
            "pictures": self._pictures.sync(),
            "place": self._place,
        }

    def finish(self, complete: bool) -> list[Path]:
        """Draw both pictures from what was kept; none if there was no frame."""
        del complete
        self._pictures.flush()
        self._lines.end()
        self.close()
        if self._place == 0:
            return []
        return [
            _save(self._folder / CONTACT_SHEET_FILE, self._sheet()),
            _save(self._folder / PLOT_FILE, self._plots()),
        ]

    def _sheet(self) -> Image:
        numbered = enumerate(self._lines.read())
        kept = {place: record for place, record in numbered if "picture" in record}
        places = np.array(list(kept))
        # Evenly spaced over the video, each moved to the nearest picture that was kept.
        wanted = np.linspace(0, self._place - 1, _TILES)
        nearest = np.abs(places[None] - wanted[:, None]).argmin(axis=1)
        # Short videos have fewer pictures than tiles; none is shown twice.
        chosen = [kept[int(place)] for place in np.unique(places[nearest])]
        captions = [_caption(record) for record in chosen]
        return contact_sheet(list(self._thumbnails(chosen)), captions)

    def _thumbnails(self, records: list[dict[str, Any]]) -> Iterator[Image]:
        with self._pictures.path.open("rb") as file:
            for record in records:
                offset, size = record["picture"]
                file.seek(offset)
                picture = cv2.imdecode(np.frombuffer(file.read(size), np.uint8), cv2.IMREAD_COLOR)
                yield np.asarray(cv2.cvtColor(np.asarray(picture), cv2.COLOR_BGR2RGB), np.uint8)

    def _plots(self) -> Image:
        columns = min(PLOT_COLUMNS, self._place)
        sums: dict[int, NDArray[np.float64]] = {}
        first = last = 0.0
        for place, record in enumerate(self._lines.read()):
            first, last = (record["time"] if place == 0 else first), record["time"]
            # Means over the frames of a column: a long video has many in one.
            column = place * columns // self._place
            for key, (area, score) in record["objects"].items():
                entry = sums.setdefault(int(key), np.zeros((columns, 3)))
                entry[column] += (area, score, 1)
        objects = {key: _timeline(sums[key]) for key in sorted(sums)}
        return draw_timelines(objects, (first, last))

    def close(self) -> None:
        """Close both files."""
        self._lines.close()
        self._pictures.close()


def _caption(record: dict[str, Any]) -> str:
    text = f"frame {record['frame']}  {record['time']:.2f} s"
    lowest = min((score for _, score in record["objects"].values()), default=1.0)
    # Of all pictures, people should see at once which ones may be wrong.
    return f"{text}  LOOK: score {lowest:.2f}" if lowest < LOOK_BELOW else text


def _is_kept(place: int) -> bool:
    return place % (1 << max(0, (place // _DENSE).bit_length() - 1)) == 0


def _timeline(sums: NDArray[np.float64]) -> Timeline:
    """Turn sums of area, score and frames per column into means, NaN without frames."""
    count = np.where(sums[:, 2] > 0, sums[:, 2], np.nan)
    return Timeline(sums[:, 0] / count, sums[:, 1] / count)


def _save(path: Path, picture: Image) -> Path:
    with replacing(path) as temporary:
        PillowImage.fromarray(picture).save(temporary, format="PNG")
    return path
