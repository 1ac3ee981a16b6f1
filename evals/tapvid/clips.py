"""The clips of TAP-Vid, the points to be followed in them, and how predictions are scored.

Source: Doersch et al., TAP-Vid, NeurIPS 2022, and `evaluation_datasets.py` of
google-deepmind/tapnet (commit c2cbab8).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import SourceError, UsageError
from ...frame import Image
from ..metrics.points import PointScores, QueryMode, point_scores
from ..metrics.redetection import RedetectionScores, redetection_scores
from .array_pickle import load_array_pickle

SIDE: Final = 256
"""Clips are scored, and given to trackers, at 256x256 pixels."""

QUERY_STRIDE = 5
"""Frames between two queries of a track in mode `strided`."""

Scale = Literal[256, 255]
"""What the position 1, the right or lower edge of the picture, stands for.

256: the edge of the last pixel, as in TAP-Vid's own code. 255: the centre of the last pixel, as in
the code of CoTracker 3, whose published numbers are made so.
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""What a clip may be called: its results get a file of this name."""


@dataclass(frozen=True, slots=True, eq=False)
class PointClip:
    """An annotated clip.

    Attributes:
        name: unique within the set.
        video: (T, H, W, 3) uint8 RGB, or the T pictures as JPEG files.
        points: (N, T, 2) float64, x and y as parts of width and height, 0 at the left and upper
            edge of the picture.
        hidden: (N, T) bool, true where a point cannot be seen.
    """

    name: str
    video: NDArray[np.uint8] | Sequence[bytes]
    points: NDArray[np.float64]
    hidden: NDArray[np.bool_]

    def frames(self) -> Iterator[Image]:
        """Yield the pictures, each (256, 256, 3) uint8 RGB.

        Raises:
            SourceError: if one is damaged.
        """
        from PIL import Image as Pictures

        for index, stored in enumerate(self.video):
            try:
                picture = (
                    Pictures.open(io.BytesIO(stored), formats=("JPEG", "PNG")).convert("RGB")
                    if isinstance(stored, bytes)
                    else Pictures.fromarray(stored)
                )
                # As mediapy, by which the public code resizes.
                resized = picture.resize((SIDE, SIDE), Pictures.Resampling.LANCZOS)
            except (OSError, ValueError, Pictures.DecompressionBombError) as error:
                msg = f"frame {index} of clip {self.name} cannot be read: {error}"
                raise SourceError(msg) from error
            yield np.asarray(resized, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class PointQueries:
    """What is to be followed in a clip, and where it goes.

    Attributes:
        queries: (Q, 3) float64, t (frame index), y, x in pixels of the 256x256 picture.
        truth: (Q, T, 2) float64, x, y in the same pixels.
        hidden: (Q, T) bool.
    """

    queries: NDArray[np.float64]
    truth: NDArray[np.float64]
    hidden: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PointTracks:
    """Predicted tracks of a clip, in the order of its queries.

    Attributes:
        tracks: (Q, T, 2) float32, x, y in pixels of the 256x256 picture.
        hidden: (Q, T) bool.
    """

    tracks: NDArray[np.float32]
    hidden: NDArray[np.bool_]


def load_clips(root: Path) -> Iterator[PointClip]:
    """Yield the clips of a set; files are read one at a time, without running what they contain.

    Args:
        root: a pickle (`tapvid_davis.pkl` with clips by name, `tapvid_rgb_stacking.pkl` with a
            list of them), an NPZ file with one clip, or a folder of such files, as TAP-Vid-Kinetics
            is (`0000_of_0010.pkl` ...). A clip has `video`, `points` and `occluded`.

    Raises:
        SourceError: if a file is missing, damaged, wants to run code, or holds something else.
    """
    for path in _files(root):
        if path.suffix == ".npz":
            yield _clip(path.stem, _arrays(path), path)
            continue
        content = load_array_pickle(path)
        if isinstance(content, dict):
            named = [(str(name), record) for name, record in content.items()]
        elif isinstance(content, list):
            named = [(f"{path.stem}-{at:04d}", record) for at, record in enumerate(content)]
        else:
            msg = f"{path} holds neither clips by name nor a list of clips"
            raise SourceError(msg)
        while named:
            # Each goes when it was looked at: the sets are large.
            name, record = named.pop(0)
            yield _clip(name, record, path)


def _files(root: Path) -> list[Path]:
    if root.is_file():
        return [root]
    found = sorted(it for it in root.glob("*") if it.suffix in {".pkl", ".npz"})
    if not found:
        msg = f"{root} is no .pkl or .npz file of TAP-Vid, nor a folder of them; check the path"
        raise SourceError(msg)
    return found


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        # A pickle inside an NPZ could run code.
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}; check the path"
        raise SourceError(msg) from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, TypeError) as error:
        msg = f"{path} is damaged or no NPZ file of plain arrays ({error})"
        raise SourceError(msg) from error


def _clip(name: str, record: object, path: Path) -> PointClip:
    place = f"{path}: clip {name}"
    if not _NAME.fullmatch(name):
        msg = f"{path}: a clip is called {name!r}; allowed are letters, digits and _.-"
        raise SourceError(msg)
    if not isinstance(record, Mapping) or not {"video", "points", "occluded"} <= record.keys():
        msg = f"{place} must have 'video', 'points' and 'occluded'"
        raise SourceError(msg)
    points, hidden = np.asarray(record["points"]), np.asarray(record["occluded"])
    video = _video(record["video"], place)
    if hidden.ndim != 2 or points.shape != (*hidden.shape, 2) or len(video) != hidden.shape[1]:
        msg = (
            f"{place} has {len(video)} frames, points {points.shape} and occluded {hidden.shape}; "
            "they must be (N, T, 2) and (N, T) for T frames"
        )
        raise SourceError(msg)
    # Checked before they are scaled: NaN would spread into every score.
    if points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        msg = f"{place} has points that are not finite numbers"
        raise SourceError(msg)
    return PointClip(name, video, points.astype(np.float64), hidden.astype(np.bool_))


def _video(video: object, place: str) -> NDArray[np.uint8] | Sequence[bytes]:
    if isinstance(video, list) and video and all(isinstance(it, bytes) for it in video):
        return video
    if (
        not isinstance(video, np.ndarray)
        or video.ndim != 4
        or video.shape[3] != 3
        or video.dtype != np.uint8
    ):
        msg = f"{place} must have a video of (T, H, W, 3) uint8, or a list of JPEG files"
        raise SourceError(msg)
    return video


def sample_queries(clip: PointClip, mode: QueryMode, scale: Scale = SIDE) -> PointQueries:
    """Return what is to be followed in a clip.

    Args:
        clip: annotated.
        mode: `first`: each track that is ever visible once, from the first frame where it is.
            `strided`: each track from every fifth frame in which it is visible.
        scale: see `Scale`.
    """
    points = clip.points * scale
    if mode == "first":
        tracks = np.flatnonzero((~clip.hidden).any(axis=1))
        # The first False: the first frame where the point is seen.
        times = np.argmin(clip.hidden[tracks], axis=1)
    else:
        strided = ~clip.hidden[:, ::QUERY_STRIDE]
        # By frame, then by track: the order of the public code, on which saved tracks depend.
        steps, tracks = np.nonzero(strided.T)
        times = steps * QUERY_STRIDE
    start = points[tracks, times]
    # t, y, x: TAP-Vid's order of queries, while its tracks are x, y.
    queries = np.stack([times, start[:, 1], start[:, 0]], axis=1).astype(np.float64)
    return PointQueries(queries, points[tracks], clip.hidden[tracks])


@dataclass(frozen=True, slots=True)
class PointReport:
    """The scores of a set.

    Attributes:
        clips: by name.
        mean: plain mean over the clips; NaN if one has nothing to score.
        redetection: by name of the clip, how well points were found again.
    """

    clips: Mapping[str, PointScores]
    mean: PointScores
    redetection: Mapping[str, RedetectionScores]

    @property
    def mean_redetection(self) -> float:
        """AJ_RD of the set: plain mean over the clips in which a point comes back."""
        known = [found.average for found in self.redetection.values() if found.returns]
        return float(np.mean(known)) if known else float("nan")


def score_tapvid(
    root: Path,
    results: Path,
    mode: QueryMode,
    *,
    scale: Scale = SIDE,
    names: Collection[str] | None = None,
) -> PointReport:
    """Score predicted tracks.

    Args:
        root: the set, see `load_clips`.
        results: a folder with one `NAME.npz` a clip, see `save_tracks`.
        mode: of the queries that were followed.
        scale: see `Scale`.
        names: clips to score; all by default.

    Raises:
        SourceError: if a clip or its results cannot be used.
        UsageError: if there is no clip of one of the names.
    """
    scores, redetection = {}, {}
    for clip in chosen_clips(root, names):
        wanted = sample_queries(clip, mode, scale)
        found = load_tracks(results / f"{clip.name}.npz", wanted)
        # Clip by clip, so that one video is in memory at a time.
        scores[clip.name] = point_scores(
            wanted.queries, wanted.truth, wanted.hidden, found.tracks, found.hidden, mode
        )
        redetection[clip.name] = redetection_scores(
            wanted.truth, wanted.hidden, found.tracks, found.hidden
        )
    return PointReport(scores, _mean(list(scores.values())), redetection)


def chosen_clips(root: Path, names: Collection[str] | None) -> Iterator[PointClip]:
    """Yield the clips of these names, or all.

    Raises:
        SourceError: see `load_clips`.
        UsageError: if there is no clip of one of the names, or none at all.
    """
    missing = set(names or ())
    seen = []
    for clip in load_clips(root):
        if clip.name in seen:
            msg = f"{root} holds two clips called {clip.name}"
            raise SourceError(msg)
        seen.append(clip.name)
        if names is None or clip.name in names:
            missing.discard(clip.name)
            yield clip
    if missing or not seen:
        asked = f"clip {min(missing)!r}" if missing else "clip"
        msg = f"there is no {asked} in {root}; its clips are: {', '.join(seen) or 'none'}"
        raise UsageError(msg)


def _mean(scores: Sequence[PointScores]) -> PointScores:
    return PointScores(
        # Plain means over clips, however many points each has; NaN spreads, as in the public code.
        float(np.mean([it.occlusion_accuracy for it in scores])),
        tuple(np.mean([it.within for it in scores], axis=0).tolist()),
        tuple(np.mean([it.jaccard for it in scores], axis=0).tolist()),
    )


def save_tracks(path: Path, tracks: PointTracks, wanted: PointQueries) -> None:
    """Write predicted tracks as NPZ: `tracks` (Q, T, 2), `occluded` (Q, T), `queries` (Q, 3).

    Raises:
        OutputError: if the file cannot be written.
    """
    from ...writing import replacing

    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, tracks=tracks.tracks, occluded=tracks.hidden, queries=wanted.queries
        )


def load_tracks(path: Path, wanted: PointQueries) -> PointTracks:
    """Read predicted tracks of a clip.

    Args:
        path: as `save_tracks` writes it; `queries` may be left out.
        wanted: the queries of the clip, to check that they fit.

    Raises:
        SourceError: if the file is missing, damaged, or of other queries.
    """
    arrays = _arrays(path)
    tracks, hidden = arrays.get("tracks"), arrays.get("occluded")
    shape = wanted.hidden.shape
    if tracks is None or hidden is None or tracks.shape != (*shape, 2) or hidden.shape != shape:
        found = {name: array.shape for name, array in arrays.items()}
        msg = f"{path} holds {found}; it must hold tracks {(*shape, 2)} and occluded {shape}"
        raise SourceError(msg)
    queries = arrays.get("queries", wanted.queries)
    # A thousandth of a pixel of tolerance: others may have stored them in single precision.
    if queries.shape != wanted.queries.shape or not np.allclose(queries, wanted.queries, atol=1e-3):
        msg = f"{path} was made for other queries; check the query mode, the scale and the set"
        raise SourceError(msg)
    if tracks.dtype.kind != "f" or hidden.dtype.kind not in "bui":
        msg = f"{path} must hold real numbers in tracks, and bools in occluded"
        raise SourceError(msg)
    return PointTracks(tracks.astype(np.float32), hidden.astype(np.bool_))
