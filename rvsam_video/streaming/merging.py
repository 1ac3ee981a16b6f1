"""From the logits of all objects to masks that share the pixels of a frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rvsam_video.results import ObjectResult
from rvsam_video.segmenters.base import MaskPrediction

MaskList = list[NDArray[np.bool_]]

KEPT_LOGITS_SIDE = 256
"""Longest side of the logits in results: that of the maps of SAM, which others are made like."""


def full_size_logits(
    logits: NDArray[np.float32], frame_size: tuple[int, int]
) -> NDArray[np.float32]:
    """Enlarge logits of a whole picture to (H, W), bilinear with half-pixel centres.

    Args:
        logits: (h, w) float32.
        frame_size: (width, height).
    """
    if logits.shape == frame_size[::-1]:
        return logits
    import cv2

    return np.asarray(cv2.resize(logits, frame_size, interpolation=cv2.INTER_LINEAR), np.float32)


def mask_alone(prediction: MaskPrediction, frame_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (H, W) bool: where an object would be in a frame that it had for itself."""
    return full_size_logits(prediction.logits, frame_size) > 0


def object_result(
    object_id: int, mask: NDArray[np.bool_], prediction: MaskPrediction, *, keep_logits: bool
) -> ObjectResult:
    """Return what comes out for an object with this (H, W) mask."""
    logits = _kept_logits(prediction) if keep_logits else None
    return ObjectResult(object_id, mask, prediction.score, logits, prediction.prompted)


def _kept_logits(prediction: MaskPrediction) -> NDArray[np.float32]:
    """Return the logits of a prediction at low resolution."""
    if prediction.low_res_logits is not None:
        return prediction.low_res_logits
    height, width = prediction.logits.shape
    scale = KEPT_LOGITS_SIDE / max(width, height)
    if scale >= 1:
        return prediction.logits
    import cv2

    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    reduced = cv2.resize(prediction.logits, size, interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.float32)


def merge(
    predictions: Iterable[MaskPrediction],
    frame_size: tuple[int, int],
    *,
    score_threshold: float,
    overlap: bool,
) -> MaskList:
    """Give each pixel to the object with the largest logit above zero, or to the background.

    Args:
        predictions: one per object, read once; on equal logits the earlier object wins.
        frame_size: (width, height).
        score_threshold: an object whose score is lower gets an empty mask.
        overlap: give every object all its pixels with logit > 0 instead.

    Returns:
        one (H, W) bool mask per prediction.
    """
    shape = frame_size[::-1]
    best = np.zeros(shape, np.float32)
    owner = np.full(shape, -1, np.int16)
    masks: MaskList = []
    for number, prediction in enumerate(predictions):
        if prediction.score < score_threshold:
            masks.append(np.zeros(shape, np.bool_))
            continue
        logits = full_size_logits(prediction.logits, frame_size)
        wins = logits > (0 if overlap else best)
        masks.append(wins)
        if not overlap:
            np.copyto(best, logits, where=wins)
            owner[wins] = number
    if overlap or len(masks) < 2:
        return masks
    return [owner == number for number in range(len(masks))]
