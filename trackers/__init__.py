"""Point trackers: by name through `create_tracker`, or each from its own module.

In come frames and query points; out come places, visibility and confidence, frame by frame. Own
trackers plug in by `register_tracker`, or from a package by the entry points
`rvsam_video.trackers`. Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..export.parts import ExportPart, ExportRequest, Exports
from ..part_settings import Words
from ..registry import Registry
from ..weights.fetch import describe_weights
from .base import (
    ClipTracker,
    PointTracker,
    QueryPoints,
    TrackedPoints,
    TrackerState,
)
from .cotracker.variants import COTRACKER_VARIANTS, CoTrackerVariant
from .lucas_kanade.settings import LucasKanadeSettings
from .tapir.variants import TAPIR_PARTS, TAPIR_VARIANTS, TapirVariant

__all__ = [
    "COTRACKER_VARIANTS",
    "TAPIR_VARIANTS",
    "TRACKERS",
    "ClipTracker",
    "PointTracker",
    "QueryPoints",
    "TrackedPoints",
    "TrackerEntry",
    "TrackerRequest",
    "TrackerState",
    "create_tracker",
    "register_tracker",
    "tracker_names",
    "tracker_weights",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerRequest:
    """What a tracker is built with.

    Attributes:
        settings: of the type that the tracker declared; its defaults unless told otherwise.
        checkpoint: a file of weights; None takes the published ones.
        device: "auto", or a PyTorch device.
        backend: what runs the network: "torch", or another runtime for trackers that have exports.
    """

    settings: Any = None
    checkpoint: Path | None = None
    device: str = "auto"
    backend: str = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerEntry:
    """A tracker by name.

    Attributes:
        build: makes it.
        settings: the defaults of its settings, a frozen dataclass whose fields become options;
            None for none.
        network: whether it has weights and runs on a device.
        evaluation: settings that its public evaluation on TAP-Vid has, where they are others.
        exports: what can be exported of it, for other runtimes; None for nothing.
    """

    build: Callable[[TrackerRequest], PointTracker]
    settings: Any = None
    network: bool = False
    evaluation: Words = ()
    exports: Exports | None = None


def _lucas_kanade(request: TrackerRequest) -> PointTracker:
    from .lucas_kanade.tracker import LucasKanade

    return LucasKanade(request.settings)


def _cotracker(variant: CoTrackerVariant, request: TrackerRequest) -> PointTracker:
    from .cotracker.loading import load_cotracker

    return load_cotracker(variant, request.checkpoint, request.device, request.settings)


def _tapir(variant: TapirVariant, request: TrackerRequest) -> PointTracker:
    if request.backend != "torch":
        from .tapir.exported import load_exported_tapir

        return load_exported_tapir(
            variant, request.checkpoint, request.device, request.backend, request.settings
        )
    from .tapir.loading import load_tapir

    return load_tapir(variant, request.checkpoint, request.device, request.settings)


def _tapir_part(variant: TapirVariant, request: ExportRequest) -> ExportPart:
    from .tapir.exporting import tapir_part

    return tapir_part(variant, request)


TRACKERS: Registry[TrackerEntry] = Registry(
    "tracker",
    {
        "lucas-kanade": TrackerEntry(build=_lucas_kanade, settings=LucasKanadeSettings()),
        **{
            name: TrackerEntry(
                build=partial(_cotracker, variant),
                settings=variant.settings,
                network=True,
                evaluation=variant.evaluation,
            )
            for name, variant in COTRACKER_VARIANTS.items()
        },
        **{
            name: TrackerEntry(
                build=partial(_tapir, variant),
                settings=variant.settings,
                network=True,
                exports=Exports(TAPIR_PARTS, partial(_tapir_part, variant))
                if variant.causal
                else None,
            )
            for name, variant in TAPIR_VARIANTS.items()
        },
    },
)
"""All trackers by name."""


def register_tracker(
    name: str, *, settings: object = None, network: bool = False, exports: Exports | None = None
) -> Callable[[Callable[[TrackerRequest], PointTracker]], Callable[[TrackerRequest], PointTracker]]:
    """Give a tracker a name, by which commands, the page and Python know it.

    Args:
        name: what it is called.
        settings: the defaults of its settings, an instance of a frozen dataclass; its fields
            become `--tracker-option` values.
        network: whether it takes weights and a device.
        exports: what can be exported of it, if other runtimes can run it.

    Returns:
        a decorator for the function that builds it from a `TrackerRequest`.

    Raises:
        UsageError: when it is applied, if the name is that of a tracker of this package.

    Example:
        >>> @register_tracker("still")
        ... def still(request: TrackerRequest) -> PointTracker:
        ...     return Still()
    """

    def register(
        build: Callable[[TrackerRequest], PointTracker],
    ) -> Callable[[TrackerRequest], PointTracker]:
        TRACKERS.add(
            name, TrackerEntry(build=build, settings=settings, network=network, exports=exports)
        )
        return build

    return register


def tracker_names() -> list[str]:
    """Return the names that `create_tracker` knows."""
    return sorted(TRACKERS.names())


def create_tracker(
    name: str,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    settings: object = None,
    backend: str = "torch",
) -> PointTracker:
    """Build the point tracker of this name.

    Args:
        name: one of `tracker_names`.
        checkpoint: a file of weights in the official format; None takes the published weights,
            which are downloaded on first use.
        device: "auto" (CUDA, else Apple's GPU, else the CPU), or a PyTorch device.
        settings: of the type that the tracker declares; None takes its defaults.
        backend: what runs the network: "torch", "onnxruntime" or "openvino".

    Raises:
        UsageError: if the name is unknown, there is no such device or backend, or nothing but
            PyTorch can run it.
        WeightsError: if the weights cannot be had, or are those of another network.
    """
    entry = TRACKERS.find(name)
    own = checkpoint is None and device in {"auto", "cpu"} and backend == "torch"
    if not entry.network and not own:
        msg = (
            f"{name} has no weights and runs on the CPU; leave out the checkpoint, the device and "
            "the backend"
        )
        raise UsageError(msg)
    if backend != "torch" and entry.exports is None:
        able = [known for known in TRACKERS.names() if TRACKERS.find(known).exports is not None]
        msg = f"{backend} cannot run {name}; leave out the backend, or choose {' or '.join(able)}"
        raise UsageError(msg)
    return entry.build(
        TrackerRequest(
            settings=entry.settings if settings is None else settings,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            device=device,
            backend=backend,
        )
    )


def tracker_weights(name: str, checkpoint: str | Path | None = None) -> dict[str, str]:
    """Return file, sha256, licence and citation of a tracker's weights; empty if it has none.

    Args:
        name: one of `tracker_names`, already created with this checkpoint.
        checkpoint: as for `create_tracker`.

    Raises:
        WeightsError: if the file is not there.
    """
    return describe_weights(name, checkpoint) if TRACKERS.find(name).network else {}
