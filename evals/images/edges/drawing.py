"""From the masks of everything in a picture to a map of its edges.

Sources: Kirillov et al., "Segment Anything" (arXiv:2304.02643), section 7.2 and appendix D.2; where
that leaves a step open, what public re-implementations of it do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from ....errors import UsageError
from ....frame import Image
from ....segmenters.sam.automatic import AutomaticSettings, automatic_candidates
from ....segmenters.sam.segmenter import SamSegmenter
from .suppression import EdgeMap, orientations, suppressed

Variant = Literal["paper", "public"]

_FIRST_ROUND = 64
"""Points whose masks public code suppresses among themselves before they meet all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """How edges are drawn; the defaults follow the paper's text.

    Attributes:
        points_per_side: points of the grid along each side of the picture; three masks each.
        iou_threshold: masks are left out unless their predicted IoU is above; 0 keeps all.
        stability_threshold: and unless their stability is at least this; 0 keeps all.
        box_overlap: of two masks whose boxes have a larger IoU, the worse one is dropped.
        first_round: points whose masks are suppressed among themselves first; 0 for one round over
            all masks.
        blur: side of the Gaussian filter before edges are made thin; 0 leaves it out.
        clear_frame: pixels along the picture's frame that are set to 0. Where a mask touches the
            frame the published code sees a strong edge there, which no annotator draws.
    """

    points_per_side: int = 16
    iou_threshold: float = 0.0
    stability_threshold: float = 0.0
    box_overlap: float = 0.7
    first_round: int = 0
    blur: int = 3
    clear_frame: int = 0

    def __post_init__(self) -> None:
        """Refuse values that make no sense.

        Raises:
            UsageError: naming the value and what is allowed.
        """
        if self.blur < 0 or (self.blur and self.blur % 2 == 0):
            msg = f"blur is {self.blur}; it must be 0 or an odd number of pixels"
            raise UsageError(msg)
        if self.clear_frame < 0 or self.first_round < 0:
            msg = (
                f"clear_frame is {self.clear_frame} and first_round {self.first_round}; neither "
                "may be negative"
            )
            raise UsageError(msg)

    @classmethod
    def variant(cls, name: Variant) -> EdgeSettings:
        """Return the settings of a variant.

        Args:
            name: "paper" filters nothing and suppresses boxes once, over all masks. "public" are
                those of segment-anything-edge-detection: masks are filtered by predicted IoU and
                stability as everything mode does, and suppressed in batches of 64 points first.

        Raises:
            UsageError: if there is no such variant.
        """
        if name not in get_args(Variant):
            msg = f"there is no variant {name!r}; choose one of: {', '.join(get_args(Variant))}"
            raise UsageError(msg)
        if name == "paper":
            return cls()
        usual = AutomaticSettings()
        return cls(
            iou_threshold=usual.iou_threshold,
            stability_threshold=usual.stability_threshold,
            first_round=_FIRST_ROUND,
        )

    def automatic(self) -> AutomaticSettings:
        """Return what everything mode is asked for."""
        usual = AutomaticSettings()
        return AutomaticSettings(
            points_per_side=self.points_per_side,
            points_per_batch=self.first_round or usual.points_per_batch,
            iou_threshold=self.iou_threshold,
            stability_threshold=self.stability_threshold,
            box_overlap=self.box_overlap,
            batch_overlap=self.box_overlap if self.first_round else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class DrawnEdges:
    """The edges of one picture.

    Attributes:
        strength: (H, W) uint8; 255 is the strongest edge of the picture.
        masks: number of masks they were drawn from.
    """

    strength: NDArray[np.uint8]
    masks: int


def draw_edges(segmenter: SamSegmenter, image: Image, settings: EdgeSettings) -> DrawnEdges:
    """Draw the edges of a picture.

    Args:
        segmenter: any of the SAM family.
        image: (H, W, 3) uint8 RGB.
        settings: how.
    """
    masks = automatic_candidates(segmenter, image, settings.automatic())
    strongest = strongest_edges((mask.logits() for mask in masks), image.shape[:2])
    return DrawnEdges(finished_edges(strongest, settings), len(masks))


def strongest_edges(logits: Iterable[EdgeMap], shape: tuple[int, ...]) -> EdgeMap:
    """Return the strongest outline of any mask at every pixel.

    Args:
        logits: (H, W) float32 of each mask; read one at a time.
        shape: (H, W).

    Returns:
        (H, W) float32, not scaled.
    """
    strongest = np.zeros(shape[:2], np.float32)
    for item in logits:
        np.maximum(strongest, outline(item), out=strongest)
    return strongest


def outline(logits: EdgeMap) -> EdgeMap:
    """Return how steep the probability of a mask is along its outline; 0 elsewhere.

    The outline is two pixels wide: those on both sides, around holes too.

    Args:
        logits: (H, W) float32.

    Returns:
        (H, W) float32.
    """
    # exp of more would be infinite; the probability is 0 long before.
    probability = np.asarray(1 / (1 + np.exp(np.minimum(-logits, 80))), np.float32)
    inside = (logits > 0).astype(np.float32)
    return np.where(_steepness(inside) > 0, _steepness(probability), np.float32(0))


def _steepness(values: EdgeMap) -> EdgeMap:
    """Return the length of the gradient by 3x3 Sobel filters, with 0 outside of the picture."""
    across, down = (
        cv2.Sobel(values, cv2.CV_32F, *orders, ksize=3, borderType=cv2.BORDER_CONSTANT)
        for orders in ((1, 0), (0, 1))
    )
    return np.sqrt(across * across + down * down)


def finished_edges(strongest: EdgeMap, settings: EdgeSettings) -> NDArray[np.uint8]:
    """Scale, smooth and thin a map of edges; returns (H, W) uint8, as it is saved and scored."""
    smooth = smoothed(strongest, settings)
    thin = suppressed(smooth, orientations(smooth))
    return (255 * thin).astype(np.uint8)


def smoothed(strongest: EdgeMap, settings: EdgeSettings) -> EdgeMap:
    """Scale a map of edges to 0 ... 1 and smooth it; all 0 where nothing stands out."""
    cleared = strongest.copy()
    if frame := settings.clear_frame:
        cleared[:frame] = cleared[-frame:] = cleared[:, :frame] = cleared[:, -frame:] = 0
    low, high = cleared.min(), cleared.max()
    if low == high:
        return np.zeros_like(cleared)
    unit = (cleared - low) / (high - low)
    if not settings.blur:
        return np.asarray(unit, np.float32)
    return np.asarray(cv2.GaussianBlur(unit, (settings.blur, settings.blur), 0), np.float32)
