"""Everything mode: masks of all that is in a picture, from a grid of points.

The steps, their order and their defaults are those of `SamAutomaticMaskGenerator` in the public
`segment_anything` package (arXiv:2304.02643, appendix D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms

from rvsam_video.errors import UsageError
from rvsam_video.frame import Image
from rvsam_video.mask_rle import decode_mask, encode_mask
from rvsam_video.segmenters.sam.decoder import PreparedImage
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.prompts import DecodeRequest
from rvsam_video.segmenters.sam.regions import (
    Box,
    crop_boxes,
    point_grid,
    touches_cut,
    without_small_regions,
)
from rvsam_video.segmenters.sam.segmenter import SamSegmenter
from rvsam_video.segmenters.sam.transforms import to_picture_size

Precision = Literal["auto", "float32", "float16"]

_MASKS_ON_ACCELERATOR = 64
"""Masks that are enlarged and measured at once there; one at a time stays in a CPU's cache."""


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
        batch_overlap: the same among the masks of each batch of points, before they meet those of
            other batches; None leaves that out, as the public generator does.
        crop_layers: how many times the picture is searched again in 4, 16, ... overlapping crops.
        crop_box_overlap: like `box_overlap`, between crops; masks of smaller crops are kept.
        crop_overlap: overlap of crops, as a share of the picture's shorter side.
        crop_grid_divisor: each crop layer has this many times fewer points along a side.
        smallest_region: holes and islands of fewer pixels are removed; 0 leaves them.
        precision: of the mask decoder: "float16" is faster on accelerators and "auto" takes it
            there; "float32" gives the numbers of the public generator.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    iou_threshold: float = 0.88
    stability_threshold: float = 0.95
    stability_offset: float = 1.0
    box_overlap: float = 0.7
    batch_overlap: float | None = None
    crop_layers: int = 0
    crop_box_overlap: float = 0.7
    crop_overlap: float = 512 / 1500
    crop_grid_divisor: int = 1
    smallest_region: int = 0
    precision: Precision = "auto"

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
        if self.precision not in get_args(Precision):
            msg = (
                f"precision is {self.precision!r}; choose one of: {', '.join(get_args(Precision))}"
            )
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


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A mask that has been measured at the picture's size, but is kept as the decoder made it.

    A picture has hundreds of these, and only some of them are chosen.

    Attributes:
        low_res_logits: (256, 256) over the network's square; half precision if it was decoded so.
        geometry: size of the crop.
        box: x0, y0, x1, y1 of its outermost pixels in the picture, inclusive; 0s when empty.
        predicted_iou: the network's own estimate of its quality.
        stability: share of the mask that a higher threshold leaves, in [0, 1].
        point: x, y in the picture that it was asked for with.
        crop: x0, y0, x1, y1 of the crop it was found in; x1 and y1 exclusive.
    """

    low_res_logits: Tensor
    geometry: Geometry
    box: Box
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop: Box

    @torch.inference_mode()
    def logits(self) -> NDArray[np.float32]:
        """Return the logits at the crop's size, (h, w) float32; enlarged anew each time."""
        enlarged = to_picture_size(self.low_res_logits[None].float(), self.geometry)[0]
        return np.asarray(enlarged.cpu().numpy())


def with_everything_mode(segmenter: object) -> SamSegmenter:
    """Return a segmenter as one that finds everything.

    Raises:
        UsageError: if it cannot.
    """
    from rvsam_video.segmenters.sam.exported import ExportedSam

    if isinstance(segmenter, ExportedSam):
        segmenter = segmenter.with_torch()
    if not isinstance(segmenter, SamSegmenter):
        name = getattr(segmenter, "name", segmenter)
        msg = f"{name} has no everything mode; choose a segmenter of the SAM family"
        raise UsageError(msg)
    return segmenter


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
    found = [_encoded(item, size) for item in automatic_candidates(segmenter, image, settings)]
    if settings.smallest_region:
        found = _cleaned(found, settings)
    return found


def automatic_candidates(
    segmenter: SamSegmenter, image: Image, settings: AutomaticSettings
) -> list[Candidate]:
    """Find masks of everything in a picture, for those who want their logits.

    Args:
        segmenter: any of the SAM family.
        image: (H, W, 3) uint8 RGB.
        settings: small regions are left as they are.

    Returns:
        The masks that are good enough and not suppressed, as `automatic_masks` orders them.
    """
    size = (image.shape[1], image.shape[0])
    found: list[Candidate] = []
    for layer, crop in crop_boxes(size, settings.crop_layers, settings.crop_overlap):
        candidates = _search(segmenter, image, crop, layer, settings)
        found += _suppressed(candidates, _quality(candidates), settings.box_overlap)
    if settings.crop_layers:
        smallness = [1 / _area(item.crop) for item in found]
        found = _suppressed(found, smallness, settings.crop_box_overlap)
    return found


