"""What a mask decoder is asked, and what it answers. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import PromptError
from rvsam_video.segmenters.sam.geometry import LOGITS_SIDE, Geometry

LogitMap = Any
"""An array of the kind that the decoder works with: a tensor, or a NumPy array."""

_BOX_CORNERS = (2, 3)
"""Rows of SAM's embedding table for a box's upper left and lower right corner; 0 and 1 are the
labels of points."""

NOT_A_POINT = 4
"""Row of the token that SAM adds to points without a box; its position plays no part."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodeRequest:
    """One object for the mask decoder; at least one of points, box and mask input is given.

    Attributes:
        points: (N, 2) floating, x then y in pixels of the picture. N may be 0, which is not the
            same as None: points without a box bring a token of their own, as in SAM's predictor.
        labels: (N,) integer, 1 on the object, 0 off it; goes with `points`.
        box: (4,) floating x0, y0, x1, y1 in pixels of the picture, or None.
        mask_input: (256, 256) float32 logits of an earlier answer for this picture, or None.
    """

    points: NDArray[np.floating] | None = None
    labels: NDArray[np.integer] | None = None
    box: NDArray[np.floating] | None = None
    mask_input: LogitMap | None = None

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            PromptError: naming what does not fit.
        """
        if self.points is None and self.box is None and self.mask_input is None:
            msg = "an object was asked for with nothing; give points, a box or a mask input"
            raise PromptError(msg)
        _check_points(self.points, self.labels)
        if self.box is not None and (self.box.shape != (4,) or not np.isfinite(self.box).all()):
            msg = f"the box is {self.box.tolist()}; give four finite numbers x0, y0, x1, y1"
            raise PromptError(msg)
        side = (LOGITS_SIDE, LOGITS_SIDE)
        if self.mask_input is not None and tuple(self.mask_input.shape) != side:
            msg = f"the mask input has shape {tuple(self.mask_input.shape)}; it must be {side}"
            raise PromptError(msg)


def _check_points(points: NDArray[np.floating] | None, labels: NDArray[np.integer] | None) -> None:
    if points is None and labels is None:
        return
    if points is None or labels is None:
        msg = "points and labels go together; give both or neither"
        raise PromptError(msg)
    if points.shape != (len(labels), 2) or labels.ndim != 1:
        msg = (
            f"points have shape {points.shape} and labels {labels.shape}; "
            "they must be (N, 2) and (N,)"
        )
        raise PromptError(msg)
    if not np.isfinite(points).all() or not np.isin(labels, (0, 1)).all():
        msg = "a point or label is out of range; coordinates must be finite and labels 0 or 1"
        raise PromptError(msg)


def prompt_rows(
    request: DecodeRequest, geometry: Geometry
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the (n, 2) positions in the network's square and (n,) kinds of a request's tokens.

    Kinds are the labels of points, then the corners of a box, or that of SAM's own extra token.
    """
    # Points, then corners, as in the public code: another order would change the last bits of sums.
    xy, kinds = [np.zeros((0, 2), np.float32)], [np.zeros(0, np.int64)]
    if request.points is not None and request.labels is not None:
        xy.append(geometry.to_network(request.points))
        kinds.append(request.labels.astype(np.int64))
    if request.box is not None:
        xy.append(geometry.to_network(request.box.reshape(2, 2)))
        kinds.append(np.array(_BOX_CORNERS))
    # Also for an empty list of points: the public predictor adds it whenever there is no box.
    elif request.points is not None:
        xy.append(np.zeros((1, 2), np.float32))
        kinds.append(np.array([NOT_A_POINT]))
    return np.concatenate(xy), np.concatenate(kinds)


@dataclass(frozen=True, slots=True, eq=False)
class DecodeResult:
    """What the decoder says of B objects.

    Attributes:
        low_res_logits: (B, M, 256, 256) float32 over the network's square; > 0 is the object.
        iou: (B, M) float32, predicted intersection over union; not clipped.
    """

    low_res_logits: LogitMap
    iou: LogitMap
