"""When and where SAM-PT restarts tracking from predicted masks, over a whole clip.

A chunk of frames is tracked and segmented; then each object gets new query points from its mask in
one of the chunk's frames, and the next chunk starts there, overwriting what was found beyond.

Source: section "re-initialisation" of SAM-PT (arXiv:2307.01197) and `_forward_w_reinit` of
`sam_pt/modeling/sam_pt.py` in SysCV/sam-pt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rvsam_video.settings import SMALLEST_AREA, RestartSettings

_MISSING = 720.0
"""Difference that stands for a missing mask when objects are restarted together (SAM-PT)."""

_BONUS = 36.0
"""Taken off the difference in the frame where the next object starts (SAM-PT)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Frames that some objects are followed through together.

    Attributes:
        start: first frame, where their query points are.
        stop: end of the frames that are segmented, exclusive.
        tracked_stop: end of the frames that are tracked, exclusive.
        objects: numbers of the objects.
    """

    start: int
    stop: int
    tracked_stop: int
    objects: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FinishedChunk:
    """A chunk, and where its objects go on.

    Attributes:
        chunk: the chunk.
        restarts: frame of each object's next query points, or None at the end of the clip.
        areas: each object's area there, or None.
        final: no frame before this one will be written again.
    """

    chunk: Chunk
    restarts: tuple[int | None, ...]
    areas: tuple[int | None, ...]
    final: int


def restart_chunks(
    query_frames: Sequence[int],
    frames: int,
    settings: RestartSettings,
    segment: Callable[[Chunk], NDArray[np.integer]],
) -> Iterator[FinishedChunk]:
    """Go through a clip chunk by chunk, forward.

    Args:
        query_frames: frame in which each object is known.
        frames: of the clip.
        settings: how to restart.
        segment: follows the objects of a chunk and returns the areas of their masks in its
            frames, (objects, stop - start) int.

    Yields:
        Every chunk once it is done and left; starts never fall.
    """
    current = list(query_frames)
    # Chunks are found by walking through the clip: their starts never fall.
    for start in range(min(current), frames):
        objects = tuple(number for number, frame in enumerate(current) if frame == start)
        if not objects:
            continue
        stop = min(start + settings.horizon, frames)
        chunk = Chunk(start, stop, min(start + settings.tracker_horizon, frames), objects)
        areas = segment(chunk)
        if stop == frames:
            nothing = (None,) * len(objects)
            yield FinishedChunk(chunk, nothing, nothing, _first_after(start, current, frames))
            continue
        chosen = _choose(areas, _next_other(start, current), settings)
        for number, candidate in zip(objects, chosen.tolist(), strict=True):
            current[number] = start + 1 + candidate
        yield FinishedChunk(
            chunk,
            tuple(start + 1 + candidate for candidate in chosen.tolist()),
            tuple(int(row[1 + candidate]) for row, candidate in zip(areas, chosen, strict=True)),
            _first_after(start, current, frames),
        )


def _first_after(start: int, current: Sequence[int], frames: int) -> int:
    return min((frame for frame in current if frame > start), default=frames)


def _next_other(start: int, current: Sequence[int]) -> int | None:
    """Return the candidate at which another object starts next."""
    later = [frame for frame in current if frame > start]
    return min(later) - start - 1 if later else None


def _choose(
    areas: NDArray[np.integer], next_other: int | None, settings: RestartSettings
) -> NDArray[np.int64]:
    """Return each object's candidate: 0 is the frame after the chunk's first.

    Args:
        areas: (objects, frames) of the chunk, its first frame included.
        next_other: candidate at which another object starts, maybe beyond the chunk.
        settings: how to restart.
    """
    if settings.variant == "horizon":
        # The last frame of a full chunk: candidate 0 is the one after its first.
        last = settings.horizon - 2
        return np.full(len(areas), last if next_other is None else min(last, next_other))
    candidates = _candidates(areas[:, 1:], settings.horizon)
    first = areas[:, :1].astype(np.float64)
    missing = np.asarray(np.isnan(candidates).all(1))
    if settings.variant == "median-area":
        chosen = _lower_medians(candidates)
    elif settings.variant == "similar-area":
        # All missing gives 0, the very next frame, which the public code takes as well.
        chosen = np.where(np.isnan(candidates), np.inf, abs(candidates - first)).argmin(1)
    else:
        chosen = np.full(len(areas), _most_similar_together(candidates, first, next_other))
        missing[:] = missing.all()
    return chosen if settings.sam_pt_exact else np.where(missing, areas.shape[1] - 2, chosen)


def _most_similar_together(
    candidates: NDArray[np.float64], first: NDArray[np.float64], next_other: int | None
) -> int:
    """Return the candidate where all areas together are most like those in the first frame."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # By share, so that large objects do not decide alone; 0 / 0 becomes NaN and counts as
        # missing.
        differences = abs(candidates - first) / first
    total = np.where(np.isnan(differences), _MISSING, differences).sum(0)
    # The public code fails here if the other object starts after the chunk.
    if next_other is not None and next_other < len(total):
        total[next_other] -= _BONUS
    return int(total.argmin())


def _candidates(areas: NDArray[np.integer], horizon: int) -> NDArray[np.float64]:
    """Return the areas with NaN where there is no mask to restart from, or it is too early."""
    candidates = np.where(areas <= SMALLEST_AREA, np.nan, areas)
    # Too early to restart, unless nothing later is left in the chunk.
    if horizon // 4 < areas.shape[1]:
        candidates[:, : horizon // 4] = np.nan
    return candidates


def _lower_medians(areas: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where the lower median of each row is.

    Which one of equal areas is taken is PyTorch's choice, as in the public code.
    """
    import torch

    # By PyTorch: which of equal areas it names is part of the public numbers.
    return np.asarray(torch.from_numpy(areas.astype(np.float32)).nanmedian(1).indices.numpy())
