"""Promptable segmenters: by name through `create_segmenter`, or each from its own module."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from rvsam_video.errors import UsageError
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt, Segmenter
from rvsam_video.segmenters.sam.registry import SAM_VARIANTS, load_sam
from rvsam_video.weights.fetch import describe_weights

__all__ = [
    "SAM_VARIANTS",
    "MaskPrediction",
    "ObjectPrompt",
    "Segmenter",
    "create_segmenter",
    "segmenter_names",
    "weights_of",
]


def _grabcut(checkpoint: str | Path | None, device: str, backend: str) -> Segmenter:
    from rvsam_video.segmenters.grabcut.segmenter import GrabCut

    if checkpoint is not None or device not in ("auto", "cpu") or backend != "torch":
        msg = (
            "grabcut has no weights and runs on the CPU; leave out the checkpoint, the device and "
            "the backend"
        )
        raise UsageError(msg)
    return GrabCut()


_FACTORIES: dict[str, Callable[[str | Path | None, str, str], Segmenter]] = {
    "grabcut": _grabcut,
    **{name: partial(load_sam, variant) for name, variant in SAM_VARIANTS.items()},
}


def segmenter_names() -> list[str]:
    """Return the names that `create_segmenter` knows."""
    return sorted(_FACTORIES)


def create_segmenter(
    name: str,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    backend: str = "torch",
) -> Segmenter:
    """Build the segmenter of this name with its default settings.

    Args:
        name: one of `segmenter_names`.
        checkpoint: a file of weights in the official format; None takes the published weights,
            which are downloaded on first use.
        device: "auto" (CUDA, else Apple's GPU, else the CPU), or a PyTorch device.
        backend: what runs the image encoder: "torch", "onnxruntime" or "openvino".

    Raises:
        UsageError: if the name is unknown, or there is no such device or backend.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    if name not in _FACTORIES:
        msg = f"there is no segmenter named {name!r}; choose one of: {', '.join(segmenter_names())}"
        raise UsageError(msg)
    return _FACTORIES[name](checkpoint, device, backend)


def weights_of(name: str, checkpoint: str | Path | None = None) -> dict[str, str]:
    """Return file, sha256, licence and citation of a segmenter's weights; empty if it has none.

    Args:
        name: one of `segmenter_names`, already created with this checkpoint.
        checkpoint: as for `create_segmenter`.

    Raises:
        WeightsError: if the file is not there.
    """
    return describe_weights(name, checkpoint) if name in SAM_VARIANTS else {}