def _search(
    segmenter: SamSegmenter, image: Image, crop: Box, layer: int, settings: AutomaticSettings
) -> list[Candidate]:
    """Return the masks of a crop that are good enough, in the order of their points."""
    x0, y0, x1, y1 = crop
    side = int(settings.points_per_side / settings.crop_grid_divisor**layer)
    points = point_grid(side) * (x1 - x0, y1 - y0)
    part = segmenter.embed(np.ascontiguousarray(image[y0:y1, x0:x1]))
    size = (image.shape[1], image.shape[0])
    found: list[Candidate] = []
    for start in range(0, len(points), settings.points_per_batch):
        batch = points[start : start + settings.points_per_batch]
        measured = _measured(segmenter, part, batch, crop, settings)
        good = [item for item in measured if _is_good(item, size, settings)]
        if settings.batch_overlap is not None:
            good = _suppressed(good, _quality(good), settings.batch_overlap)
        found += good
    return found


def _is_good(item: Candidate, size: tuple[int, int], settings: AutomaticSettings) -> bool:
    # The stability of an empty mask is no number, which is never stable enough.
    stable = settings.stability_threshold <= 0 or item.stability >= settings.stability_threshold
    return stable and not touches_cut(item.box, item.crop, size)


@torch.inference_mode()
def _measured(
    segmenter: SamSegmenter,
    image: PreparedImage,
    points: NDArray[np.float64],
    crop: Box,
    settings: AutomaticSettings,
) -> list[Candidate]:
    """Decode a batch of points, and measure the masks whose predicted IoU is high enough."""
    on = np.ones(1, np.int8)
    requests = [DecodeRequest(point[None], on) for point in points]
    device = segmenter.device
    half = settings.precision == "float16"
    half |= settings.precision == "auto" and device.type in ("cuda", "mps")
    with torch.autocast(device.type, torch.float16, enabled=half):
        result = segmenter.decoder.decode(image, requests, multimask=True)
    scores = result.iou.float().cpu().numpy()
    chosen = np.argwhere((scores > settings.iou_threshold) | (settings.iou_threshold <= 0))
    rows, columns = chosen.T.tolist()
    low_res = result.low_res_logits[rows, columns]
    boxes, stability = _measures(low_res, image.geometry, settings.stability_offset)
    x, y = crop[:2]
    return [
        Candidate(
            low_res[index],
            image.geometry,
            (box[0] + x, box[1] + y, box[2] + x, box[3] + y),
            float(scores[row, column]),
            stability[index],
            (float(points[row, 0]) + x, float(points[row, 1]) + y),
            crop,
        )
        for index, (row, column, box) in enumerate(zip(rows, columns, boxes, strict=True))
    ]


def _measures(low_res: Tensor, geometry: Geometry, offset: float) -> tuple[list[Box], list[float]]:
    """Return box and stability of (N, 256, 256) logits at the picture's size."""
    at_once = 1 if low_res.device.type == "cpu" else _MASKS_ON_ACCELERATOR
    boxes: list[Box] = []
    stability: list[float] = []
    for part in torch.split(low_res, at_once):
        logits = to_picture_size(part.float(), geometry)
        stability += _stabilities(logits, offset).tolist()
        boxes += [(x0, y0, x1, y1) for x0, y0, x1, y1 in _boxes(logits > 0).tolist()]
    return boxes, stability


def _stabilities(logits: Tensor, offset: float) -> Tensor:
    """Return the IoU of the masks at a raised and a lowered threshold; NaN where both are empty."""
    smaller, larger = (torch.count_nonzero(logits > at, (1, 2)) for at in (offset, -offset))
    return smaller / larger


def _boxes(masks: Tensor) -> Tensor:
    """Return x0, y0, x1, y1 of (N, H, W) masks' outermost pixels, inclusive; 0s when empty."""
    ends = []
    for axis in (1, 2):
        used = masks.any(axis)
        places = torch.arange(used.shape[1], device=used.device).expand_as(used)
        first = torch.where(used, places, used.shape[1]).amin(1)
        ends += [first, torch.where(used, places, -1).amax(1)]
    boxes = torch.stack([ends[0], ends[2], ends[1], ends[3]], 1)
    return torch.where((ends[1] < 0)[:, None], 0, boxes)


def _encoded(item: Candidate, size: tuple[int, int]) -> AutomaticMask:
    x0, y0, x1, y1 = item.crop
    whole = np.zeros(size[::-1], np.bool_)
    whole[y0:y1, x0:x1] = item.logits() > 0
    return AutomaticMask(
        encode_mask(whole),
        size,
        item.box,
        item.predicted_iou,
        item.stability,
        item.point,
        item.crop,
    )


def mask_box(mask: NDArray[np.bool_]) -> Box:
    """Return x0, y0, x1, y1 of a mask's outermost pixels, inclusive; zeros when it is empty."""
    x0, y0, x1, y1 = _boxes(torch.from_numpy(mask)[None])[0].tolist()
    return x0, y0, x1, y1


class _Boxed(Protocol):
    @property
    def box(self) -> Box: ...

    @property
    def predicted_iou(self) -> float: ...


_Found = TypeVar("_Found", bound=_Boxed)


def _quality(found: Sequence[_Boxed]) -> list[float]:
    return [item.predicted_iou for item in found]


def _suppressed(found: Sequence[_Found], scores: list[float], overlap: float) -> list[_Found]:
    """Return masks by falling score, without those whose box overlaps a better one's too much."""
    boxes = torch.tensor([item.box for item in found], dtype=torch.float32).reshape(-1, 4)
    kept = nms(boxes, torch.tensor(scores, dtype=torch.float32), overlap)
    return [found[index] for index in kept.tolist()]


def _area(box: Box) -> int:
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
