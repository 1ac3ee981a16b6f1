"""Write the results of a benchmark of object tracks, video by video, such that a run can go on."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import UsageError
from ...sinks.names import PARTS_FOLDER, RLE_FILE
from ...writing import replacing, writing
from .scores import ONE_CATEGORY

_LOWEST = -sys.float_info.max
"""Stands for minus infinity, which JSON does not know; it sorts the same."""


class TrackResults:
    """The tracks of many videos, to become one `results.json` in the form of YouTube-VIS.

    Each video has a file of its own in `.parts` that appears as a whole when the video is done, so
    after an interruption, also by `kill -9`, only the video that was being tracked is done again.

    Args:
        folder: takes `results.json`; made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = folder / PARTS_FOLDER

    def has(self, video_id: int) -> bool:
        """Whether the tracks of this video are there."""
        return self._part(video_id).is_file()

    @contextmanager
    def video(self, video_id: int) -> Iterator[VideoTracks]:
        """Take the tracks of one video; they count only if the block ends without an error.

        Raises:
            OutputError: if they cannot be written.
        """
        with writing(self._parts):
            self._parts.mkdir(parents=True, exist_ok=True)
        # Under its name only when the block has ended well: that is what "done" means after a kill.
        with replacing(self._part(video_id)) as temporary, temporary.open("wb") as file:
            yield VideoTracks(video_id, file)

    def assemble(self, video_ids: Collection[int]) -> Path:
        """Put the tracks of these videos into `results.json`, in this order; return its path.

        The files of the videos stay, so that more can be added and all put together again.

        Raises:
            UsageError: if a video is not there.
            OutputError: if the file cannot be written.
        """
        missing = [key for key in video_ids if not self.has(key)]
        if missing:
            msg = f"the tracks of video {missing[0]} are not in {self._parts}; track it first"
            raise UsageError(msg)
        target = self._folder / RLE_FILE
        with replacing(target) as temporary, temporary.open("wb") as file:
            file.write(b"[")
            between = b"\n"
            # By the given order and not that of the folder, so that two runs give the same bytes.
            for key in video_ids:
                part = self._part(key)
                # A video in which nothing was found still counts as done.
                if part.stat().st_size:
                    file.write(between)
                    with part.open("rb") as tracks:
                        shutil.copyfileobj(tracks, file)
                    between = b",\n"
            file.write(b"\n]\n")
        return target

    def _part(self, video_id: int) -> Path:
        return self._parts / f"video-{int(video_id)}.json"


class VideoTracks:
    """The tracks of one video while they are written."""

    def __init__(self, video_id: int, file: BinaryIO) -> None:
        self._video_id, self._file = int(video_id), file
        self._count = 0

    def add(
        self,
        segmentations: Sequence[dict[str, Any] | None],
        score: float,
        category: int = ONE_CATEGORY,
    ) -> None:
        """Append a track.

        Args:
            segmentations: one for every frame of the video: a compressed run-length code, see
                `rvsam_video.sinks.rle.coco_code`, or None where the object is absent.
            score: higher is surer; minus infinity is written as the lowest number there is.
            category: id of its category.
        """
        entry = {
            "video_id": self._video_id,
            "category_id": category,
            "score": max(float(score), _LOWEST),
            "segmentations": list(segmentations),
        }
        text = json.dumps(entry, separators=(",", ":"), allow_nan=False)
        self._file.write((",\n" if self._count else "").encode() + text.encode("ascii"))
        self._count += 1
