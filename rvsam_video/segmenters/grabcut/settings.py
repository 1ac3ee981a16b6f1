"""`GrabCutSettings`: the constants that decide between speed, stiffness and reach."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class GrabCutSettings:
    """How masks are carried on and cut anew. Evidence is in natural logs of odds.

    Attributes:
        flow_side: longest side of the picture that motion is measured in. Three quarters of the
            usual 854 pixels; half costs some accuracy on thin objects, the whole twice the time.
        most_pixels: most pixels of the grid that an object is cut in. More, up to 65 000, gave
            no better masks.
        rounds: iterations of the cut, which starts near its end.
        mismatch: pixels by which motion there and back may miss until trust falls to 1/e. With
            4, masks stick to what uncovers or hides the object.
        spread: pixels from the expected boundary at which its word weighs 1: the error of the
            flow at edges.
        inner_limit: most that the expected shape may say inside; as much as a colour and a half.
        looks: weight of the likeness. Above the others', since it alone does not drift.
        motion: weight of the motion.
        motion_against: most that motion may say against the object; nearly all that looks can say
            for it, so that what is left behind does not stay in the mask.
        layered: weight of whether a pixel's look goes with the object's motion. It tells the
            sides of a boundary apart, and what was missed may win it back; but what an object
            casts, its shadow or its mirror image, moves with it too, and looks must outvote it.
        layered_limit: most that it may say, either way, before the weight: odds of 7 to 1.
        texture: weight of colours and texture together, at several scales.
        recent_texture: share of recent texture against that of the user's frame.
        given: weight of the user's mask, carried over from that frame at once.
        given_limit: most that it may say, either way, where the place is recognised for certain.
        points: weight of a tracked point near it; as two models at their limit.
        point_radius: pixels of the grid around a point that it speaks for.
        band: how far from the expected boundary the mask may grow, in sizes of the object.
        least_band: the same in pixels, for small objects.
        stiffness: cost of a boundary between two equal pixels.
        gain: factor of all evidence and costs in the cut. It does not move the optimum but lets
            the iteration reach it in few rounds.
        kept_share: a part of the mask stays if this share of it was expected.
        recent_share: share of the recent colours against those of the user's frame.
        recent_rate: share of a new frame in the recent colours: about 10 frames long.
        parts_rate: share of a new frame in the colours by place on the object: about 20 frames.
        whole: the object counts as seen in whole from this share of its area on.
        pose_rate: how fast its pose follows the mask when nearly all of it is seen.
        hidden_rate: the same else: over 100 frames, longer than most things stay hidden. The
            middle of what is seen is not the middle of the object.
        hidden_prior: what is left of the expectation against parts that were hidden.
        lost_area: below this share of its area the object counts as lost.
        blank: a picture with less contrast than this share of that around the object in the user's
            frame shows nothing: it is black, or faded.
        found_likeness: likeness needed to find it again, of that when it was prompted. Above a
            half, since a wrong find is learnt and a late one only costs frames.
        found_prior: weight of its old shape where it was found again.
    """

    flow_side: int = 640
    most_pixels: int = 40_000
    rounds: int = 25
    mismatch: float = 2.0
    spread: float = 4.0
    inner_limit: float = 4.0
    looks: float = 1.5
    motion: float = 1.0
    motion_against: float = 4.0
    layered: float = 0.5
    layered_limit: float = 2.0
    texture: float = 0.7
    recent_texture: float = 0.5
    given: float = 1.0
    given_limit: float = 3.0
    points: float = 6.0
    point_radius: int = 2
    band: float = 0.15
    least_band: float = 6.0
    stiffness: float = 2.0
    gain: float = 0.3
    kept_share: float = 0.5
    recent_share: float = 0.25
    recent_rate: float = 0.1
    parts_rate: float = 0.05
    whole: float = 0.8
    pose_rate: float = 0.2
    hidden_rate: float = 0.01
    hidden_prior: float = 0.25
    lost_area: float = 0.15
    blank: float = 0.1
    found_likeness: float = 0.6
    found_prior: float = 0.3
