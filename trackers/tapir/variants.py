"""The published TAPIR networks by name, and how a tracker uses one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...errors import UsageError

BASE_SIDE = 256
"""Side in pixels of the square pictures that points are looked for in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapirSettings:
    """What is left to choose once the network is there.

    Attributes:
        resolution: side in pixels of the square that frames are resized to, whatever their shape.
            With 512 points are refined at 256 and then again at 512: five times the work on each
            frame, twice that on each point, and twice the state.
        temperature: factor of the first guess before its softmax. The public PyTorch code has 20
            for all networks, the public JAX configuration of BootsTAPIR 10; first guesses differ
            by up to 2.4 pixels of 256, and nobody has said which is better.
        mean_of_sizes: at 512, answer with the mean of what both sizes came to, as the public
            code does for whole clips, instead of the last. At 256 there is only one.
        visibility_threshold: a point is visible if the network thinks so with more confidence:
            not hidden, and less than 6 pixels off.
        pin_query: in its own frame a point is where it was put, and visible, whatever the
            network says.
        points_at_once: points that go through the network together. More need more memory for
            maps, fewer read the weights more often; no number changes what a point is given.
        half: half precision on GPUs where PyTorch thinks it safe; numbers then differ from the
            public ones by more than rounding.
    """

    resolution: Literal[256, 512] = 256
    temperature: float = 20.0
    mean_of_sizes: bool = False
    visibility_threshold: float = 0.5
    pin_query: bool = True
    points_at_once: int = 128
    half: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no network could be used with.

        Raises:
            UsageError: naming the value and what is allowed.
        """
        if self.resolution not in {256, 512}:
            raise UsageError(f"resolution is {self.resolution}; it must be 256 or 512")
        if self.points_at_once < 1:
            raise UsageError(f"points_at_once is {self.points_at_once}; it must be at least 1")


def sizes_of(settings: TapirSettings) -> tuple[int, ...]:
    """Return the sides of the pictures that points are refined on, 256 first."""
    return tuple(dict.fromkeys((BASE_SIDE, int(settings.resolution))))


@dataclass(frozen=True, slots=True, kw_only=True)
class TapirClipSettings(TapirSettings):
    """The same for networks that look at frames before and after each frame.

    Attributes:
        window: frames that are looked at together. A clip that is not longer is answered as the
            public code does it; of a longer one every frame is answered from a window around it.
        margin: frames of a window, at either end, that are answered from another one, where
            there is one. One refinement looks at 24 frames on either side, all four at 96.
        whole_video: one window over the whole video, answered at its end; memory then grows
            with the video.
    """

    mean_of_sizes: bool = True
    window: int = 96
    margin: int = 24
    whole_video: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no network could be used with.

        Raises:
            UsageError: naming the value and what is allowed.
        """
        TapirSettings.__post_init__(self)
        if self.margin < 0 or self.window <= 2 * self.margin:
            msg = (
                f"window is {self.window} and margin {self.margin}; a window must be longer than "
                "its two margins"
            )
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class TapirVariant:
    """A TAPIR network that there are published weights for.

    Weights of the online and the offline BootsTAPIR have the same names and shapes: which of them
    a file holds, its name alone says.

    Attributes:
        name: registry name, and that of its entry in `rvsam_video.weights.fetch.PUBLISHED`.
        causal: whether a frame is answered from it and those before; else those after are looked
            at as well.
        levels: pyramid levels that places are compared on.
        extra_convs: whether the encoder has BootsTAPIR's five blocks on its coarse map.
        settings: the choices of the public code for this network.
    """

    name: str
    causal: bool = False
    levels: int = 3
    extra_convs: bool = True
    settings: TapirSettings = TapirClipSettings()


TAPIR_VARIANTS: Mapping[str, TapirVariant] = {
    variant.name: variant
    for variant in (
        TapirVariant(name="tapir-online", causal=True, settings=TapirSettings()),
        TapirVariant(name="tapir-offline"),
        TapirVariant(name="tapir-offline-baseline", levels=2, extra_convs=False),
    )
}
"""All published networks, by name."""

ENCODER, DESCRIBE, STEP = TAPIR_PARTS = ("encoder", "describe", "step")
"""What can be exported of each online network; together they are the whole of it."""

_LEVELS = ("high", "low", "lowest")

DESCRIBED_LEVELS = 2
"""Maps of each size that points are described by."""


def map_names(levels: int, settings: TapirSettings) -> tuple[str, ...]:
    """Return what the maps of a picture are called, in their order, with so many of each size."""
    return tuple(f"{level}_{size}" for size in sizes_of(settings) for level in _LEVELS[:levels])
