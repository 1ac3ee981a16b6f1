"""Everything mode: masks of all that is in a picture, from a grid of points.

The steps, their order and their defaults are those of `SamAutomaticMaskGenerator` in the public
`segment_anything` package (arXiv:2304.02643, appendix D).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms

from rvsam_video.errors import UsageError
from rvsam_video.frame import Image
from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.segmenters.sam.decoder import PreparedImage
from rvsam_video.segmenters.sam.prompts import DecodeRequest
from rvsam_video.segmenters.sam.regions import (
    crop_boxes,
    point_grid,
    touches_cut,
    without_small_regions,
)
from rvsam_video.segmenters.sam.segmenter import SamSegmenter
from rvsam_video.segmenters.sam.transforms import to_picture_size


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticSettings:
    """How a picture is searched and which masks are kept; the defaults are those of SAM ViT-H.

    Attributes:
        points_per_side: points of the grid along each side of the picture.
        points_per_batch: points that are decoded together; bounds the memory.
        iou_threshold: masks are kept if their predicted IoU is above; 0 keeps all.
        stability_threshold: and if their stability is at least this; 0 keeps all.
        stability_offset: stability is the share of the mask at logits > -offset that is still
            there at logits > offset.
        box_overlap: of two masks whose boxes have a larger IoU, the worse one is dropped.
        crop_layers: how many times the picture is searched again in 4, 16, ... overlapping crops.
        crop_box_overlap: like `box_overlap`, between crops; masks of smaller crops are kept.
        crop_overlap: overlap of crops, as a share of the picture's shorter side.
        crop_grid_divisor: each crop layer has this many times fewer points along a side.
        smallest_region: holes and islands of fewer pixels are removed; 0 leaves them.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    iou_threshold: float = 0.88
    stability_threshold: float = 0.95
    stability_offset: float = 1.0
    box_overlap: float = 0.7
    crop_layers: int = 0
    crop_box_overlap: float = 0.7
    crop_overlap: float = 512 / 1500
    crop_grid_divisor: int = 1
    smallest_region: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no search could use.

        Raises:
            UsageError: naming the value and what is allowed.
        """
        for name in ("points_per_side", "points_per_batch", "crop_grid_divisor"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; it must be at least 1"
                raise UsageError(msg)
        for name in ("crop_layers", "smallest_region"):
            if getattr(self, name) < 0:
                msg = f"{name} is {getattr(self, name)}; it must not be negative"
                raise UsageError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class AutomaticMask:
    """One mask of a picture.

    Attributes:
        counts: its pixels as compressed run lengths; `mask` is them decoded.
        size: (width, height) of the picture.
        box: x0, y0, x1, y1 of its outermost pixels, inclusive; all 0 when empty.
        predicted_iou: the network's own estimate of its quality.
        stability: share of the mask that a higher threshold leaves, in [0, 1].
        point: x, y that it was asked for with.
        crop: x0, y0, x1, y1 of the crop it was found in; x1 and y1 exclusive.
    """

    counts: str
    size: tuple[int, int]
    box: tuple[int, int, int, int]
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop: tuple[int, int, int, int]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool; decoded anew each time, since a picture can have hundreds."""
        width, height = self.size
        return decode_mask(self.counts, height, width)


def automatic_masks(
    segmenter: SamSegmenter, image: Image, settings: AutomaticSettings | None = None
) -> list[AutomaticMask]:
    """Find masks of everything in a picture.

    Args:
        segmenter: any of the SAM family.
        image: (H, W, 3) uint8 RGB.
        settings: None takes the defaults.

    Returns:
        The masks by falling predicted IoU within each crop; they may overlap.
    """
    settings = settings or AutomaticSettings()
    size = (image.shape[1], image.shape[0])
    found: list[AutomaticMask] = []
    for layer, crop in crop_boxes(size, settings.crop_layers, settings.crop_overlap):
        masks = list(_search(segmenter, image, crop, layer, settings))
        scores = [mask.predicted_iou for mask in masks]
        found += _suppressed(masks, scores, settings.box_overlap)
    if settings.crop_layers:
        smallness = [1 / _area(mask.crop) for mask in found]
        found = _suppressed(found, smallness, settings.crop_box_overlap)
    if settings.smallest_region:
        found = _cleaned(found, settings)
    return found


