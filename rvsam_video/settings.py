"""`SegmentationSettings`: every constant of the engine, with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from rvsam_video.errors import UsageError

PointSelection = Literal["kmedoids", "shi-tomasi", "random", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationSettings:
    """How the engine turns prompts into tracked points, and points into masks.

    Attributes:
        positive_points: query points chosen inside an object's mask when it starts. 16 as SAM-PT.
        negative_points: query points chosen outside it. 1 as SAM-PT.
        point_selection: how they are chosen, see `query_points.select_points`.
        add_points_to_clicks: when an object starts from clicks, also choose points from the mask
            that the clicks gave. SAM-PT follows the clicks alone.
        other_objects_as_negatives: show each object the visible points of the others as negatives.
        score_threshold: masks with a lower score are dropped ("not visible").
        border: points closer to the frame's edge than this share of its side are not prompted.
        refill_below: when fewer than this share of `positive_points` is visible, and the object
            itself is, new points are taken from its mask. 0 never does.
        refill_score: lowest score of a mask that new points may be taken from.
        overlap: let masks of different objects overlap instead of giving each pixel to one.
        keep_points: at most this many times `positive_points` are followed per object, besides
            those the user gave; the longest hidden are forgotten first. Bounds the work.
        seed: start of the random generators; each object has its own, so that adding an object
            does not change the points of another.
    """

    positive_points: int = 16
    negative_points: int = 1
    point_selection: PointSelection = "mixed"
    add_points_to_clicks: bool = True
    other_objects_as_negatives: bool = True
    score_threshold: float = 0.0
    border: float = 0.0
    refill_below: float = 0.5
    refill_score: float = 0.5
    keep_points: float = 2.0
    overlap: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no run could use.

        Raises:
            UsageError: naming the value and the allowed range.
        """
        if self.point_selection not in get_args(PointSelection):
            msg = (
                f"point_selection is {self.point_selection!r}; "
                f"choose one of: {', '.join(get_args(PointSelection))}"
            )
            raise UsageError(msg)
        for name, low, high in (
            ("positive_points", 1, 1000),
            ("negative_points", 0, 1000),
            ("score_threshold", -10, 1),
            ("border", 0, 0.49),
            ("refill_below", 0, 1),
            ("refill_score", 0, 1),
            ("keep_points", 1, 100),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                msg = f"{name} is {value}; allowed is {low} to {high}"
                raise UsageError(msg)

    def to_dict(self) -> dict[str, int | float | str]:
        """Return the settings as plain values, for `run.json`."""
        return asdict(self)
