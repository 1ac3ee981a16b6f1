"""`ExportedSam`: segmenters of the SAM family run by another runtime, without PyTorch.

The image encoder and the decoder with its prompts are files, exported on first use. Everything
else is done with NumPy and OpenCV, in the order of the public code. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.export import ExportPart, KeptNetwork
from rvsam_video.export.parts import ExportRequest
from rvsam_video.export.runtimes import NetworkRun, check_backend, check_on_cpu
from rvsam_video.frame import Image
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt
from rvsam_video.segmenters.sam.geometry import (
    IMAGE_SIZE,
    LOGITS_SIDE,
    PER_LOGIT,
    PIXEL_MEAN,
    PIXEL_STD,
    Geometry,
    resize_longest_side,
)
from rvsam_video.segmenters.sam.passes import answer_prompts
from rvsam_video.segmenters.sam.prompts import (
    NOT_A_POINT,
    DecodeRequest,
    DecodeResult,
    prompt_rows,
)
from rvsam_video.segmenters.sam.registry import SAM_PARTS, SamVariant
from rvsam_video.weights.fetch import checkpoint_path, file_sha256

if TYPE_CHECKING:
    from rvsam_video.segmenters.sam.segmenter import SamSegmenter

_SINGLE, _MULTIPLE = 0, (1, 2, 3)
"""Which of the decoder's four masks answer an unambiguous and an ambiguous prompt."""

_NO_POINT_LABEL = -1
"""What an exported decoder calls SAM's own extra token."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImage:
    """A picture that is ready for the decoder.

    Attributes:
        geometry: size of the picture.
        embedding: (1, 256, 64, 64) float32.
    """

    geometry: Geometry
    embedding: NDArray[np.float32]


class ExportedDecoder:
    """A mask decoder as a file; it is asked object by object. See `passes.Decoder`.

    Args:
        run: runs the file.
    """

    def __init__(self, run: NetworkRun) -> None:
        self._run = run

    def decode(
        self, image: EncodedImage, requests: Sequence[DecodeRequest], *, multimask: bool
    ) -> DecodeResult:
        """Decode objects to one mask each, or three (M = 1 or 3)."""
        chosen = list(_MULTIPLE) if multimask else [_SINGLE]
        return _result([self._one(image, request, chosen) for request in requests], len(chosen))

    def decode_best(
        self, image: EncodedImage, requests: Sequence[DecodeRequest], ambiguous: Sequence[bool]
    ) -> DecodeResult:
        """Decode objects to one mask each (M = 1), the best of three where marked."""
        found = []
        for request, marked in zip(requests, ambiguous, strict=True):
            logits, iou = self._one(image, request, list(_MULTIPLE) if marked else [_SINGLE])
            best = int(iou.argmax())
            found.append((logits[best : best + 1], iou[best : best + 1]))
        return _result(found, 1)

    def enlarge(
        self, low_res_logits: NDArray[np.float32], geometry: Geometry
    ) -> NDArray[np.float32]:
        """Enlarge (B, 256, 256) logits to the picture's size, (B, H, W) float32.

        To 1024, cut off the padding, to the picture; as `transforms.to_picture_size`.
        """
        return np.stack([_enlarged(logits, geometry) for logits in low_res_logits])

    def _one(
        self, image: EncodedImage, request: DecodeRequest, masks: list[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits (M, 256, 256) and predicted IoUs (M,) of one object."""
        xy, kinds = prompt_rows(request, image.geometry)
        labels = np.where(kinds == NOT_A_POINT, _NO_POINT_LABEL, kinds).astype(np.float32)
        mask = np.zeros((LOGITS_SIDE, LOGITS_SIDE), np.float32)
        if request.mask_input is not None:
            mask = np.asarray(request.mask_input, np.float32)
        logits, iou = self._run(
            {
                "image_embeddings": image.embedding,
                "point_coords": xy[None],
                "point_labels": labels[None],
                "mask_input": mask[None, None],
                "has_mask_input": np.array([request.mask_input is not None], np.float32),
            }
        )
        return logits[0, masks], iou[0, masks]


def _result(
    found: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], masks: int
) -> DecodeResult:
    none = (0, masks, LOGITS_SIDE, LOGITS_SIDE)
    return DecodeResult(
        np.concatenate([np.zeros(none, np.float32), *(logits[None] for logits, _ in found)]),
        np.concatenate([np.zeros(none[:2], np.float32), *(iou[None] for _, iou in found)]),
    )


