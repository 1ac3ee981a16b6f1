"""Clicks that say that a mask is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.base import ObjectPrompt
from rvsam_video.segmenters.grabcut.crop import Map
from rvsam_video.segmenters.grabcut.first_mask.choice import mask_from_clicks
from rvsam_video.segmenters.grabcut.memory import ObjectMemory

_SLACK = 2.0
"""Pixels by which a new point may lie on the wrong side of the boundary before it counts as a
correction: a click on the very edge asks for nothing."""

_LEAST_LEFT = 0.3
"""A click that would take away more than the rest of the mask has been taken for a click on the
object itself, whose colours go on there; then its older points say where it ends."""


def corrected(
    image: Image, prompt: ObjectPrompt, memory: ObjectMemory, logits: Map
) -> NDArray[np.bool_] | None:
    """Return the mask that new points ask for, or None if they agree with the present one.

    Args:
        image: (H, W, 3) uint8 RGB.
        prompt: all points; new are those whose ids the memory does not know.
        memory: of the frame before.
        logits: (H, W) float32, the present mask, pixels from its boundary.

    Returns:
        (H, W) bool: the present mask with what was clicked on it added, and with what was
        clicked off it taken away.
    """
    # Negative ids are points of other objects: they say nothing of this mask.
    new = (prompt.point_ids >= 0) & ~np.isin(prompt.point_ids, memory.point_ids)
    if not new.any():
        return None
    height, width = logits.shape
    places = np.round(prompt.points).astype(int)
    # Logits are pixels from the boundary, so how far off a click is can be read from them.
    depth = logits[places[:, 1].clip(0, height - 1), places[:, 0].clip(0, width - 1)]
    on = prompt.labels == 1
    missed = new & on & (depth < -_SLACK)
    wrong = new & ~on & (depth > _SLACK)
    if not missed.any() and not wrong.any():
        return None
    mask = logits > 0
    if missed.any():
        # Grown from the missed points alone: what the older ones lie on is in the mask already.
        mask = mask | _clicked(image, prompt, missed, missed | ~on)
    return _without(image, prompt, mask, wrong, new & on) if wrong.any() else mask


def _without(
    image: Image,
    prompt: ObjectPrompt,
    mask: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    fresh: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Take away what the wrong points lie on.

    The older points on the object are not asked first: where the mask was wrong, some of them are.
    """
    left = mask & ~_clicked(image, prompt, wrong, wrong | fresh)
    if left.sum() >= _LEAST_LEFT * mask.sum():
        return left
    return mask & ~_clicked(image, prompt, wrong, wrong | (prompt.labels == 1))


def _clicked(
    image: Image,
    prompt: ObjectPrompt,
    chosen: NDArray[np.bool_],
    used: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return what the chosen points lie on and the other used ones do not."""
    labels = chosen[used].astype(np.int8)
    return mask_from_clicks(image, prompt.points[used], labels).mask
