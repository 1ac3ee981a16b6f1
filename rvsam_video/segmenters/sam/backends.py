"""Image encoders run by other runtimes than PyTorch, for the decoder that PyTorch runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rvsam_video.export import KeptNetwork
from rvsam_video.export.runtimes import NetworkRun, check_backend
from rvsam_video.segmenters.sam.exporting import encoder_part
from rvsam_video.segmenters.sam.registry import SamVariant, sam_network
from rvsam_video.segmenters.sam.segmenter import SamSegmenter
from rvsam_video.weights.fetch import file_sha256
from rvsam_video.weights.read import load_state_dict


class ExportedEncoder(nn.Module):
    """An exported image encoder, called like the network that it was made from.

    It runs on the CPU in float32, wherever the pictures are.

    Args:
        run: runs the exported file.
    """

    def __init__(self, run: NetworkRun) -> None:
        super().__init__()
        self._run = run

    def forward(self, images: Tensor) -> Tensor:
        """Encode (B, 3, 1024, 1024) pictures to a (B, 256, 64, 64) float32 embedding."""
        # Whatever autocast made of them: the files take float32 in ordinary memory.
        pictures = images.detach().float().cpu().numpy()
        # One by one: the files are traced for a single picture.
        embeddings = [self._run({"image": picture[None]})[0] for picture in pictures]
        return torch.from_numpy(np.concatenate(embeddings)).to(images.device)


def encoder_on_backend(
    encoder: nn.Module,
    backend: str,
    *,
    name: str,
    weights_sha256: str,
    cache: str | Path | None = None,
) -> nn.Module:
    """Return the image encoder as run by another runtime; exports it on first use.

    Args:
        encoder: with its weights loaded, on the CPU, fused if it has such a form.
        backend: one of `rvsam_video.export.BACKENDS`; "torch" returns `encoder` itself.
        name: of the network, for the file's name.
        weights_sha256: of the file the weights came from; other weights make another file.
        cache: see `KeptNetwork`.

    Raises:
        UsageError: if there is no such backend, or its package is missing.
        OutputError: if the exported file does not compute what the encoder does.
        WeightsError: if the cache cannot be written.
    """
    check_backend(backend)
    if backend == "torch":
        return encoder
    kept = KeptNetwork(
        name=name,
        part="encoder",
        weights_sha256=weights_sha256,
        make=lambda: encoder_part(encoder),
        cache=cache,
    )
    return ExportedEncoder(kept.on(backend))


def with_exported_encoder(variant: SamVariant, weights: Path, backend: str) -> SamSegmenter:
    """Build a segmenter on the CPU whose image encoder another runtime runs.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        weights: a file in the official format.
        backend: what runs the encoder.

    Raises:
        WeightsError: if the weights cannot be read, or are those of another network.
        UsageError: if there is no such backend, or its package is missing.
        OutputError: if the exported file does not compute what the encoder does.
    """
    sam = sam_network(variant, load_state_dict(weights), source=str(weights))
    sam.image_encoder = encoder_on_backend(
        sam.image_encoder, backend, name=variant.name, weights_sha256=file_sha256(weights)
    )
    return SamSegmenter(variant.name, sam, "cpu")
