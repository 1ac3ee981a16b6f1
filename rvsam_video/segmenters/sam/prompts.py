"""What a mask decoder is asked, and its form as tokens for many objects at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import PromptEncoder
from torch import Tensor

from rvsam_video.errors import PromptError
from rvsam_video.segmenters.sam.encoder_layers import IMAGE_SIZE
from rvsam_video.segmenters.sam.transforms import LOGITS_SIDE, Geometry

_BOX_CORNERS = (2, 3)
"""Rows of SAM's embedding table for a box's upper left and lower right corner; 0 and 1 are the
labels of points."""

_NOT_A_POINT = 4
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
    mask_input: Tensor | None = None

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


@dataclass(frozen=True, slots=True, eq=False)
class PromptTokens:
    """Points and boxes of B objects as tokens, filled up to the longest.

    Attributes:
        tokens: (B, P, 256) float32; points first, then the box's corners or SAM's own extra token.
        filler: (B, P) bool: tokens that stand for nothing and must not be attended to.
    """

    tokens: Tensor
    filler: Tensor


class PromptTokenizer:
    """Embeds prompts with the weights of a SAM prompt encoder.

    Args:
        encoder: with its weights loaded, on the device that will be used.
    """

    def __init__(self, encoder: PromptEncoder) -> None:
        # Rows 0 to 4: negative, positive, two corners, not a point. Labels are row numbers.
        kinds = [entry.weight for entry in encoder.point_embeddings]
        self._kinds = torch.cat([*kinds, encoder.not_a_point_embed.weight]).detach()
        self._positions = encoder.pe_layer

    def __call__(self, requests: Sequence[DecodeRequest], geometry: Geometry) -> PromptTokens:
        """Embed the points and boxes of some objects of one picture."""
        rows = [_rows(request, geometry) for request in requests]
        longest = max(len(kinds) for _, kinds in rows)
        xy = np.zeros((len(rows), longest, 2), np.float32)
        # Filler needs some embedding; this one has no position. No attention ever sees it.
        kinds = np.full((len(rows), longest), _NOT_A_POINT)
        filler = np.ones((len(rows), longest), np.bool_)
        for number, (own_xy, own_kinds) in enumerate(rows):
            count = len(own_kinds)
            xy[number, :count], kinds[number, :count] = own_xy, own_kinds
            filler[number, :count] = False
        device = self._kinds.device
        kind = torch.from_numpy(kinds).to(device)
        # Pixel centres are at whole numbers outside, at halves in the network.
        centres = torch.from_numpy(xy).to(device) + 0.5
        placed: Tensor = self._positions.forward_with_coords(centres, (IMAGE_SIZE, IMAGE_SIZE))
        # That token is its learned vector alone.
        placed = placed.masked_fill((kind == _NOT_A_POINT)[..., None], 0)
        return PromptTokens(placed + self._kinds[kind], torch.from_numpy(filler).to(device))


def _rows(
    request: DecodeRequest, geometry: Geometry
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the (n, 2) positions in the network's square and (n,) kinds of a request's tokens."""
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
        kinds.append(np.array([_NOT_A_POINT]))
    return np.concatenate(xy), np.concatenate(kinds)
