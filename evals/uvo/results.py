"""Write the results of a benchmark of object tracks, video by video, such that a run can go on."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...json_values import Json
from ...sinks.names import RLE_FILE
from ..json_parts import JsonListPart, JsonListParts
from .scores import ONE_CATEGORY

_LOWEST = -sys.float_info.max
"""Stands for minus infinity, which JSON does not know; it sorts the same."""


class TrackResults:
    """The tracks of many videos, to become one `results.json` in the form of YouTube-VIS.

    After an interruption only the video that was being tracked is done again.

    Args:
        folder: takes `results.json`; made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._parts = JsonListParts(folder / RLE_FILE, "video")

    def has(self, video_id: int) -> bool:
        """Whether the tracks of this video are there."""
        return self._parts.has(video_id)

    @contextmanager
    def video(self, video_id: int) -> Iterator[VideoTracks]:
        """Take the tracks of one video; they count only if the block ends without an error.

        Raises:
            OutputError: if they cannot be written.
        """
        with self._parts.part(video_id) as part:
            yield VideoTracks(video_id, part)

    def assemble(self, video_ids: Collection[int]) -> Path:
        """Put the tracks of these videos into `results.json`, in this order; return its path.

        Raises:
            UsageError: if a video is not there.
            OutputError: if the file cannot be written.
        """
        return self._parts.assemble(video_ids)

    def remove(self) -> None:
        """Remove the tracks of an earlier evaluation."""
        self._parts.remove()


class VideoTracks:
    """The tracks of one video while they are written."""

    def __init__(self, video_id: int, part: JsonListPart) -> None:
        self._video_id, self._part = int(video_id), part

    def add(
        self,
        segmentations: Sequence[Mapping[str, Json] | None],
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
        self._part.add(
            {
                "video_id": self._video_id,
                "category_id": category,
                "score": max(float(score), _LOWEST),
                "segmentations": list(segmentations),
            }
        )
