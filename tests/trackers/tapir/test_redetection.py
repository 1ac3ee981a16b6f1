"""Points that were hidden are found again, wherever and however late they come back.

There is no training here: the network has weights that make it compare a point with every cell of
a picture, by random features, and call it visible where one is alike. That is what TAPIR does first
in every frame; what its refinement adds is left out.
"""

from __future__ import annotations

from functools import cache

import cotracker_clip
import deterministic_weights
import numpy as np
import torch
from golden_tapir import tapir_state

from rvsam_video import Prompt, SegmentationSettings, Session
from rvsam_video.frame import Frame
from rvsam_video.trackers.base import QueryPoints, TrackedPoints
from rvsam_video.trackers.cotracker.loading import build_network
from rvsam_video.trackers.cotracker.tracker import CoTracker
from rvsam_video.trackers.cotracker.variants import COTRACKER_VARIANTS
from rvsam_video.trackers.lucas_kanade.tracker import LucasKanade
from rvsam_video.trackers.tapir.loading import tapir_with_weights
from rvsam_video.trackers.tapir.torch_engine import TorchEngine
from rvsam_video.trackers.tapir.tracker import Tapir
from rvsam_video.trackers.tapir.variants import TAPIR_VARIANTS, TapirSettings

HEAD = "torch_cost_volume_track_mods"
ALIKE, SHARPNESS = 0.65, 100.0
"""Inner product of features above which a point is held to be seen, and how suddenly."""


@cache
def comparing() -> Tapir:
    """A tracker that compares points with all cells of a frame, and does nothing else."""
    state = tapir_state("tapir-online")
    for name, value in state.items():
        if name.startswith((HEAD, "torch_pips_mixer.linear_1")) or name.endswith("conv_1.bias"):
            value.zero_()
        if name.startswith("extra_convs.") and ".conv_1." in name:
            value.zero_()
    # Channel 0 is the likeness itself and becomes the heat map; channel 1 is what of it is beyond
    # the threshold, and summed over all cells says whether the point is seen.
    state[f"{HEAD}.hid1.weight"][:2, 0, 1, 1] = torch.tensor([1.0, SHARPNESS])
    state[f"{HEAD}.hid1.bias"][1] = -SHARPNESS * ALIKE
    state[f"{HEAD}.hid2.weight"][0, 0, 1, 1] = 5.0
    state[f"{HEAD}.hid3.weight"][0, 1, :2, :2] = 256.0
    state[f"{HEAD}.hid4.weight"][0, 0] = 1.0
    state[f"{HEAD}.occ_out.weight"][0, 0] = -1.0
    state[f"{HEAD}.occ_out.bias"][:] = torch.tensor([1.0, -9.0])
    network = tapir_with_weights(TAPIR_VARIANTS["tapir-online"], state, source="here")
    network.pack()
    settings = TapirSettings(pin_query=False)
    return Tapir("comparing", TorchEngine(network, settings), settings)


PATCH, WALL = 64, 96
PLACES = [(16, 24), (24, 24), (32, 32), *[None] * 6, (176, 152), (168, 144), (160, 136)]
"""Upper left corner of the patch (x, y) in each frame; None while it is behind the wall.

It moves by whole cells of eight pixels: random features know nothing of what lies between."""


