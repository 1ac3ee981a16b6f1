"""Annotations of object tracks: JSON files in the form of YouTube-VIS, which UVO shares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ...errors import SourceError
from ...mask_rle import MAX_SIDE
from ..json_file import read_json
from ..metrics.mask_runs import TrackRuns
from ..metrics.tracks import track_size
from ..segmentations import runs_of_segmentations

_SHOWN = 60
_NUMBER = (int, float)


@dataclass(frozen=True, slots=True, eq=False)
class TruthTrack:
    """One annotated object of a video.

    Attributes:
        place: where it stands in the file, for messages.
        category: id of its category.
        crowd: it stands for many objects.
        size: mean area in pixels over the frames where the file gives one that is not 0. As in the
            public evaluation, the numbers of the file count even if the masks differ.
        segmentations: one a frame, as the file has them.
    """

    place: str
    category: int
    crowd: bool
    size: float
    segmentations: list[object]


@dataclass(frozen=True, slots=True, eq=False)
class TruthVideo:
    """An annotated video.

    Attributes:
        id: in the file.
        height: of the frames, in pixels.
        width: of the frames, in pixels.
        frames: number of annotated frames; None if neither the video nor a track tells.
        file_names: pictures of the frames, relative to the frames' folder; may be empty.
        tracks: category by category, in the order of the file within each.
    """

    id: int
    height: int
    width: int
    frames: int | None
    file_names: tuple[str, ...]
    tracks: tuple[TruthTrack, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TrackTruth:
    """All annotations of a file.

    Attributes:
        path: the file.
        categories: ids of the categories, rising.
        videos: by rising id.
    """

    path: Path
    categories: tuple[int, ...]
    videos: Mapping[int, TruthVideo]

    def runs(self, video: TruthVideo, track: TruthTrack) -> TrackRuns:
        """Decode the masks of a track.

        Raises:
            SourceError: if a mask is damaged.
        """
        try:
            return runs_of_segmentations(track.segmentations, video.height, video.width)
        except ValueError as error:
            msg = f"{self.path}: {track.place}: {error}"
            raise SourceError(msg) from error


def load_track_truth(path: Path) -> TrackTruth:
    """Read annotations; masks are looked at only when they are needed.

    Args:
        path: a JSON object with `videos`, `categories` and `annotations`.

    Raises:
        SourceError: if the file is missing, no JSON, or holds something else; it names the place.
    """
    return _Reader(path).truth(read_json(path))


class _Reader:
    """Turns the document into `TrackTruth`; knows the file's name for its errors."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def truth(self, document: object) -> TrackTruth:
        root = self._object(document, "the document")
        lists = {
            name: self._field(root, name, list, "the document", "a list")
            for name in ("videos", "categories", "annotations")
        }
        categories = [
            self._whole(self._object(it, f"categories[{at}]"), "id", f"categories[{at}]")
            for at, it in enumerate(lists["categories"])
        ]
        videos = self._videos(lists["videos"])
        tracks = self._tracks(lists["annotations"], videos, frozenset(categories))
        return TrackTruth(
            self._path,
            tuple(sorted(set(categories))),
            {key: self._video(videos[key], tracks[key]) for key in sorted(videos)},
        )

    def _videos(self, records: list[object]) -> dict[int, tuple[str, dict[str, Any]]]:
        videos: dict[int, tuple[str, dict[str, Any]]] = {}
        for at, record in enumerate(records):
            place = f"videos[{at}]"
            video = self._object(record, place)
            key = self._whole(video, "id", place)
            # The public code would let the later one win without a word.
            if key in videos:
                self._refuse(place, f"has the id {key}, as {videos[key][0]} has; ids must differ")
            videos[key] = place, video
        return videos

    def _tracks(
        self,
        records: list[object],
        videos: Mapping[int, object],
        categories: frozenset[int],
    ) -> dict[int, list[TruthTrack]]:
        tracks: dict[int, list[TruthTrack]] = {key: [] for key in videos}
        for at, item in enumerate(records):
            place = f"annotations[{at}]"
            record = self._object(item, place)
            key = self._whole(record, "video_id", place)
            if key not in videos:
                self._refuse(place, f"belongs to video {key}, which is not among the videos")
            track = self._track(record, place)
            # Of categories that the file does not list the public evaluation knows nothing.
            if track.category in categories:
                tracks[key].append(track)
        return tracks

    def _track(self, record: dict[str, Any], place: str) -> TruthTrack:
        segmentations = self._field(record, "segmentations", list, place, "a list, one a frame")
        areas = self._field(record, "areas", list, place, "a list of numbers and null")
        # As large as a picture may be at most, so that sums of them stay numbers.
        if not all(
            area is None or (isinstance(area, _NUMBER) and 0 <= area <= MAX_SIDE**2)
            for area in areas
        ):
            self._refuse(place, f"has areas that are neither null nor 0 to {MAX_SIDE**2}")
        return TruthTrack(
            place,
            self._whole(record, "category_id", place),
            self._whole(record, "iscrowd", place) == 1,
            # null is a frame without the object, which does not count.
            track_size([area or 0 for area in areas]),
            segmentations,
        )

    def _video(self, named: tuple[str, dict[str, Any]], tracks: list[TruthTrack]) -> TruthVideo:
        place, record = named
        # Optional: then the first track says it, and the others must agree.
        frames = record.get("length")
        for track in tracks:
            count = len(track.segmentations)
            if frames is not None and count != frames:
                self._refuse(track.place, f"has {count} frames, but its video has {frames}")
            frames = count
        names = record.get("file_names") or []
        return TruthVideo(
            self._whole(record, "id", place),
            self._side(record, "height", place),
            self._side(record, "width", place),
            frames,
            tuple(str(name) for name in names) if isinstance(names, list) else (),
            # By category, as the public code goes through them: among equal overlaps the last one
            # wins.
            tuple(sorted(tracks, key=lambda track: track.category)),
        )

    def _side(self, record: dict[str, Any], name: str, place: str) -> int:
        value = self._whole(record, name, place)
        if not 1 <= value <= MAX_SIDE:
            self._refuse(place, f"has {name} {value}; it must be 1 to {MAX_SIDE}")
        return value

    def _whole(self, record: dict[str, Any], name: str, place: str) -> int:
        value: int = self._field(record, name, int, place, "a whole number")
        return value

    def _field(
        self, record: dict[str, Any], name: str, kind: type, place: str, allowed: str
    ) -> Any:  # noqa: ANN401 (the caller says the kind)
        if name not in record:
            self._refuse(place, f"has no {name!r}; it must be {allowed}")
        if not isinstance(record[name], kind):
            shown = json.dumps(record[name])[:_SHOWN]
            self._refuse(place, f"has {name} {shown}; it must be {allowed}")
        return record[name]

    def _object(self, value: object, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(place, "must be a JSON object, with names and values")
        return value

    def _refuse(self, place: str, reason: str) -> NoReturn:
        msg = f"{self._path}: {place} {reason}"
        raise SourceError(msg)
