"""`SegmentationSettings`: every constant of the engine, with its reason; and of restarts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from rvsam_video.errors import UsageError

PointSelection = Literal["kmedoids", "shi-tomasi", "random", "mixed"]

SMALLEST_AREA = 25
"""A mask of so many pixels, or fewer, is no mask to restart from (SAM-PT)."""

RestartVariant = Literal["horizon", "median-area", "similar-area", "similar-area-together"]
"""Where a chunk is left, in SAM-PT's order A, B, C, D:

* horizon: in its last frame, or where the next object starts;
* median-area: where the mask's area is the lower median of the chunk;
* similar-area: where it is most like that in the chunk's first frame;
* similar-area-together: the same summed over the chunk's objects, one frame for all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationSettings:
    """How the engine turns prompts into tracked points, and points into masks.

    Attributes:
        positive_points: query points chosen inside an object's mask when it starts. 16 as SAM-PT.
        negative_points: query points chosen outside it. 1 as SAM-PT.
        point_selection: how those inside are chosen, see `points.choosing`.
        negative_selection: how those outside are chosen.
        add_points_to_clicks: when an object starts from clicks, also choose points from the mask
            that the clicks gave. SAM-PT follows the clicks alone.
        other_objects_as_negatives: show each object the visible points of the others as negatives.
        max_other_negatives: at most this many of those points, chosen at random; None shows all.
        group_size: so many objects, in the order in which they start, have their points tracked
            together in trackers whose points influence each other; 0 tracks all together.
        refinements: further passes of a learned segmenter, with the mask and its box fed back.
        refine_until: stop refining an object's mask once the IoU of two successive ones is at
            least this; None never stops early.
        best_of_three: take the best of a learned segmenter's three masks when a single point is
            all that is known of an object.
        score_threshold: masks with a lower score are dropped ("not visible").
        border: points closer to the frame's edge than this share of its side are not prompted.
        patch_threshold: points whose surroundings look less like those in their query frame than
            this are not used any more, see `patch_filter`; None leaves the filter off.
        patch_size: side of these surroundings in pixels, odd.
        refill_below: when fewer than this share of `positive_points` is visible, and the object
            itself is, new points are taken from its mask. 0 never does.
        refill_score: lowest score of a mask that new points may be taken from.
        restart_every: after so many frames an object's chosen points are replaced by new ones, as
            soon as its mask can be trusted, see `streaming.renewal`; 0 never does.
        overlap: let masks of different objects overlap instead of giving each pixel to one.
        keep_logits: let results carry the segmenter's logits, see `ObjectResult.logits`. They weigh
            up to a quarter of a megabyte per object and frame.
        keep_points: at most this many times `positive_points` are followed per object, besides
            those the user gave; the longest hidden are forgotten first. Bounds the work.
        seed: start of the random generators; each object has its own, so that adding an object
            does not change the points of another.
        sam_pt_exact: do what SAM-PT's public code does, also where it is odd, to reproduce its
            numbers; docs/sam_pt.md lists the differences.
    """

    positive_points: int = 16
    negative_points: int = 1
    point_selection: PointSelection = "mixed"
    negative_selection: PointSelection = "mixed"
    add_points_to_clicks: bool = True
    other_objects_as_negatives: bool = True
    max_other_negatives: int | None = None
    group_size: int = 0
    refinements: int = 0
    refine_until: float | None = None
    best_of_three: bool = True
    score_threshold: float = 0.0
    border: float = 0.0
    patch_threshold: float | None = None
    patch_size: int = 3
    refill_below: float = 0.5
    refill_score: float = 0.5
    restart_every: int = 0
    keep_points: float = 2.0
    overlap: bool = False
    keep_logits: bool = False
    seed: int = 0
    sam_pt_exact: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no run could use.

        Raises:
            UsageError: naming the value and the allowed range.
        """
        for name in ("point_selection", "negative_selection"):
            if getattr(self, name) not in get_args(PointSelection):
                msg = (
                    f"{name} is {getattr(self, name)!r}; "
                    f"choose one of: {', '.join(get_args(PointSelection))}"
                )
                raise UsageError(msg)
        if self.patch_size % 2 == 0:
            msg = f"patch_size is {self.patch_size}; it must be odd"
            raise UsageError(msg)
        for name, low, high in (
            ("positive_points", 1, 1000),
            ("negative_points", 0, 1000),
            ("max_other_negatives", 0, 100_000),
            ("group_size", 0, 100_000),
            ("refinements", 0, 100),
            ("refine_until", 0, 1),
            ("score_threshold", -10, 1),
            ("border", 0, 0.49),
            ("patch_threshold", 0, 1),
            ("patch_size", 1, 101),
            ("refill_below", 0, 1),
            ("refill_score", 0, 1),
            ("restart_every", 0, 10**9),
            ("keep_points", 1, 100),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                msg = f"{name} is {value}; allowed is {low} to {high}"
                raise UsageError(msg)

    def to_dict(self) -> dict[str, int | float | str | None]:
        """Return the settings as plain values, for `run.json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartSettings:
    """How tracking is restarted.

    Attributes:
        variant: where.
        horizon: frames of a chunk, 2 or more.
        tracker_horizon: frames that the tracker sees for it, at least as many.
        sam_pt_exact: where an object has no mask to restart from, take the frame that the public
            code happens to take, often the very next; by default it is the chunk's last.
    """

    variant: RestartVariant = "median-area"
    horizon: int = 24
    tracker_horizon: int = 24
    sam_pt_exact: bool = False

    def __post_init__(self) -> None:
        """Refuse values that no run could use.

        Raises:
            UsageError: naming the value and what is allowed.
        """
        if self.variant not in get_args(RestartVariant):
            names = ", ".join(get_args(RestartVariant))
            msg = f"the restart variant is {self.variant!r}; choose one of: {names}"
            raise UsageError(msg)
        if not 2 <= self.horizon <= self.tracker_horizon:
            msg = (
                f"horizon is {self.horizon} and tracker_horizon {self.tracker_horizon}; "
                "the first must be at least 2, the second no less than the first"
            )
            raise UsageError(msg)
