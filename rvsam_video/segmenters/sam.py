"""`SamSegmenter`: segmenters of the SAM family, all objects of a picture in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.modeling import Sam
from torch import Tensor

from rvsam_video.frame import Image
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.devices import choose_device
from rvsam_video.segmenters.sam_decoder import BatchedDecoder, DecodeResult, PreparedImage
from rvsam_video.segmenters.sam_model import half_precision
from rvsam_video.segmenters.sam_prompts import DecodeRequest
from rvsam_video.segmenters.sam_transforms import Geometry, network_input, to_picture_size

_CERTAIN_LOGIT = 10.0
"""Logit of pixels that a user's mask, or the lack of any prompt, decides."""


class SamSegmenter:
    """A network of the SAM family that segments all objects of a picture together.

    An object with negative points is decoded twice, as SAM-PT (arXiv:2307.01197) does: first
    without them, then with all points and the first answer as mask input.

    Args:
        name: registry name.
        sam: the whole network with loaded weights; its encoder may be fused. It is moved to the
            device and put into evaluation mode.
        device: "auto", or a PyTorch device.

    Attributes:
        name: registry name.
        device: where the network runs.
        decoder: the mask decoder, for prompts and passes of one's own.

    Raises:
        UsageError: if there is no such device.
    """

    def __init__(self, name: str, sam: Sam, device: str = "auto") -> None:
        self.name = name
        self.device = choose_device(device)
        sam = sam.to(self.device).eval()
        self._encoder = sam.image_encoder
        self.decoder = BatchedDecoder(sam.prompt_encoder, sam.mask_decoder)

    @torch.inference_mode()
    def embed(self, image: Image) -> PreparedImage:
        """Encode a picture; `image` is (H, W, 3) uint8 RGB."""
        with half_precision(self.device):
            embedding = self._encoder(network_input(image, self.device))
        return self.decoder.prepare(embedding, Geometry.of(image))

    @torch.inference_mode()
    def predict(
        self, embedding: PreparedImage, prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        """Segment all objects of a picture; one prediction per prompt, in order.

        A mask given by the user is the answer. An object without a box or a positive point is not
        looked for: its mask is empty and its score 0.

        Returns:
            Logits at the picture's size, (H, W) float32; scores are predicted IoUs, within 0 to 1.
        """
        shape = (embedding.geometry.height, embedding.geometry.width)
        asked = [index for index, prompt in enumerate(prompts) if _is_looked_for(prompt)]
        result = self._decode(embedding, [prompts[index] for index in asked])
        logits = self.full_size(embedding, result.low_res_logits[:, 0])
        scores = result.iou[:, 0].clamp(0, 1).tolist()
        answers = [_certain(prompt, shape) for prompt in prompts]
        for row, index in enumerate(asked):
            answers[index] = MaskPrediction(logits[row], scores[row])
        return answers

    @torch.inference_mode()
    def full_size(self, image: PreparedImage, low_res_logits: Tensor) -> NDArray[np.float32]:
        """Enlarge (B, 256, 256) logits of the decoder to the picture's size.

        Returns:
            (B, H, W) float32.
        """
        geometry = image.geometry
        out = np.empty((len(low_res_logits), geometry.height, geometry.width), np.float32)
        for row, logits in zip(out, low_res_logits, strict=True):
            row[:] = to_picture_size(logits[None], geometry)[0].cpu().numpy()
        return out

    def _decode(self, image: PreparedImage, prompts: Sequence[ObjectPrompt]) -> DecodeResult:
        first = [_request(prompt, prompt.labels == 1, None) for prompt in prompts]
        result = self.decoder.decode_best(image, first, [_is_one_click(p) for p in prompts])
        again = [index for index, prompt in enumerate(prompts) if np.any(prompt.labels == 0)]
        if not again:
            return result
        second = [
            _request(prompts[index], np.s_[:], result.low_res_logits[index, 0]) for index in again
        ]
        better = self.decoder.decode(image, second, multimask=False)
        result.low_res_logits[again] = better.low_res_logits
        result.iou[again] = better.iou
        return result


def _is_looked_for(prompt: ObjectPrompt) -> bool:
    return prompt.mask is None and (prompt.box is not None or bool(np.any(prompt.labels == 1)))


def _is_one_click(prompt: ObjectPrompt) -> bool:
    """Whether a prompt could mean a part as well as a whole: SAM has three answers to those."""
    return prompt.box is None and len(prompt.points) == 1


def _request(
    prompt: ObjectPrompt, rows: NDArray[np.bool_] | slice, mask_input: Tensor | None
) -> DecodeRequest:
    return DecodeRequest(prompt.points[rows], prompt.labels[rows], prompt.box, mask_input)


def _certain(prompt: ObjectPrompt, shape: tuple[int, int]) -> MaskPrediction:
    if prompt.mask is None:
        return MaskPrediction(np.full(shape, -_CERTAIN_LOGIT, np.float32), 0.0)
    given = np.where(prompt.mask, _CERTAIN_LOGIT, -_CERTAIN_LOGIT).astype(np.float32)
    return MaskPrediction(given, 1.0)
