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
from rvsam_video.segmenters.sam.decoder import BatchedDecoder, PreparedImage
from rvsam_video.segmenters.sam.model import half_precision
from rvsam_video.segmenters.sam.passes import decode_passes, is_looked_for
from rvsam_video.segmenters.sam.transforms import Geometry, network_input, to_picture_size
from rvsam_video.weights.devices import choose_device

_CERTAIN_LOGIT = 10.0
"""Logit of pixels that a user's mask, or the lack of any prompt, decides."""


class SamSegmenter:
    """A network of the SAM family that segments all objects of a picture together.

    How often each is decoded, and with what, is up to the plan of its prompt; see `passes`.

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
        # The encoder only: it is nearly all of the work, and masks stay in single precision.
        with half_precision(self.device):
            embedding = self._encoder(network_input(image, self.device))
        return self.decoder.prepare(embedding, Geometry.of(image))

    @torch.inference_mode()
    def predict(
        self, embedding: PreparedImage, prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        """Segment all objects of a picture; one prediction per prompt, in order.

        A mask given by the user is the answer. An object without a box or a positive point is not
        looked for, unless its plan says so: its mask is empty and its score 0.

        Returns:
            Logits at the picture's size, (H, W) float32, and (256, 256) as the decoder gives them;
            scores are predicted IoUs, within 0 to 1.
        """
        shape = (embedding.geometry.height, embedding.geometry.width)
        asked = [index for index, prompt in enumerate(prompts) if is_looked_for(prompt)]
        result = decode_passes(self.decoder, embedding, [prompts[index] for index in asked])
        low_res = result.low_res_logits[:, 0]
        logits, kept = self.full_size(embedding, low_res), low_res.cpu().numpy()
        answers = [_certain(prompt, shape) for prompt in prompts]
        for row, index in enumerate(asked):
            score = float(result.iou[row, 0])
            # Regressed without a limit: scores a little above 1 can occur.
            if prompts[index].plan.clip_score:
                score = min(max(score, 0), 1)
            answers[index] = MaskPrediction(logits[row], score, low_res_logits=kept[row])
        return answers

    @torch.inference_mode()
    def full_size(self, image: PreparedImage, low_res_logits: Tensor) -> NDArray[np.float32]:
        """Enlarge (B, 256, 256) logits of the decoder to the picture's size.

        Returns:
            (B, H, W) float32.
        """
        geometry = image.geometry
        out = np.empty((len(low_res_logits), geometry.height, geometry.width), np.float32)
        # One by one: the square between the two enlargements takes up to 4 MiB an object.
        for row, logits in zip(out, low_res_logits, strict=True):
            row[:] = to_picture_size(logits[None], geometry)[0].cpu().numpy()
        return out


def _certain(prompt: ObjectPrompt, shape: tuple[int, int]) -> MaskPrediction:
    if prompt.mask is None:
        empty = np.full(shape, -_CERTAIN_LOGIT, np.float32)
        return MaskPrediction(empty, 0.0, prompted=False)
    given = np.where(prompt.mask, _CERTAIN_LOGIT, -_CERTAIN_LOGIT).astype(np.float32)
    return MaskPrediction(given, 1.0)
