"""The segmenters of the SAM family by name: network, published weights and their licence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rvsam_video.weights.fetch import (
    checkpoint_path,
    find_weights,
    load_state_dict,
)

if TYPE_CHECKING:
    from segment_anything.modeling import Sam
    from torch import Tensor, nn

    from rvsam_video.segmenters.sam.segmenter import SamSegmenter


# Imported when built: the names alone must load no torch.
def _repvit() -> nn.Module:
    from rvsam_video.segmenters.sam.repvit import RepViTEncoder

    return RepViTEncoder()


def _repvit_in(state_dict: Mapping[str, Tensor]) -> nn.Module:
    from rvsam_video.segmenters.sam.repvit import RepViTEncoder, repvit_config_of

    return RepViTEncoder(repvit_config_of(state_dict))


def _tiny_vit() -> nn.Module:
    from rvsam_video.segmenters.sam.tiny_vit import TinyViTEncoder

    return TinyViTEncoder()


def _vit_b() -> nn.Module:
    from rvsam_video.segmenters.sam.model import VIT_B, vit_encoder

    return vit_encoder(VIT_B)


def _vit_l() -> nn.Module:
    from rvsam_video.segmenters.sam.model import VIT_L, vit_encoder

    return vit_encoder(VIT_L)


def _vit_h() -> nn.Module:
    from rvsam_video.segmenters.sam.model import VIT_H, vit_encoder

    return vit_encoder(VIT_H)


@dataclass(frozen=True, slots=True)
class SamVariant:
    """A network of the SAM family that there are published weights for.

    Attributes:
        name: registry name, and that of its entry in `rvsam_video.weights.fetch.PUBLISHED`.
        encoder: builds the image encoder without loading weights.
        fusible: whether `rvsam_video.segmenters.sam.fusing.fuse` has an inference form of it.
        sized: builds the image encoder in the size that a checkpoint has; None where there is one
            size only.
    """

    name: str
    encoder: Callable[[], nn.Module]
    fusible: bool
    sized: Callable[[Mapping[str, Tensor]], nn.Module] | None = None

    @property
    def licence(self) -> str:
        """SPDX identifier of the licence of the published weights."""
        return find_weights(self.name).licence


SAM_VARIANTS: Mapping[str, SamVariant] = {
    variant.name: variant
    for variant in (
        SamVariant("repvit-sam", _repvit, fusible=True, sized=_repvit_in),
        SamVariant("mobile-sam", _tiny_vit, fusible=True),
        SamVariant("sam-vit-b", _vit_b, fusible=False),
        SamVariant("sam-vit-l", _vit_l, fusible=False),
        SamVariant("sam-vit-h", _vit_h, fusible=False),
    )
}
"""All segmenters of the family, by name."""

SAM_PARTS = ("encoder", "decoder")
"""What can be exported of each; together they are the whole network."""


def load_sam(
    variant: SamVariant, checkpoint: str | Path | None = None, device: str = "auto"
) -> SamSegmenter:
    """Build a segmenter with weights from a file.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        checkpoint: a file in the official format; None takes the published one, which is
            downloaded on first use.
        device: "auto", or a PyTorch device.

    Raises:
        WeightsError: if the weights cannot be had, or are those of another network.
        UsageError: if there is no such device.
    """
    path = checkpoint_path(variant.name) if checkpoint is None else Path(checkpoint)
    return sam_with_weights(variant, load_state_dict(path), source=str(path), device=device)


def sam_with_weights(
    variant: SamVariant, state_dict: Mapping[str, Tensor], *, source: str, device: str = "auto"
) -> SamSegmenter:
    """Build a segmenter with given weights.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        state_dict: names and tensors of the official checkpoint.
        source: where they are from, for messages.
        device: "auto", or a PyTorch device.

    Raises:
        WeightsError: if the weights are those of another network.
        UsageError: if there is no such device.
    """
    from rvsam_video.segmenters.sam.segmenter import SamSegmenter

    sam = sam_network(variant, state_dict, source=source)
    return SamSegmenter(variant.name, sam, device)


def _fitting_variants(state_dict: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the networks that have exactly these names and shapes of weights."""
    import torch

    from rvsam_video.segmenters.sam.model import sam_around
    from rvsam_video.weights.read import same_entries

    # On a device without memory or values: only names and shapes are looked at.
    with torch.device("meta"):
        return [
            other.name
            for other in SAM_VARIANTS.values()
            if same_entries(sam_around(other.encoder()), state_dict)
        ]


def sam_network(variant: SamVariant, state_dict: Mapping[str, Tensor], *, source: str) -> Sam:
    """Build a whole network on the CPU, its image encoder in the inference form if it has one.

    Args:
        variant: an entry of `SAM_VARIANTS`.
        state_dict: names and tensors of the official checkpoint.
        source: where they are from, for messages.

    Raises:
        WeightsError: if the weights are those of another network.
    """
    from rvsam_video.segmenters.sam.fusing import fuse
    from rvsam_video.segmenters.sam.model import sam_around
    from rvsam_video.weights.read import load_checked

    # Trained checkpoints come in other sizes than the published one.
    encoder = variant.encoder() if variant.sized is None else variant.sized(state_dict)
    sam = sam_around(encoder)
    load_checked(sam, state_dict, source, partial(_fitting_variants, state_dict))
    # After loading: the checkpoint has the names of the trained form.
    if variant.fusible:
        sam.image_encoder = fuse(sam.image_encoder)
    return sam
