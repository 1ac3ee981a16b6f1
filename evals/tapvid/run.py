"""Follow the points of TAP-Vid with a point tracker, clip by clip, such that a run can go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import OutputError, SourceError
from ...frame import Frame, Image
from ...json_values import Json, as_json
from ...runs.identity import fingerprint, first_difference
from ...runs.layout import LOCK_FILE
from ...runs.lock import FolderLock
from ...trackers import ClipTracker, PointTracker, QueryPoints, TrackedPoints
from ...writing import replacing, writing
from ..metrics.points import QueryMode
from .clips import (
    SIDE,
    PointClip,
    PointQueries,
    PointTracks,
    Scale,
    chosen_clips,
    load_tracks,
    sample_queries,
    save_tracks,
)

SETTINGS_FILE = "tapvid.json"
"""What the tracks in a folder were made with, so that no others are mixed with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapvidOptions:
    """What to run.

    Attributes:
        root: the set, see `load_clips`.
        out: folder for the tracks, `NAME.npz` a clip; made if it does not exist.
        mode: of the queries.
        scale: see `Scale`.
        names: clips to follow; all by default.
    """

    root: Path
    out: Path
    mode: QueryMode = "first"
    scale: Scale = SIDE
    names: Collection[str] | None = None


def run_tapvid(
    tracker: PointTracker,
    options: TapvidOptions,
    progress: Callable[[str, bool], None] | None = None,
    *,
    identity: Mapping[str, Json] | None = None,
) -> None:
    """Follow the points of each clip and save their tracks.

    A clip whose tracks are there already, made with the same settings, is not tracked again; those
    of a clip appear as a whole, so an interruption costs no more than the clip it falls into.

    Args:
        tracker: follows the points.
        options: what to run.
        progress: called after each clip with its name, and whether its tracks were there already.
        identity: what else decides the tracks, such as the tracker's weights and settings, from
            `rvsam_video.methods.Part.identity`; None is a tracker as it comes.

    Raises:
        SourceError: if a clip cannot be used.
        UsageError: if there is no clip of one of the names.
        OutputError: if the folder cannot be written, or holds tracks made with other settings.
    """
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(options.out / LOCK_FILE)
    # Before the settings are looked at: two commands at once would both find the folder free.
    lock.acquire()
    try:
        _claim(options, {"tracker": tracker.name, **(identity or {})})
        for clip in chosen_clips(options.root, options.names):
            there = _follow(tracker, clip, options)
            if progress is not None:
                progress(clip.name, there)
    finally:
        lock.release()


def _claim(options: TapvidOptions, identity: Mapping[str, Json]) -> None:
    """Note what the folder is for, or refuse if it is for something else."""
    path = options.out / SETTINGS_FILE
    settings = as_json(
        {
            **identity,
            "query_mode": options.mode,
            "scale": options.scale,
            # Another file under the same name is another set.
            "set": fingerprint(options.root),
        }
    )
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"{path} is damaged; remove {options.out} or choose another folder with --out"
            raise OutputError(msg) from error
        if difference := first_difference(found, settings):
            msg = (
                f"{options.out} holds other tracks: {difference}; choose another folder with --out"
            )
            raise OutputError(msg)
        return
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _follow(tracker: PointTracker, clip: PointClip, options: TapvidOptions) -> bool:
    """Save the tracks of a clip; return whether they were there already."""
    path = options.out / f"{clip.name}.npz"
    wanted = sample_queries(clip, options.mode, options.scale)
    if path.exists():
        try:
            # Whole by construction, but perhaps of a set that has changed.
            load_tracks(path, wanted)
        except SourceError as error:
            msg = f"{error}; remove it, or choose another folder with --out"
            raise OutputError(msg) from error
        return True
    save_tracks(path, follow_clip(tracker, list(clip.frames()), wanted, options), wanted)
    return False


def follow_clip(
    tracker: PointTracker, frames: Sequence[Image], wanted: PointQueries, options: TapvidOptions
) -> PointTracks:
    """Follow the points of one clip.

    All points are followed together. Trackers that look for points in whole clips do so here, as
    in their public evaluations: TAPIR follows all of them from the first frame on. With others,
    where frames before the query count (mode `strided`), they come from a second run through the
    clip backwards. Elsewhere a point that the tracker has nothing to say of is hidden, at its
    query.

    Args:
        tracker: follows the points.
        frames: T pictures, each (256, 256, 3) uint8 RGB.
        wanted: Q points.
        options: query mode and scale.
    """
    times = wanted.queries[:, 0].astype(np.int64)
    # Trackers take pixel centres as whole numbers; in TAP-Vid the first pixel's centre is at 0.5.
    shift = np.float32(0.5 if options.scale == SIDE else 0.0)
    xy = wanted.queries[:, :0:-1].astype(np.float32) - shift
    if isinstance(tracker, ClipTracker):
        whole = tracker.track_clip(partial(_as_frames, frames), _queries(times, xy))
        tracks, hidden = _filled(whole, xy, len(frames))
        return PointTracks(tracks + shift, hidden)
    tracks, hidden = _one_way(tracker, frames, times, xy)
    if options.mode == "strided":
        last = len(frames) - 1
        # All points again, though only frames before their queries are used.
        behind = _one_way(tracker, frames[::-1], last - times, xy)
        before = np.arange(len(frames)) < times[:, None]
        tracks = np.where(before[..., None], behind[0][:, ::-1], tracks)
        hidden = np.where(before, behind[1][:, ::-1], hidden)
    return PointTracks(tracks + shift, hidden)


def _one_way(
    tracker: PointTracker,
    frames: Sequence[Image],
    times: NDArray[np.int64],
    xy: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return tracks (Q, T, 2), in pixels as trackers have them, and hidden (Q, T)."""
    return _filled(_tracked(tracker, frames, _queries(times, xy)), xy, len(frames))


def _filled(
    found: Iterable[TrackedPoints], xy: NDArray[np.float32], frames: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Put together what a tracker says of all frames."""
    tracks = np.repeat(xy[:, None], frames, axis=1)
    # Hidden until the tracker says otherwise: frames before a query may have no answer.
    hidden = np.ones((len(xy), frames), np.bool_)
    for points in found:
        tracks[points.ids, points.frame_index] = points.xy
        hidden[points.ids, points.frame_index] = ~points.visible
    return tracks, hidden


def _queries(times: NDArray[np.int64], xy: NDArray[np.float32]) -> QueryPoints:
    return QueryPoints(np.arange(len(xy)), times, xy)


def _as_frames(frames: Sequence[Image]) -> Iterable[Frame]:
    return (Frame(index, float(index), image) for index, image in enumerate(frames))


def _tracked(
    tracker: PointTracker, frames: Sequence[Image], queries: QueryPoints
) -> Iterable[TrackedPoints]:
    state = tracker.start((SIDE, SIDE))
    state.add(queries)
    for frame in _as_frames(frames):
        yield from state.push(frame)
    yield from state.flush()
