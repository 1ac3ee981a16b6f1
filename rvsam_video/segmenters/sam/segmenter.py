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
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.model import half_precision
from rvsam_video.segmenters.sam.passes import answer_prompts
from rvsam_video.segmenters.sam.transforms import network_input, to_picture_size
from rvsam_video.weights.devices import choose_device


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
        """Segment all objects of a picture; see `answer_prompts`."""

        def arrays(low_res: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            return self.full_size(embedding, low_res), low_res.cpu().numpy()

        return answer_prompts(self.decoder, embedding, prompts, arrays)

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
