"""The published CoTracker networks by name, and how the streaming tracker uses one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...part_settings import Words
from .grids import SupportGrid


@dataclass(frozen=True, slots=True, kw_only=True)
class CoTrackerSettings:
    """What is left to choose once the network is there.

    Attributes:
        network_size: (width, height) in pixels that frames are resized to, whatever their shape;
            None leaves them as they are. The networks were trained at 512 x 384.
        iterations: refinements of each window; 6 in all public predictors.
        visibility_threshold: a point is visible above this score. 0.6 is the public choice for
            streaming, 0.9 for whole clips.
        use_confidence: the score is the visibility times the confidence, which version 3 has; else
            the visibility alone. The public code has both for one network: the product for
            streaming and in its evaluations, the visibility alone for whole clips (offline).
        pin_query: in its own frame a point is where it was put, and visible, whatever the
            network says.
        leave_out_waiting: keep points out of windows that end before their query frame. Version
            1 always does. The public code of versions 2 and 3 lets them take part, so that a
            point may touch the others before it is there.
        support: points added to every group to steady it; None for none.
        fill_short: treat a video shorter than a window as if its last frame had been filmed
            until the window is full, as SAM-PT does.
        whole_video: one window over the whole video, answered at its end; only for version 3
            offline. Memory then grows with the video.
    """

    network_size: tuple[int, int] | None = (512, 384)
    iterations: int = 6
    visibility_threshold: float = 0.6
    use_confidence: bool = True
    pin_query: bool = True
    leave_out_waiting: bool = False
    support: SupportGrid | None = None
    fill_short: bool = False
    whole_video: bool = False


_SUPPORT = SupportGrid(6)
"""6 x 6 points in the first frame: what the public predictors add to query points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoTrackerVariant:
    """A CoTracker network that there are published weights for.

    The three networks of version 1 have the same names and shapes in their weights: stride and
    window follow from the name of the variant alone.

    Attributes:
        name: registry name, and that of its entry in `rvsam_video.weights.fetch.PUBLISHED`.
        version: 1, 2 or 3.
        window: frames of a window that the weights were trained for.
        stride: pixels of the network's pictures per cell of its features.
        settings: the choices of the public predictor of this network. Version 3 offline looks at
            60 frames at a time and goes on from half of them, so that memory is bounded: its
            numbers are the public ones for videos up to 60 frames. With `whole_video` they are
            for all, and memory grows.
        any_length: a window may have any number of frames (version 3 offline).
        evaluation: settings of the public evaluation on TAP-Vid, where they are others.
    """

    name: str
    version: int
    window: int
    stride: int = 4
    settings: CoTrackerSettings
    any_length: bool = False
    evaluation: Words = ()


def _version1(name: str, window: int, stride: int) -> CoTrackerVariant:
    settings = CoTrackerSettings(visibility_threshold=0.9, support=_SUPPORT)
    return CoTrackerVariant(name=name, version=1, window=window, stride=stride, settings=settings)


def _version2(name: str, window: int) -> CoTrackerVariant:
    settings = CoTrackerSettings(visibility_threshold=0.6, support=_SUPPORT)
    return CoTrackerVariant(name=name, version=2, window=window, settings=settings)


def _online(name: str) -> CoTrackerVariant:
    settings = CoTrackerSettings(visibility_threshold=0.6)
    return CoTrackerVariant(name=name, version=3, window=16, settings=settings)


def _offline(name: str) -> CoTrackerVariant:
    settings = CoTrackerSettings(visibility_threshold=0.9, use_confidence=False, support=_SUPPORT)
    return CoTrackerVariant(
        name=name,
        version=3,
        window=60,
        settings=settings,
        any_length=True,
        evaluation=(("visibility_threshold", "0.6"), ("use_confidence", "yes")),
    )


COTRACKER_VARIANTS: Mapping[str, CoTrackerVariant] = {
    variant.name: variant
    for variant in (
        _version1("cotracker1", window=8, stride=4),
        _version1("cotracker1-wind12", window=12, stride=4),
        _version1("cotracker1-stride8", window=16, stride=8),
        _version2("cotracker2", window=8),
        _version2("cotracker2.1", window=16),
        _online("cotracker3-online"),
        _offline("cotracker3-offline"),
        _online("cotracker3-online-baseline"),
        _offline("cotracker3-offline-baseline"),
    )
}
"""All published networks, by name."""
