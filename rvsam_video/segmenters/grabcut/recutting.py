"""The mask of a new frame: all evidence together, the user's own mask among it, and the cut."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.base import ObjectPrompt
from rvsam_video.segmenters.grabcut.appearance import EVIDENCE_LIMIT, Colours, Likeness
from rvsam_video.segmenters.grabcut.band_cut import cut, edge_costs, signed_distance
from rvsam_video.segmenters.grabcut.carrying import Carried
from rvsam_video.segmenters.grabcut.crop import Crop, Map, window_of
from rvsam_video.segmenters.grabcut.judging import Seen, estimate
from rvsam_video.segmenters.grabcut.memory import ObjectMemory, Shape
from rvsam_video.segmenters.grabcut.motion import SHORTEST_SIDE, Grey, flow
from rvsam_video.segmenters.grabcut.pose import Pose
from rvsam_video.segmenters.grabcut.settings import GrabCutSettings

_MISMATCH = 1.5
"""Pixels of the grid by which the way there and back may miss until trust falls to 1/e."""

_DIFFERENCE = 20.0
"""Grey levels, around a pixel, that do the same: light changes, but another part is no match."""

_WINDOW = 2.0
"""Width of that surrounding, in pixels of the grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Vote:
    """What a view says of a later picture.

    Attributes:
        signed: (height, width) float32, pixels to its boundary, above 0 inside.
        trust: (height, width) float32 in [0, 1], how certainly this is the same place.
    """

    signed: Map
    trust: Map


