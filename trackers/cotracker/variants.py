"""The published CoTracker networks by name: how each is built, and how it was meant to be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rvsam_video.trackers.cotracker.grids import SupportGrid
from rvsam_video.trackers.cotracker.settings import CoTrackerSettings

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
    """

    name: str
    version: int
    window: int
    stride: int = 4
    settings: CoTrackerSettings
    any_length: bool = False


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
    settings = CoTrackerSettings(visibility_threshold=0.6, support=_SUPPORT)
    return CoTrackerVariant(name=name, version=3, window=60, settings=settings, any_length=True)


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
