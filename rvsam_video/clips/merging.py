"""From the predictions of a clip's objects to masks at the size that is asked for.

Two forms of the same: the public code's, to the last pixel, and one without its oddities.

| | SAM-PT | here by default |
|---|---|---|
| a rejected mask | minus infinity, then resized: NaN at some edge pixels | left out |
| a NaN in any object | makes the pixel background | cannot be |
| the owner of a pixel | argmax of a softmax, rounded to float32 | argmax of the logits |
| the truth at the query frame | resized to the processed size and from there to the output | once |

Source: `sam_pt/vos_eval/eval.py` and `sam_pt/modeling/sam_pt.py` of SysCV/sam-pt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from rvsam_video.clips.frames import Size, resize_mask
from rvsam_video.clips.points import ClipObject
from rvsam_video.segmenters.base import MaskPrediction
from rvsam_video.settings import SegmentationSettings
from rvsam_video.streaming.merging import MaskList, merge

CERTAIN = 1e8
"""Logit of pixels that the truth decides (SAM-PT)."""


@dataclass(frozen=True, slots=True)
class ClipMerger:
    """Merges the predictions of one frame after the other.

    Attributes:
        settings: score threshold, overlap, and whether to do as the public code does.
        processed: (width, height) of the predictions' pictures.
        size: (width, height) of the masks.
    """

    settings: SegmentationSettings
    processed: Size
    size: Size

    def masks(
        self, objects: Sequence[ClipObject], predictions: Sequence[MaskPrediction], frame: int
    ) -> MaskList:
        """Return one (H, W) bool mask per object.

        Unless masks may overlap, an object has the mask it was given in its own frame and none
        before, and each pixel belongs to the object with the largest logit above zero, the
        first of these, or to the background.
        """
        pairs = list(zip(objects, predictions, strict=True))
        if not self.settings.sam_pt_exact:
            settings = self.settings
            # One at a time: logits of all objects at the clip's size would be held otherwise.
            shown = (self._resized(self._repaired(*pair, frame)) for pair in pairs)
            return merge(
                shown, self.size, score_threshold=settings.score_threshold, overlap=settings.overlap
            )
        if self.settings.overlap:
            return [self.sam_pt_logits(*pair, frame) > 0 for pair in pairs]
        logits = [self.sam_pt_logits(*pair, frame) for pair in pairs]
        # Channel 0 is the background, with the logit 0.
        owner = _owners([np.zeros(self.size[::-1], np.float32), *logits])
        return [owner == number for number in range(1, len(logits) + 1)]

    def sam_pt_logits(
        self, item: ClipObject, prediction: MaskPrediction, frame: int
    ) -> NDArray[np.float32]:
        """Return (H, W) logits as the public code has them before its softmax."""
        # Where masks may overlap the public code (its evaluation of instances) pastes nothing.
        pasted = None if self.settings.overlap else self._pasted(item, frame)
        if pasted is not None:
            return pasted
        # Before resizing, which then gives NaN at some edges: a quirk that decides pixels there.
        rejected = prediction.score < self.settings.score_threshold or not prediction.prompted
        return resize_logits(
            _rejected(prediction.logits) if rejected else prediction.logits, self.size
        )

    def _pasted(self, item: ClipObject, frame: int) -> NDArray[np.float32] | None:
        # Blanked: what was tracked backward is not shown.
        if frame < item.frame:
            return np.full(self.size[::-1], -CERTAIN, np.float32)
        if frame > item.frame or item.mask is None:
            return None
        truth = item.mask
        if self.settings.sam_pt_exact:
            # Twice, as there: by way of the processed size, which moves the edge by a pixel here
            # and there.
            truth = resize_mask(truth, self.processed)
        return np.where(resize_mask(truth, self.size), CERTAIN, -CERTAIN).astype(np.float32)

    def _repaired(self, item: ClipObject, prediction: MaskPrediction, frame: int) -> MaskPrediction:
        pasted = None if self.settings.overlap else self._pasted(item, frame)
        return prediction if pasted is None else MaskPrediction(pasted, 1.0)

    def _resized(self, prediction: MaskPrediction) -> MaskPrediction:
        if prediction.score < self.settings.score_threshold:
            return prediction
        return replace(prediction, logits=resize_logits(prediction.logits, self.size))


def resize_logits(logits: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resize (h, w) logits to (H, W), bilinear with half-pixel centres and no antialiasing."""
    if logits.shape == size[::-1]:
        return logits
    # By PyTorch, as in the public code: the last bits of OpenCV's bilinear are others.
    maps = torch.from_numpy(logits)[None, None]
    resized = F.interpolate(maps, size[::-1], mode="bilinear", align_corners=False)
    return np.asarray(resized[0, 0].numpy(), np.float32)


def _rejected(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.full(logits.shape, -np.inf, np.float32)


def _owners(channels: Sequence[NDArray[np.float32]]) -> NDArray[np.int64]:
    """Return the first channel with the largest share of each pixel; the background where NaN."""
    stack: Tensor = torch.from_numpy(np.stack(channels))
    # Rounded to float32: two close logits can get equal shares, and the first of them wins.
    shares = stack.softmax(0)
    owner = shares.argmax(0)
    # A NaN in one channel makes all shares of the pixel NaN.
    return np.asarray(torch.where(shares[0].isnan(), 0, owner).numpy())
