"""Find and follow everything in the videos of UVO, and score the tracks."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from ...clips.instances import (
    InstanceOptions,
    InstanceSegmenter,
    automatic_proposals,
    instance_settings,
)
from ...errors import SourceError, UsageError
from ...frame import Frame
from ...json_values import Json
from ...methods import Pair
from ...runs.folder import RunFolder
from ...sources import open_source
from ...writing import replacing
from ..following import noting_the_end, restarts_of
from .results import TrackResults
from .truth import TruthVideo, load_track_truth

VideoState = Literal["done", "was there already"]
VideoProgress = Callable[[TruthVideo, VideoState], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UvoOptions:
    """What to run.

    Attributes:
        annotations: file in the form of YouTube-VIS.
        frames: folder that its file names are relative to.
        out: folder for `results.json`.
        method: the parts that find and follow, from `Method.resolve`.
        options: how instances are found.
        videos: ids of the videos to take; None for all.
        overwrite: begin anew where another evaluation has been.
    """

    annotations: Path
    frames: Path
    out: Path
    method: Pair
    options: InstanceOptions
    videos: Collection[int] | None = None
    overwrite: bool = False


def uvo_frames(annotations: Path, *, version: str = "1.0") -> Path:
    """Return where the frames of UVO dense stand beside their annotations.

    Args:
        annotations: `VideoDenseSet/UVO_video_val_dense.json` in the folder of the download.
        version: 1.0 or 0.5.

    Raises:
        SourceError: if they are not there.
    """
    base = annotations.parent.parent
    places = [base / "uvo_videos_dense_frames", base / f"uvo_v{version}_dense_frames"]
    for place in places:
        if place.is_dir():
            return place
    msg = (
        f"there are no frames in {places[0]}; split the videos of UVO with its own tool, or name "
        "their folder with --frames"
    )
    raise SourceError(msg)


def run_uvo(options: UvoOptions, progress: VideoProgress | None = None) -> Path:
    """Find and follow everything in each video, and write all tracks into `results.json`.

    A video whose tracks are there already is not done again: the same command goes on where it
    was killed.

    Args:
        options: what to run.
        progress: called after each video.

    Returns:
        the file of results.

    Raises:
        UsageError: if there is no video of one of the ids, or a part cannot find objects.
        WeightsError: if weights cannot be had.
        SourceError: if annotations or frames are missing or damaged.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    videos = _chosen(options)
    # All of them first: a missing frame should not show after a day of tracking.
    for video in videos:
        _check_frames(video, options.frames)
    # Before the folder is touched: weights that are missing leave it as it was.
    engine = _engine(options)
    with RunFolder.open(options.out, _command(options), overwrite=options.overwrite) as folder:
        results = TrackResults(options.out)
        if options.overwrite:
            results.remove()
        with noting_the_end(folder):
            for video in videos:
                there = results.has(video.id)
                if not there:
                    _follow(engine, video, options.frames, results)
                if progress is not None:
                    progress(video, "was there already" if there else "done")
            path = results.assemble([video.id for video in videos])
        folder.update(counts={"videos": len(videos)})
        folder.finish("complete")
        return path


def _chosen(options: UvoOptions) -> list[TruthVideo]:
    videos = load_track_truth(options.annotations).videos.values()
    if options.videos is None:
        return list(videos)
    known = {video.id: video for video in videos}
    unknown = [key for key in options.videos if key not in known]
    if unknown:
        msg = f"there is no video {unknown[0]} in {options.annotations}; it has {len(known)}"
        raise UsageError(msg)
    return [known[key] for key in dict.fromkeys(options.videos)]


def _check_frames(video: TruthVideo, frames: Path) -> None:
    """Refuse a video whose pictures are not those annotated, before any is tracked."""
    names = video.file_names
    if not names or len(names) != (video.frames or len(names)):
        msg = (
            f"the annotations name {len(names)} pictures for the {video.frames} frames of video "
            f"{video.id}; it cannot be tracked"
        )
        raise SourceError(msg)
    missing = [name for name in names if not (frames / name).is_file()]
    if missing:
        msg = (
            f"video {video.id} lacks {len(missing)} of {len(names)} frames, the first of them "
            f"{frames / missing[0]}; split the video again, or name the folder with --frames"
        )
        raise SourceError(msg)


def _command(options: UvoOptions) -> dict[str, Json]:
    return {
        "evaluation": "UVO",
        "annotations": str(options.annotations.resolve()),
        "frames": str(options.frames.resolve()),
        "instances": asdict(options.options),
        "restarts": options.method.restarts,
        **options.method.identity(),
        # Last, in place of the method's own: instances are followed with some of them changed.
        "settings": instance_settings(options.method.settings).to_dict(),
    }


def _engine(options: UvoOptions) -> InstanceSegmenter:
    method = options.method
    segmenter = method.segmenter.load_segmenter()
    return InstanceSegmenter(
        method.load_clip_tracker(),
        segmenter,
        automatic_proposals(segmenter),
        instance_settings(method.settings),
        options.options,
        restarts_of(method),
    )


def _follow(
    engine: InstanceSegmenter, video: TruthVideo, frames: Path, results: TrackResults
) -> None:
    """Write the tracks of one video; they count only if all of them are there."""
    source = partial(_read, [frames / name for name in video.file_names], video)
    with results.video(video.id) as tracks:
        for found in engine.segment(source, (video.width, video.height)):
            size = [video.height, video.width]
            codes: list[dict[str, Json]] = [{"size": size, "counts": it} for it in found.counts]
            tracks.add(codes, found.score)


def _read(paths: list[Path], video: TruthVideo) -> Iterator[Frame]:
    for index, path in enumerate(paths):
        with open_source(path) as source:
            pictures = [frame.image for frame in source]
        # Annotations and masks are compared pixel by pixel, so another size is never right.
        if [picture.shape[:2] for picture in pictures] != [(video.height, video.width)]:
            msg = (
                f"{path} is no picture of {video.width}x{video.height} pixels, as video {video.id} "
                "has them; split the video again"
            )
            raise SourceError(msg)
        yield Frame(index, float(index), pictures[0])


def save_scores(path: Path, values: dict[str, object]) -> None:
    """Write scores as JSON.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