def _enlarged(logits: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    columns, rows = geometry.logits_part
    part = np.ascontiguousarray(logits[:rows, :columns])
    size = (columns * PER_LOGIT, rows * PER_LOGIT)
    width, height = geometry.resized
    # OpenCV's linear interpolation is between pixel centres, without antialiasing.
    inside = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    wanted = (geometry.width, geometry.height)
    return np.asarray(cv2.resize(inside, wanted, interpolation=cv2.INTER_LINEAR), np.float32)


class ExportedSam:
    """A network of the SAM family that another runtime runs on the CPU.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        weights: the file of weights that its files are made from, on first use.
        backend: what runs them.
        cache: see `KeptNetwork`.

    Attributes:
        name: registry name.
        decoder: the mask decoder, for prompts and passes of one's own.

    Raises:
        UsageError: if there is no such backend, or its package is missing.
        OutputError: if an exported file does not compute what PyTorch does.
        WeightsError: if the weights cannot be read, or the cache not be written.
    """

    def __init__(
        self, variant: SamVariant, weights: Path, backend: str, cache: Path | None = None
    ) -> None:
        check_backend(backend)
        self.name = variant.name
        self._variant, self._weights, self._backend = variant, weights, backend
        digest = file_sha256(weights)
        encoder, decoder = (
            KeptNetwork(
                name=variant.name,
                part=part,
                weights_sha256=digest,
                make=partial(self._make, part),
                cache=cache,
            ).on(backend)
            for part in SAM_PARTS
        )
        self._encode = encoder
        self.decoder = ExportedDecoder(decoder)

    def embed(self, image: Image) -> EncodedImage:
        """Encode a picture; `image` is (H, W, 3) uint8 RGB."""
        (embedding,) = self._encode({"image": _network_picture(image)})
        return EncodedImage(Geometry.of(image), embedding)

    def predict(
        self, embedding: EncodedImage, prompts: Sequence[ObjectPrompt]
    ) -> list[MaskPrediction]:
        """Segment all objects of a picture; see `answer_prompts`."""

        def arrays(
            low_res: NDArray[np.float32],
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            return self.full_size(embedding, low_res), low_res

        return answer_prompts(self.decoder, embedding, prompts, arrays)

    def full_size(
        self, image: EncodedImage, low_res_logits: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Enlarge (B, 256, 256) logits of the decoder to the picture's size, (B, H, W) float32."""
        geometry = image.geometry
        out = np.empty((len(low_res_logits), geometry.height, geometry.width), np.float32)
        for row, logits in zip(out, low_res_logits, strict=True):
            row[:] = _enlarged(logits, geometry)
        return out

    def with_torch(self) -> SamSegmenter:
        """Return the same with a decoder run by PyTorch, as everything mode needs."""
        from rvsam_video.segmenters.sam.backends import with_exported_encoder

        return with_exported_encoder(self._variant, self._weights, self._backend)

    def _make(self, part: str) -> ExportPart:
        from rvsam_video.segmenters.sam.exporting import sam_part

        return sam_part(self._variant, ExportRequest(part=part, weights=self._weights))


def load_exported_sam(
    variant: SamVariant, checkpoint: str | Path | None, device: str, backend: str
) -> ExportedSam:
    """Build a segmenter that another runtime runs, from a file of weights.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        checkpoint: a file in the official format; None takes the published one, which is
            downloaded on first use.
        device: "auto" or "cpu".
        backend: what runs it, one of `rvsam_video.export.BACKENDS` but "torch".

    Raises:
        UsageError: if there is no such backend, its package is missing, or the device is another.
        OutputError: if an exported file does not compute what PyTorch does.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    check_on_cpu(device, backend)
    path = checkpoint_path(variant.name) if checkpoint is None else Path(checkpoint)
    return ExportedSam(variant, path, backend)


def _network_picture(image: Image) -> NDArray[np.float32]:
    """Return the (1, 3, 1024, 1024) float32 picture that encoders take, see `network_input`."""
    pixels = resize_longest_side(image).astype(np.float32)
    normal = (pixels - np.array(PIXEL_MEAN, np.float32)) / np.array(PIXEL_STD, np.float32)
    square = np.zeros((1, 3, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    square[0, :, : pixels.shape[0], : pixels.shape[1]] = normal.transpose(2, 0, 1)
    return square
