"""The passes that a SAM decoder makes over all objects of a picture, as SAM-PT defines them.

    A  the points on the object
    B  all points, with the logits of A as mask input
    R  all points, with the mask before as mask input, and its box; repeated

Which of them an object needs is said by the `PromptPlan` of its prompt. All objects that need a
pass share one batch; the numbers are those of asking object by object. Decoders work with tensors
or NumPy arrays; nothing is done here that would not be the same with both.

Source: section 3.3 of SAM-PT (arXiv:2307.01197) and `sam_pt/modeling/sam_pt.py` of SysCV/sam-pt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.prompts import DecodeRequest, DecodeResult, LogitMap

_CERTAIN_LOGIT = 10.0
"""Logit of pixels that a user's mask, or the lack of any prompt, decides."""

FEWEST_PIXELS = 2
"""A mask with fewer is not refined further (SAM-PT)."""


class Prepared(Protocol):
    """What the passes need of a picture that is ready for a decoder."""

    @property
    def geometry(self) -> Geometry:
        """Return the size of the picture."""


_Picture = TypeVar("_Picture", bound=Prepared)
_Picture_contra = TypeVar("_Picture_contra", bound=Prepared, contravariant=True)


class Decoder(Protocol[_Picture_contra]):
    """What the passes need of `BatchedDecoder`, or of another."""

    def decode(
        self, image: _Picture_contra, requests: Sequence[DecodeRequest], *, multimask: bool
    ) -> DecodeResult:
        """Decode objects to one mask each, or three."""

    def decode_best(
        self,
        image: _Picture_contra,
        requests: Sequence[DecodeRequest],
        ambiguous: Sequence[bool],
    ) -> DecodeResult:
        """Decode objects to one mask each, the best of three where marked."""

    def enlarge(self, low_res_logits: LogitMap, geometry: Geometry) -> LogitMap:
        """Enlarge (B, 256, 256) logits to the picture's size, (B, H, W) float32."""


def is_looked_for(prompt: ObjectPrompt) -> bool:
    """Whether the network is asked for this object at all."""
    # A mask from the user is the answer; a network could only make it worse.
    if prompt.mask is not None:
        return False
    if prompt.box is not None or bool(np.any(prompt.labels == 1)):
        return True
    return prompt.plan.negatives_suffice and len(prompt.labels) > 0


