"""What every promptable segmenter offers: the protocol, its prompts and its predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rvsam_video.errors import WeightsError
from rvsam_video.frame import Image

Memory = Mapping[str, NDArray[np.generic]]
"""What a segmenter wants to remember of one object from frame to frame, as plain arrays."""

Embedding = Any
"""What a segmenter computes once per picture; only the segmenter that made it reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPlan:
    """In how many passes a network is asked for one mask; segmenters without passes ignore it.

    The passes are those of SAM-PT (arXiv:2307.01197, section 3.3).

    Attributes:
        positives_first: whether the points on the object are shown first, and all points in a
            second pass with the first answer as mask input: "auto" if there are points off it,
            "always", or "never".
        refinements: further passes with the mask before and its box as input.
        refine_until: stop refining once the IoU of two successive masks is at least this; None
            never stops early.
        best_of_three: take the best of three masks when a single point is all that is known.
        negatives_suffice: look for objects of which only points off them are known.
        scale_box: give the box in the picture's pixels. SAM-PT's is left in those of the picture
            where the network expects its own, which are the same only at a longest side of 1024.
        clip_score: bring scores into [0, 1].
    """

    positives_first: Literal["auto", "always", "never"] = "auto"
    refinements: int = 0
    refine_until: float | None = None
    best_of_three: bool = True
    negatives_suffice: bool = False
    scale_box: bool = True
    clip_score: bool = True


def _no_points() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectPrompt:
    """All that is known of one object in one picture.

    Attributes:
        object_id: the user's id of the object.
        points: (N, 2) float32, x then y in pixels of the picture.
        labels: (N,) int8, 1 on the object, 0 off it.
        point_ids: (N,) int64, the same for the same tracked point in every frame; -1 for points
            of other objects, given as negatives.
        box: (4,) float32 x0, y0, x1, y1 in pixels, corners included, or None.
        mask: (H, W) bool, the object's true mask in this picture given by the user, or None.
        memory: what the segmenter returned for this object in the frame before, or None. It is
            the prediction's `memory` untouched: segmenters keep no state of their own.
        plan: in how many passes a network is asked.
    """

    object_id: int
    points: NDArray[np.float32] = field(default_factory=_no_points)
    labels: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    point_ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    box: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None
    memory: Memory | None = None
    plan: PromptPlan = field(default_factory=PromptPlan)


@dataclass(frozen=True, slots=True, eq=False)
class MaskPrediction:
    """A segmenter's answer for one object in one picture.

    Attributes:
        logits: (h, w) float32 over the whole picture, at any resolution; > 0 is the object.
        score: estimated intersection over union with the truth, in [0, 1].
        memory: to be handed back in the object's next prompt, or None.
        prompted: false if nothing was known to look for the object with; its mask is empty and
            its score means nothing.
        low_res_logits: (h, w) float32, what a network that works at low resolution said itself,
            its padding included; None if `logits` are all there is.
    """

    logits: NDArray[np.float32]
    score: float
    memory: Memory | None = None
    prompted: bool = True
    low_res_logits: NDArray[np.float32] | None = None


def refuse_infinite_masks(
    predictions: Sequence[MaskPrediction], segmenter: str, frame: int | None = None
) -> None:
    """Refuse what a network with damaged weights answers: everything later would rest on it.

    Args:
        predictions: of one picture.
        segmenter: its name, for the message.
        frame: index of the picture.

    Raises:
        WeightsError: if a score, or any value of a mask, is no number.
    """
    for item in predictions:
        # The least of all is NaN if one is: cheaper than looking at each. Infinite values of a mask
        # are on one side or the other, and mean what they say.
        wrong = item.prompted and not math.isfinite(item.score)
        if wrong or (item.logits.size and np.isnan(item.logits.min())):
            where = "" if frame is None else f" in frame {frame}"
            msg = (
                f"the segmenter {segmenter} answered{where} with values that are no numbers, "
                "so its weights are damaged or the device computes wrongly; check them with "
                "`rvsam-video weights verify`, or try --device cpu"
            )
            raise WeightsError(msg)


class Segmenter(Protocol):
    """Turns prompts into masks; holds no state of any video.

    Attributes:
        name: registry name, printed at the start of a run.
    """

    name: str

    def embed(self, image: Image) -> Embedding:
        """Do the work that all objects of a picture share; `image` is (H, W, 3) uint8 RGB."""

    def predict(
        self, embedding: Embedding, prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        """Segment all objects of a picture; one prediction per prompt, in order."""