@cache
def clip() -> list[Frame]:
    """A patch goes behind a wall, and comes out 140 pixels away, six frames later."""
    ground = cotracker_clip.moving_texture(1, 256, 256, seed=3)[0]
    patch = cotracker_clip.moving_texture(1, PATCH, PATCH, seed=4)[0]
    frames = []
    for index, place in enumerate(PLACES):
        image = ground.copy()
        if place is not None:
            x, y = place
            image[y : y + PATCH, x : x + PATCH] = patch
        image[:, 256 // 2 - WALL // 4 : 256 // 2 + WALL // 4] = (90, 100, 110)
        frames.append(Frame(index, index / 25, image))
    return frames


ON_PATCH = 8 * np.array([[2, 3], [5, 2], [4, 4], [2, 5], [5, 5]], np.float32) + 3.5
"""Points in pixels from the patch's corner: in the middle of cells, away from its edge."""


def follow(tracker) -> list[TrackedPoints]:
    state = tracker.start((256, 256))
    xy = ON_PATCH + np.array(PLACES[0], np.float32)
    state.add(QueryPoints(np.arange(5), np.zeros(5, np.int64), xy))
    return [points for frame in clip() for points in state.push(frame)] + state.flush()


def errors(points: TrackedPoints) -> np.ndarray:
    truth = ON_PATCH + np.array(PLACES[points.frame_index], np.float32)
    return np.linalg.norm(points.xy - truth, axis=1)


def test_hidden_points_are_found_again_where_they_come_back():
    given = follow(comparing())
    for points in given:
        if PLACES[points.frame_index] is None:
            assert not points.visible.any()
        else:
            assert points.visible.all()
            # A cell is eight pixels wide; without refinement that is what can be asked.
            assert errors(points).max() < 4


def test_lucas_kanade_does_not_find_them_there():
    given = follow(LucasKanade())
    assert np.median(errors(given[2])) < 1
    assert not given[5].visible.any()
    assert not given[-1].visible.any()


def test_cotracker_looks_for_them_where_they_were():
    # Here, too, without what refinement adds: it moves points from where they were last, and only
    # as far as it has learned to, while TAPIR begins anew in every frame.
    variant = COTRACKER_VARIANTS["cotracker3-online"]
    network = build_network(variant)
    deterministic_weights.fill(network, gain=0.5, keep=("time_emb", "pos_emb"))
    for name, value in network.state_dict().items():
        if name.startswith("updateformer.flow_head"):
            value.zero_()
    given = follow(CoTracker(variant.name, network, variant.settings))
    assert [points.frame_index for points in given] == list(range(len(PLACES)))
    np.testing.assert_allclose(given[-1].xy, ON_PATCH + PLACES[0], atol=0.01)
    assert errors(given[-1]).min() > 100


def test_a_session_goes_on_with_the_points_it_had(fakes):
    settings = SegmentationSettings(positive_points=4, refill_below=0.5, refill_score=0.5)
    start = Prompt.create(points=(ON_PATCH + np.array(PLACES[0])).tolist())
    session = Session(comparing(), fakes.DiscSegmenter(radius=20), settings, [start])
    results = [result for frame in clip() for result in session.push(frame)]
    seen = [set(result.points.ids[result.points.visible].tolist()) for result in results]
    assert seen[5] == set()
    # The clicks; points that the session added beside them may lie between cells.
    assert set(range(len(ON_PATCH))) <= seen[0] & seen[-1]
    x, y = (np.mean(axis) for axis in np.nonzero(results[-1].masks[1])[::-1])
    centre = ON_PATCH.mean(0) + np.array(PLACES[-1])
    assert np.hypot(x - centre[0], y - centre[1]) < 8


class HiddenState:
    """Points that are out of sight from frame 3 on, for a long time."""

    def __init__(self, until: int) -> None:
        self.until, self.ids, self.xy = until, np.zeros(0, np.int64), np.zeros((0, 2), np.float32)

    def add(self, queries: QueryPoints) -> None:
        self.ids = np.concatenate([self.ids, queries.ids])
        self.xy = np.concatenate([self.xy, queries.xy])

    def remove(self, ids) -> None:
        keep = ~np.isin(self.ids, ids)
        self.ids, self.xy = self.ids[keep], self.xy[keep]

    def push(self, frame: Frame) -> list[TrackedPoints]:
        seen = np.full(len(self.ids), not 3 <= frame.index < self.until)
        return [TrackedPoints(frame.index, self.ids, self.xy, seen, seen.astype(np.float32))]

    def flush(self) -> list[TrackedPoints]:
        return []


class HiddenTracker:
    name, lookahead = "hidden", 0

    def start(self, frame_size: tuple[int, int]) -> HiddenState:
        return HiddenState(400)


def test_a_session_never_forgets_points_for_having_been_hidden_long(fakes, make_frames):
    settings = SegmentationSettings(positive_points=6, refill_below=0.9, refill_score=0.5)
    session = Session(
        HiddenTracker(), fakes.DiscSegmenter(radius=9), settings, [Prompt.create(points=[[30, 24]])]
    )
    (picture,) = make_frames(1)
    first = last = frozenset()
    for index in range(404):
        for result in session.push(Frame(index, index / 25, picture.image)):
            own = frozenset(result.points.ids[result.points.visible].tolist())
            if index == 2:
                first = own
            if index == 402:
                last = own
    assert len(first) > 3
    assert first <= last