def _search(
    segmenter: SamSegmenter,
    image: Image,
    crop: tuple[int, int, int, int],
    layer: int,
    settings: AutomaticSettings,
) -> Iterator[AutomaticMask]:
    """Yield the masks of a crop that are good enough, in the order of their points."""
    x0, y0, x1, y1 = crop
    side = int(settings.points_per_side / settings.crop_grid_divisor**layer)
    points = point_grid(side) * (x1 - x0, y1 - y0)
    part = segmenter.embed(np.ascontiguousarray(image[y0:y1, x0:x1]))
    size = (image.shape[1], image.shape[0])
    for start in range(0, len(points), settings.points_per_batch):
        batch = points[start : start + settings.points_per_batch]
        for point, logits, iou in _decoded(segmenter, part, batch, settings.iou_threshold):
            stability = _stability(logits, settings.stability_offset)
            if settings.stability_threshold > 0 and not stability >= settings.stability_threshold:
                continue
            inside = (logits > 0).cpu().numpy()
            box = mask_box(inside)
            placed = (box[0] + x0, box[1] + y0, box[2] + x0, box[3] + y0)
            if touches_cut(placed, crop, size):
                continue
            whole = np.zeros(image.shape[:2], np.bool_)
            whole[y0:y1, x0:x1] = inside
            place = (float(point[0]) + x0, float(point[1]) + y0)
            yield AutomaticMask(encode_mask(whole), size, placed, iou, stability, place, crop)


@torch.inference_mode()
def _decoded(
    segmenter: SamSegmenter, image: PreparedImage, points: NDArray[np.float64], threshold: float
) -> Iterator[tuple[NDArray[np.float64], Tensor, float]]:
    """Yield point, (H, W) logits and predicted IoU; only masks above the threshold are enlarged."""
    on = np.ones(1, np.int8)
    requests = [DecodeRequest(point[None], on) for point in points]
    result = segmenter.decoder.decode(image, requests, multimask=True)
    scores = result.iou.cpu().numpy()
    for row, column in np.argwhere((scores > threshold) | (threshold <= 0)):
        low_res = result.low_res_logits[row, column][None]
        logits = to_picture_size(low_res, image.geometry)[0]
        yield points[row], logits, float(scores[row, column])


def _stability(logits: Tensor, offset: float) -> float:
    """Return the IoU of the masks at a raised and a lowered threshold; NaN where both are empty."""
    smaller, larger = (torch.count_nonzero(logits > limit) for limit in (offset, -offset))
    return float(smaller / larger)


def mask_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of a mask's outermost pixels, inclusive; zeros when it is empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _suppressed(
    masks: list[AutomaticMask], scores: list[float], overlap: float
) -> list[AutomaticMask]:
    """Return masks by falling score, without those whose box overlaps a better one's too much."""
    boxes = torch.tensor([mask.box for mask in masks], dtype=torch.float32).reshape(-1, 4)
    kept = nms(boxes, torch.tensor(scores, dtype=torch.float32), overlap)
    return [masks[index] for index in kept.tolist()]


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _cleaned(masks: list[AutomaticMask], settings: AutomaticSettings) -> list[AutomaticMask]:
    """Remove small holes and islands, then what has become a duplicate; unchanged masks win."""
    cleaned, scores = [], []
    for item in masks:
        mask, changed = without_small_regions(item.mask, settings.smallest_region)
        scores.append(0.0 if changed else 1.0)
        cleaned.append(_with_mask(item, mask) if changed else item)
    overlap = max(settings.box_overlap, settings.crop_box_overlap)
    return _suppressed(cleaned, scores, overlap)


def _with_mask(item: AutomaticMask, mask: NDArray[np.bool_]) -> AutomaticMask:
    return AutomaticMask(
        encode_mask(mask),
        item.size,
        mask_box(mask),
        item.predicted_iou,
        item.stability,
        item.point,
        item.crop,
    )
