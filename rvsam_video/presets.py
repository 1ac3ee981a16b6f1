"""Named ways to run: settings with the tracker, the segmenter and the size they are meant for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rvsam_video.errors import unknown_name
from rvsam_video.settings import RestartVariant, SegmentationSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What belongs together.

    Attributes:
        name: of the preset.
        about: one line for people.
        tracker: registry name.
        segmenter: registry name.
        settings: constants of the engine.
        longest_side: pixels of the longest side of the pictures that a `ClipSegmenter` works on;
            None leaves them as they are. Sessions always work on pictures as they are.
        restarts: how a `RestartingClipSegmenter` restarts tracking from predicted masks; None
            follows the first points to the end. Sessions never do.
    """

    name: str
    about: str
    tracker: str
    segmenter: str
    settings: SegmentationSettings
    longest_side: int | None = None
    restarts: RestartVariant | None = None


_PAPER = SegmentationSettings(
    positive_points=16,
    negative_points=1,
    point_selection="kmedoids",
    negative_selection="mixed",
    add_points_to_clicks=False,
    group_size=5,
    refinements=12,
    best_of_three=False,
    score_threshold=0.7,
    border=0.01,
    refill_below=0,
    sam_pt_exact=True,
)

_VARIANTS: Mapping[str, RestartVariant] = {
    # SAM-PT's default has no letter of its own here.
    "paper-reinit": "median-area",
    "paper-reinit-a": "horizon",
    "paper-reinit-b": "median-area",
    "paper-reinit-c": "similar-area",
    "paper-reinit-d": "similar-area-together",
}
"""SAM-PT's four ways to restart tracking, by its letters."""


def _restarting(name: str, variant: RestartVariant) -> Preset:
    return Preset(
        name=name,
        about=f"SAM-PT restarted every 24 frames ({variant}); for whole clips",
        tracker="cotracker1",
        segmenter="repvit-sam",
        settings=_PAPER,
        longest_side=1024,
        restarts=variant,
    )


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        *(_restarting(name, variant) for name, variant in _VARIANTS.items()),
        Preset(
            name="paper",
            about="SAM-PT as published, with its oddities (arXiv:2307.01197, 2312.05760)",
            tracker="cotracker1",
            segmenter="repvit-sam",
            settings=_PAPER,
            longest_side=1024,
        ),
        Preset(
            name="paper-r3",
            about="the same with 3 refinements, as SAM-PT runs light networks",
            tracker="cotracker1",
            segmenter="repvit-sam",
            settings=replace(_PAPER, refinements=3),
            longest_side=1024,
        ),
        Preset(
            name="live",
            about="few points, one or two passes: for cameras",
            tracker="lucas-kanade",
            segmenter="mobile-sam",
            settings=SegmentationSettings(
                positive_points=8, point_selection="kmedoids", negative_selection="random"
            ),
        ),
        Preset(
            name="accurate",
            about="a learned tracker, refined masks",
            tracker="cotracker3-online",
            segmenter="repvit-sam",
            settings=SegmentationSettings(
                point_selection="kmedoids",
                refinements=3,
                refine_until=0.99,
                best_of_three=False,
                score_threshold=0.5,
                border=0.01,
            ),
            longest_side=1024,
        ),
    )
}
"""All presets by name."""


def find_preset(name: str) -> Preset:
    """Return the preset of this name.

    Raises:
        UsageError: if there is none.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]