def compare(view: Shape, seen: Grey, pose: Pose, grid: tuple[Map, Map], now: Grey) -> Vote | None:
    """Align a view of an object with a later crop by dense flow, and carry its outline over.

    Unlike an outline that is handed on from frame to frame, errors do not add up.

    Args:
        view: the object's outline in the view.
        seen: (h, w) uint8, brightness of its crop.
        pose: where the object is taken to be now.
        grid: x and y in the picture of the crop's pixels.
        now: (height, width) uint8, brightness of the crop.

    Returns:
        the vote; None for crops too small for the flow.
    """
    height, width = now.shape
    if min(height, width) < SHORTEST_SIDE:
        return None
    # Shift and size are undone first: flow alone finds only small motions.
    places = view.places(pose, grid)
    then = view.crop.sample(seen.astype(np.float32), *places)
    aligned = np.clip(then, 0, 255).astype(np.uint8)
    # Half the resolution: this flow is measured for every object in every frame.
    back, ahead = flow(now, aligned, fast=True), flow(aligned, now, fast=True)
    x = np.arange(width, dtype=np.float32)[None] + back[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + back[..., 1]
    again = cv2.remap(ahead, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mismatch = np.square(back + again).sum(axis=2)
    # 0 beyond the view's crop, whose edge is only repeated there.
    known = view.crop.sample(np.ones(seen.shape, np.float32), *places, 0.0)
    difference = np.square(now.astype(np.float32) - _read(then, x, y))
    difference = cv2.GaussianBlur(difference, (0, 0), _WINDOW)
    # Both must agree: a flow that closes its circle may still join two unlike places.
    trust = np.exp(-mismatch / _MISMATCH**2 - difference / _DIFFERENCE**2)
    return Vote(_read(view.at(pose, grid), x, y), np.asarray(trust * _read(known, x, y)))


def _read(values: Map, x: Map, y: Map) -> Map:
    read = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)


_BARRED = -10.0
"""Evidence where the object cannot be: outweighs all that can speak for it."""

_NORMAL_WIDTH = 1.6
"""Width of the blur, in spreads, whose log odds fall by 1 per spread near a straight edge."""

_LEAST_SHARE = 0.02
"""Bounds the log odds of the blur at 4, as far as the other evidence can reach."""

_REAPPEARED = 2.0
"""Pixels that a place must lie inside the full shape to count as a part that was hidden."""

_UNTRUSTED = 0.3
"""Trust in motion below which a place counts as newly seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Recut:
    """The result of a cut.

    Attributes:
        inside: (height, width) bool over the crop.
        score: estimated intersection over union with the truth, in [0, 1].
        fullness: share of the object that is seen.
    """

    inside: NDArray[np.bool_]
    score: float
    fullness: float


def recut(
    prompt: ObjectPrompt,
    memory: ObjectMemory,
    carried: Carried,
    colours: Colours,
    looks: Likeness,
    texture: Map,
    reachable: NDArray[np.bool_],
    settings: GrabCutSettings,
) -> Recut:
    """Cut an object anew where it is expected.

    Args:
        prompt: with the tracked points.
        memory: of the object.
        carried: where it is expected.
        colours: of the crop.
        looks: how much each pixel looks like it.
        texture: (height, width) float32, the same by texture.
        reachable: (height, width) bool, see `within_reach`.
        settings: constants.
    """
    hidden = _hidden_parts(memory, carried, settings)
    evidence = settings.looks * looks.here
    evidence += _expectation(memory, carried, hidden, settings)
    # Only against: where it also spoke for the object, five sequences lost 5 points of J&F.
    evidence += settings.motion * np.clip(carried.motion, -settings.motion_against, 0)
    evidence += settings.layered * np.clip(
        carried.layered, -settings.layered_limit, settings.layered_limit
    )
    evidence += settings.texture * np.clip(texture, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)
    vote = compare(memory.given, memory.given_grey, carried.pose, carried.grid, colours.grey)
    if vote is not None:
        evidence += settings.given * _given(vote, settings)
    evidence += _pointed_out(prompt, carried.crop, settings)
    # Last, so that nothing added before can reach beyond the band.
    evidence[~reachable] = _BARRED
    inside = _cut_within(reachable, evidence, colours, settings)
    expected = (carried.signed > 0) | (carried.trust < _UNTRUSTED) | hidden
    # Where motion is unknown, or something was hidden, new parts are no surprise.
    inside = _expected_parts(inside, expected, settings.kept_share)
    area = float(inside.sum()) / carried.crop.scale**2
    fullness = area / carried.pose.size**2
    given = None if vote is None else (vote.signed, vote.trust)
    seen = Seen(inside, fullness, reachable, looks, texture, given)
    return Recut(inside, estimate(seen, prompt, memory, carried, colours), fullness)


def _cut_within(
    reachable: NDArray[np.bool_], evidence: Map, colours: Colours, settings: GrabCutSettings
) -> NDArray[np.bool_]:
    inside = np.zeros(reachable.shape, np.bool_)
    window = window_of(reachable)
    if inside[window].size:
        # Cut in the window alone: its rim is barred ground, so no boundary is lost there.
        costs = edge_costs(colours.image[window], settings.stiffness * settings.gain)
        scaled = evidence[window] * np.float32(settings.gain)
        inside[window] = cut(scaled, *costs, settings.rounds) > 0.5
    return inside


def within_reach(
    memory: ObjectMemory, carried: Carried, settings: GrabCutSettings
) -> NDArray[np.bool_]:
    """Return (height, width) bool: where the object may be, and evidence is worth its time."""
    if memory.lost:
        return np.ones(carried.signed.shape, np.bool_)
    band = max(settings.least_band, settings.band * carried.pose.size)
    # Open inwards: the object may shrink anywhere, even to nothing.
    near = carried.signed >= -band
    return np.asarray(near | _hidden_parts(memory, carried, settings), np.bool_)


def _hidden_parts(
    memory: ObjectMemory, carried: Carried, settings: GrabCutSettings
) -> NDArray[np.bool_]:
    """Where parts of the object should be that something hid in the frame before."""
    # Nothing was hidden of what was whole; a lost object has no last frame to compare with.
    if memory.lost or memory.last.fullness > settings.whole:
        return np.zeros(carried.signed.shape, np.bool_)
    full = memory.full.at(carried.pose, carried.grid)
    return np.asarray((full > _REAPPEARED) & (carried.signed < 0))


def _expectation(
    memory: ObjectMemory,
    carried: Carried,
    hidden: NDArray[np.bool_],
    settings: GrabCutSettings,
) -> Map:
    """What the expected shape says, as far as it can be trusted.

    Outside, the share of object in the neighbourhood counts and not the distance alone: a
    thin part cannot grow into something thick.
    """
    signed = carried.signed
    within = np.clip(signed / settings.spread, 0, settings.inner_limit)
    blur = max(settings.spread * carried.crop.scale * _NORMAL_WIDTH, 0.5)
    share = cv2.GaussianBlur((signed > 0).astype(np.float32), (0, 0), blur)
    odds = np.log((share + _LEAST_SHARE) / (1 + _LEAST_SHARE - share))
    outside = np.minimum(odds, 0) * np.where(hidden, settings.hidden_prior, 1)
    # Found again, its motion is unknown, but its old shape is still worth something.
    trust = settings.found_prior if memory.lost else carried.trust
    return np.asarray(np.where(signed > 0, within, outside) * trust, np.float32)


def _given(vote: Vote, settings: GrabCutSettings) -> Map:
    """What the user's own mask says, where it can still be recognised."""
    limit = settings.given_limit
    said = vote.trust * np.clip(vote.signed / settings.spread, -limit, limit)
    return np.asarray(said, np.float32)


def _pointed_out(prompt: ObjectPrompt, crop: Crop, settings: GrabCutSettings) -> Map:
    said = np.zeros((crop.height, crop.width), np.float32)
    places = np.round(crop.points(prompt.points)).astype(int).tolist()
    # Points off the object are drawn last: in doubt, a neighbour's point is the surer one.
    for wanted, weight in ((1, settings.points), (0, -settings.points)):
        for place, label in zip(places, prompt.labels.tolist(), strict=True):
            if label == wanted:
                cv2.circle(said, place, settings.point_radius, (weight,), -1)
    return said


def _expected_parts(
    inside: NDArray[np.bool_], expected: NDArray[np.bool_], share: float
) -> NDArray[np.bool_]:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    # Whole parts stay or go: half a part that leaked out would be no better.
    overlap = np.bincount(parts[expected], minlength=count)
    kept = overlap >= share * stats[:, cv2.CC_STAT_AREA]
    kept[0] = False
    return np.asarray(kept[parts], np.bool_)


def signed_over(crop: Crop, inside: NDArray[np.bool_]) -> Map:
    """Return (height, width) float32: pixels of the picture to the mask's boundary."""
    return signed_distance(inside) / np.float32(crop.scale)
