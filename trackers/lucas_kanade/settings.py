"""`LucasKanadeSettings`: how points are followed, dropped and found again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LucasKanadeSettings:
    """How points are followed, dropped and found again.

    Attributes:
        window: side of the window whose motion is measured, in pixels. 21 holds enough texture
            on most surfaces and still follows thin limbs.
        levels: pyramid levels above the full picture. 4 with a window of 21 follow about 150
            pixels of motion; OpenCV uses fewer where the picture is too small for them.
        iterations: most steps of the fit on each level; it has nearly always ended before.
        precision: the fit ends when a step is shorter, in pixels. A tenth of the error allowed.
        patch: side of the patch that a point is recognised by, in pixels, odd. Smaller than the
            window, so that less background comes in.
        return_error: a point is hidden if following it back misses by more pixels.
        min_similarity: a point is hidden if its patch is less like the known ones. Turning and
            scaling between two updates cost about 0.3.
        sure_similarity: the recent patch learns only from points at least this alike, so that an
            occluder that slides in is not learnt.
        learning_rate: share of the new patch that goes into the recent one in each frame.
        velocity_memory: share of the old velocity kept in each frame: about 3 frames long.
        velocity_decay: what is left of a hidden point's velocity after each frame. Without a
            sight of it, standing still becomes the best guess after about 10 frames.
        search_radius: pixels around the predicted place searched in the first hidden frame.
        search_growth: pixels by which that radius grows in each further hidden frame.
        search_limit: largest radius in pixels; bounds the time that a lost point costs.
        found_correlation: lowest correlation at which a hidden point is taken to be back. High,
            since a wrong point does more harm than a missing one.
        found_contrast: lowest standard deviation of a patch, in grey levels, that can be found
            again; flatter ones fit in many places.
    """

    window: int = 21
    levels: int = 4
    iterations: int = 30
    precision: float = 0.01
    patch: int = 15
    return_error: float = 1.5
    min_similarity: float = 0.5
    sure_similarity: float = 0.8
    learning_rate: float = 0.2
    velocity_memory: float = 0.7
    velocity_decay: float = 0.9
    search_radius: int = 8
    search_growth: int = 2
    search_limit: int = 48
    found_correlation: float = 0.85
    found_contrast: float = 8.0