def answer_prompts(
    decoder: Decoder[_Picture],
    image: _Picture,
    prompts: Sequence[ObjectPrompt],
    arrays: Callable[[LogitMap], tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> list[MaskPrediction]:
    """Segment all objects of a picture; one prediction per prompt, in order.

    Args:
        decoder: makes one pass for any number of objects.
        image: the prepared picture.
        prompts: in any mixture. A mask given by the user is the answer. An object without a box or
            a positive point is not looked for, unless its plan says so: its mask is empty and its
            score 0.
        arrays: makes of the decoder's (B, 256, 256) logits those at the picture's size, (B, H, W),
            and the same as an array.

    Returns:
        Logits at the picture's size, (H, W) float32, and (256, 256) as the decoder gives them;
        scores are predicted IoUs, within 0 to 1.
    """
    shape = (image.geometry.height, image.geometry.width)
    asked = [index for index, prompt in enumerate(prompts) if is_looked_for(prompt)]
    result = decode_passes(decoder, image, [prompts[index] for index in asked])
    logits, kept = arrays(result.low_res_logits[:, 0])
    answers = [_certain(prompt, shape) for prompt in prompts]
    for row, index in enumerate(asked):
        score = float(result.iou[row, 0])
        # Regressed without a limit: scores a little above 1 can occur.
        if prompts[index].plan.clip_score:
            score = min(max(score, 0), 1)
        answers[index] = MaskPrediction(logits[row], score, low_res_logits=kept[row])
    return answers


def _certain(prompt: ObjectPrompt, shape: tuple[int, int]) -> MaskPrediction:
    if prompt.mask is None:
        empty = np.full(shape, -_CERTAIN_LOGIT, np.float32)
        return MaskPrediction(empty, 0.0, prompted=False)
    given = np.where(prompt.mask, _CERTAIN_LOGIT, -_CERTAIN_LOGIT).astype(np.float32)
    return MaskPrediction(given, 1.0)


def decode_passes(
    decoder: Decoder[_Picture], image: _Picture, prompts: Sequence[ObjectPrompt]
) -> DecodeResult:
    """Make all passes that the prompts' plans ask for.

    Args:
        decoder: makes one pass for any number of objects.
        image: the prepared picture.
        prompts: objects that are looked for, in any mixture of plans.

    Returns:
        The last pass of each object: one mask each (M = 1).
    """
    result = _first_pass(decoder, image, prompts)
    _second_pass(decoder, image, prompts, result)
    _refine(decoder, image, prompts, result)
    return result


def _first_pass(
    decoder: Decoder[_Picture], image: _Picture, prompts: Sequence[ObjectPrompt]
) -> DecodeResult:
    requests = [
        # May leave no point: then SAM's own extra token is all that is shown, as in SAM-PT.
        _request(item, np.s_[:] if item.plan.positives_first == "never" else item.labels == 1)
        for item in prompts
    ]
    # Only in the first pass: later ones have a mask input, which says what is meant.
    ambiguous = [item.plan.best_of_three and _is_one_click(item) for item in prompts]
    return decoder.decode_best(image, requests, ambiguous)


def _is_one_click(prompt: ObjectPrompt) -> bool:
    """Whether a prompt could mean a part as well as a whole: SAM has three answers to those."""
    return prompt.box is None and len(prompt.points) == 1


def _second_pass(
    decoder: Decoder[_Picture],
    image: _Picture,
    prompts: Sequence[ObjectPrompt],
    result: DecodeResult,
) -> None:
    """Show all points to the objects that have seen only some; `result` is overwritten."""
    again = [index for index, item in enumerate(prompts) if _needs_second_pass(item)]
    requests = [
        # The logits as they are, not a thresholded mask: the network was trained on such.
        _request(prompts[index], np.s_[:], mask_input=result.low_res_logits[index, 0])
        for index in again
    ]
    _overwrite(result, again, decoder, image, requests)


def _needs_second_pass(prompt: ObjectPrompt) -> bool:
    if prompt.plan.positives_first == "auto":
        return bool(np.any(prompt.labels == 0))
    return prompt.plan.positives_first == "always"


def _refine(
    decoder: Decoder[_Picture],
    image: _Picture,
    prompts: Sequence[ObjectPrompt],
    result: DecodeResult,
) -> None:
    """Feed masks and their boxes back until each object has had its passes, or is done early."""
    before: dict[int, LogitMap] = {}
    going = list(range(len(prompts)))
    for number in range(max((item.plan.refinements for item in prompts), default=0)):
        # Objects drop out and never come back, so the batch shrinks from pass to pass.
        going = [index for index in going if number < prompts[index].plan.refinements]
        boxes: dict[int, NDArray[np.float64]] = {}
        for index in going:
            # One at a time at the picture's size: SAM-PT's box is that of the enlarged mask.
            mask = decoder.enlarge(result.low_res_logits[index], image.geometry)[0] > 0
            box = _box_of(mask)
            if box is not None and not _is_stable(mask, before.get(index), prompts[index]):
                boxes[index] = box
                if prompts[index].plan.refine_until is not None:
                    before[index] = mask
        going = list(boxes)
        requests = [
            _refinement(prompts[index], box, result.low_res_logits[index, 0], image.geometry)
            for index, box in boxes.items()
        ]
        _overwrite(result, going, decoder, image, requests)


def _is_stable(mask: LogitMap, before: LogitMap | None, prompt: ObjectPrompt) -> bool:
    limit = prompt.plan.refine_until
    if limit is None or before is None:
        return False
    common, either = ((mask & before).sum(), (mask | before).sum())
    return float(common / either) >= limit


def _box_of(mask: LogitMap) -> NDArray[np.float64] | None:
    """Return x0, y0, x1, y1 of the outermost pixels, or None if there are too few of them."""
    if int(mask.sum()) < FEWEST_PIXELS:
        return None
    columns, rows = (np.flatnonzero(mask.any(axis).tolist()) for axis in (0, 1))
    # Indices of pixels, corners included, in double precision: they are scaled later.
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float64)


def _refinement(
    prompt: ObjectPrompt, box: NDArray[np.float64], logits: LogitMap, geometry: Geometry
) -> DecodeRequest:
    """Ask once more; a box that the user drew is better than the one of the mask."""
    if prompt.box is not None:
        return _request(prompt, np.s_[:], mask_input=logits)
    if not prompt.plan.scale_box:
        # What `to_network` will do to it is undone here, so that the network gets picture pixels.
        box = geometry.from_network(box.reshape(2, 2)).reshape(4)
    return DecodeRequest(prompt.points, prompt.labels, box, logits)


def _request(
    prompt: ObjectPrompt, rows: NDArray[np.bool_] | slice, mask_input: LogitMap | None = None
) -> DecodeRequest:
    return DecodeRequest(prompt.points[rows], prompt.labels[rows], prompt.box, mask_input)


def _overwrite(
    result: DecodeResult,
    rows: Sequence[int],
    decoder: Decoder[_Picture],
    image: _Picture,
    requests: Sequence[DecodeRequest],
) -> None:
    """Replace these rows of a result by the answers to the requests."""
    if not rows:
        return
    # One mask in every pass after the first (SAM-PT).
    better = decoder.decode(image, requests, multimask=False)
    result.low_res_logits[rows] = better.low_res_logits
    result.iou[rows] = better.iou
