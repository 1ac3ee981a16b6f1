"""TAPIR against numbers of the public code, with weights made from names and shapes.

`tests/data/tapir_*.npz` were computed by google-deepmind/tapnet (commit c2cbab8) with the weights
of `tests/support/golden_tapir.py`. The limits leave room for another order of operations and for
nothing else: the public code with weights changed by one part in ten million moves by up to a
quarter of them, and mistakes such as another kind of GELU by more than twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from golden_data import golden
from golden_tapir import (
    POINTS,
    check_golden,
    clip_a,
    follow_golden,
    golden_network,
    golden_queries,
    meta,
    moving_clip,
)
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from rvsam_video.frame import Frame
from rvsam_video.trackers.tapir.engine import PointRows
from rvsam_video.trackers.tapir.network import Pyramid
from rvsam_video.trackers.tapir.offline import TapirOffline
from rvsam_video.trackers.tapir.torch_engine import TorchEngine
from rvsam_video.trackers.tapir.tracker import Tapir
from rvsam_video.trackers.tapir.variants import TapirClipSettings, TapirSettings

ONLINE, OTHER = golden("tapir_online"), golden("tapir_other")
META = meta("tapir_online")
PIXELS, LOGITS, GRIDS, QUERIES, MAPS, COSTS = 5e-4, 3e-4, 1e-5, 5e-6, 1e-4, 1e-5
MIXER_IN, MIXER_OUT, STATE, MIXER = 5e-4, 2e-4, 3e-4, 8e-6


def close(found: object, wanted: np.ndarray, limit: float) -> None:
    """Hold an array against a golden one; NaN stands where a point is not alive."""
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=0, atol=limit)


def engine(name: str, **options: Any) -> TorchEngine:
    kind = TapirSettings if name == "tapir-online" else TapirClipSettings
    return TorchEngine(golden_network(name), kind(**options))


# Streaming, frame by frame


def test_streaming_gives_the_public_tracks():
    visible = sum(
        check_golden(points, PIXELS, LOGITS) for points in follow_golden(engine("tapir-online"))
    )
    # The case is a good one: points are now seen, now not.
    assert 0.1 < visible / ONLINE["alive"].sum() < 0.9


def test_points_of_the_frame_given_out_last_are_as_if_known_before():
    settings = TapirSettings(pin_query=False)
    state = Tapir("tapir-online", engine("tapir-online"), settings).start((256, 256))
    first = np.flatnonzero(np.array(META["alive_from"]) == 0)
    late = np.flatnonzero(np.array(META["alive_from"]) == 4)
    state.add(golden_queries(POINTS[first], first, np.zeros(len(first))))
    for index, image in enumerate(clip_a()[:7]):
        (points,) = state.push(Frame(index, index / 25, image))
        if index == 4:
            state.add(golden_queries(POINTS[late], late, np.full(len(late), 4)))
        if index > 4:
            close(points.xy + 0.5, ONLINE["tracks"][index, points.ids], PIXELS)
            assert set(late) <= set(points.ids)


# What is inside


class Walk:
    """The network over a clip step by step, with everything that goes on in it noted."""

    def __init__(self, frames: int, **options: Any) -> None:
        self.engine = engine("tapir-online", **options)
        self.network = self.engine.network
        self.pyramids: list[Pyramid] = []
        self.stages: list[Any] = []
        self.memories: list[np.ndarray] = []
        self.mixed: list[list[tuple[Tensor, Tensor]]] = []
        self.costs: list[tuple[Tensor, Tensor]] = []
        self.frames = frames

    def run(self, clip: np.ndarray, points: np.ndarray, starts: np.ndarray) -> Walk:
        rows: PointRows | None = None
        for index in range(self.frames):
            pyramid = self.engine.encode(clip[index])
            self.pyramids.append(pyramid)
            new = points[starts == index]
            if len(new):
                fresh = self.engine.start(pyramid, new[:, :0:-1].copy())
                rows = fresh if rows is None else self.engine.join([rows, fresh])
            assert rows is not None
            with _noted(self):
                self.engine.follow(pyramid, rows)
            self.memories.append(self.engine.arrays(rows)["memory"])
        return self


class _noted:  # noqa: N801
    """Notes stages, costs and what the mixer does, of one frame."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk

    def __enter__(self) -> None:
        walk, network = self.walk, self.walk.network
        mixed: list[tuple[Tensor, Tensor]] = []
        walk.mixed.append(mixed)
        usual_step, usual_mix = network.step, network.torch_pips_mixer.step

        def step(*arguments: Any) -> Any:
            walk.stages.append(usual_step(*arguments))
            return walk.stages[-1]

        def mix(tokens: Tensor, past: Any) -> Tensor:
            mixed.append((tokens, usual_mix(tokens, past)))
            return mixed[-1][1]

        network.step, network.torch_pips_mixer.step = step, mix
        guess, seen = network.torch_cost_volume_track_mods, {}
        self.hooks = [
            guess.hid1.register_forward_hook(lambda _m, i, _o: seen.update(cost=i[0][:, 0])),
            guess.hid2.register_forward_hook(
                lambda _m, _i, o: walk.costs.append((seen["cost"], o[:, 0]))
            ),
        ]

    def __exit__(self, *_: object) -> None:
        del self.walk.network.step, self.walk.network.torch_pips_mixer.step
        for hook in self.hooks:
            hook.remove()


@cache
def walk() -> Walk:
    return Walk(6).run(clip_a(), POINTS, np.array(META["alive_from"]))


def test_every_stage_of_looking_for_points():
    for index, stages in enumerate(walk().stages):
        alive = np.flatnonzero(ONLINE["alive"][index])
        close(torch.stack([it.xy for it in stages]), ONLINE["iter_tracks"][index][:, alive], PIXELS)
        logits = torch.stack([it.logits for it in stages])
        for column, name in enumerate(("iter_occlusion", "iter_distance")):
            close(logits[..., column], ONLINE[name][index][:, alive], LOGITS)


@pytest.mark.parametrize("index", [0, 5])
def test_the_maps_of_a_picture(index):
    high, low = walk().pyramids[index][0].levels[:2]
    close(low[0, ::4, ::4], ONLINE[f"lowres_f{index}"], GRIDS)
    close(high[0, ::8, ::8], ONLINE[f"hires_f{index}"], GRIDS)


@pytest.mark.parametrize("index", [0, 5])
def test_the_encoder_layer_by_layer(index):
    network, seen = golden_network("tapir-online"), {}

    def noting(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: seen.update({name: output.clone()})

    parts = {"stem": network.resnet_torch.initial_conv, "extra": network.extra_convs}
    parts |= {f"unit{n}": group for n, group in enumerate(network.resnet_torch.block_groups)}
    hooks = [part.register_forward_hook(noting(name)) for name, part in parts.items()]
    engine("tapir-online").encode(clip_a()[index])
    for hook in hooks:
        hook.remove()
    for name, step in (("stem", 16), ("unit0", 16), ("unit1", 8), ("unit2", 4), ("unit3", 4)):
        close(seen[name][0, :, ::step, ::step], ONLINE[f"{name}_f{index}"], MAPS)
    close(seen["extra"][0].permute(1, 2, 0)[::4, ::4], ONLINE[f"extra_f{index}"], MAPS)


def test_points_are_described_by_what_is_under_them():
    probe = np.array(META["probe"], np.float32)
    engines = engine("tapir-online")
    found = engines.describe(walk().pyramids[0], probe[:, :0:-1].copy())[:, 0]
    close(found[:, 128:], ONLINE["probe_lowres"], QUERIES)
    close(found[:, :128], ONLINE["probe_hires"], QUERIES)
    for index in (0, 4):
        own = np.array(META["alive_from"]) == index
        found = engines.describe(walk().pyramids[index], POINTS[own][:, :0:-1].copy())[:, 0]
        close(found[:, 128:], ONLINE["query_lowres"][own], QUERIES)
        close(found[:, :128], ONLINE["query_hires"][own], QUERIES)


@pytest.mark.parametrize("index", [0, 5])
def test_costs_and_heat_of_the_first_guess(index):
    cost, heat = walk().costs[index]
    close(cost[[0, 7]], ONLINE[f"cost_f{index}"], COSTS)
    close(heat[[0, 7]], ONLINE[f"heat_f{index}"], COSTS)


@pytest.mark.parametrize(("index", "points"), [(0, [0, 6, 7]), (5, [0, 6, 7, 9])])
def test_what_goes_into_the_mixer_and_comes_out(index, points):
    for step, (tokens, change) in enumerate(walk().mixed[index]):
        rows = slice(0, len(points))
        close(tokens[points], ONLINE[f"mix_in_f{index}"][step, rows], MIXER_IN)
        close(change[points], ONLINE[f"mix_out_f{index}"][step, rows], MIXER_OUT)


@pytest.mark.parametrize("index", [0, 1, 4])
def test_what_is_remembered(index):
    known = list(ONLINE[f"state_rows_f{index}"])
    rows = [known.index(row) for row in np.flatnonzero(ONLINE["alive"][index])]
    # (points, steps, frames, blocks, input and copies, channels)
    memory = walk().memories[index][:, :, :, list(META["state_blocks"])]
    ordered = memory.transpose(1, 3, 0, 2, 4, 5)
    close(ordered[..., 0, ::16], ONLINE[f"state1_f{index}"][:, :, rows], STATE)
    # Every 64th of 2048 channels is the first copy of every 16th of 512.
    close(ordered[..., 1, ::16], ONLINE[f"state2_f{index}"][:, :, rows], STATE)


@pytest.mark.parametrize(("name", "causal"), [("causal", True), ("plain", False)])
def test_the_mixer_alone(name, causal):
    mixer = golden_network("tapir-online" if causal else "tapir-offline").torch_pips_mixer
    random = np.random.RandomState(17)
    tokens = torch.from_numpy(random.standard_normal((3, 6, 535)).astype(np.float32))
    with torch.inference_mode():
        close(mixer.clip(tokens, causal=causal), OTHER[f"mixer_{name}"], MIXER)


# Other settings


FOUR = np.array(meta("tapir_other")["points"], np.float32)


def stages_of(walked: Walk) -> dict[str, np.ndarray]:
    xy = [torch.stack([stage.xy for stage in stages]) for stages in walked.stages]
    logits = torch.stack([torch.stack([it.logits for it in stages]) for stages in walked.stages])
    return {
        "iter_tracks": torch.stack(xy).numpy(),
        "iter_occlusion": logits[..., 0].numpy(),
        "iter_distance": logits[..., 1].numpy(),
    }


def test_another_temperature():
    found = stages_of(Walk(2, temperature=10.0).run(clip_a(), FOUR, np.zeros(4)))
    close(found["iter_tracks"], OTHER["temp10_iter_tracks"], PIXELS)
    close(found["iter_occlusion"][:, -1], OTHER["temp10_occlusion"], LOGITS)
    close(found["iter_distance"][:, -1], OTHER["temp10_distance"], LOGITS)


BIG = (3, 512, 512, 22)


def test_every_stage_of_refining_at_512_as_well():
    found = stages_of(Walk(3, resolution=512).run(moving_clip(*BIG), FOUR, np.zeros(4)))
    # Our places are in pixels of 256 whatever is encoded.
    close(found["iter_tracks"] * 2, OTHER["big_iter_tracks"], 2 * PIXELS)
    for name in ("iter_occlusion", "iter_distance"):
        close(found[name], OTHER[f"big_{name}"], LOGITS)


@pytest.mark.parametrize(("mean", "name"), [(False, "big_tracks"), (True, "big_mean_tracks")])
def test_the_answer_is_the_last_size_or_the_mean_of_both(mean, name):
    settings = TapirSettings(resolution=512, mean_of_sizes=mean, pin_query=False)
    tracker = Tapir("x", TorchEngine(golden_network("tapir-online"), settings), settings)
    state = tracker.start((512, 512))
    state.add(golden_queries(FOUR * np.array([1, 2, 2], np.float32), np.arange(4), np.zeros(4)))
    (points,) = state.push(Frame(0, 0.0, moving_clip(*BIG)[0]))
    close(points.xy + 0.5, OTHER[name][0], 2 * PIXELS)


def test_frames_that_are_not_square():
    """The public code resizes these without antialiasing; only that is done here by hand."""
    clip = moving_clip(3, 180, 320, 23)
    pictures = torch.from_numpy(clip.transpose(0, 3, 1, 2).copy()).float() / 255 * 2 - 1
    pictures = F.interpolate(pictures, (256, 256), mode="bilinear", align_corners=False)
    walked = engine("tapir-online")
    rows, scale = None, np.array([320 / 256, 180 / 256], np.float32)
    for index, picture in enumerate(pictures):
        with torch.inference_mode():
            pyramid = (walked.network.encode(picture[None]),)
        rows = rows or walked.start(pyramid, FOUR[:, :0:-1].copy())
        found = walked.follow(pyramid, rows)
        close(found.xy * scale, OTHER["wide_tracks"][index], PIXELS)
        close(found.logits[:, 0], OTHER["wide_occlusion"][index], LOGITS)
        close(found.logits[:, 1], OTHER["wide_distance"][index], LOGITS)


# Whole clips


@pytest.mark.parametrize(
    ("prefix", "name"), [("boots", "tapir-offline"), ("tapir", "tapir-offline-baseline")]
)
def test_whole_clips_give_the_public_tracks(prefix, name):
    wanted = golden("tapir_offline")
    settings = TapirClipSettings(pin_query=False)
    tracker = TapirOffline(name, engine(name), settings)
    frames = [Frame(index, index / 25, image) for index, image in enumerate(clip_a())]
    asked = golden_queries(POINTS, np.arange(len(POINTS)), POINTS[:, 0])
    given = list(tracker.track_clip(lambda: frames, asked))
    assert [points.frame_index for points in given] == list(range(len(frames)))
    for index, points in enumerate(given):
        np.testing.assert_array_equal(points.ids, asked.ids)
        close(points.xy + 0.5, wanted[f"{prefix}_tracks"][:, index], PIXELS)
        np.testing.assert_array_equal(points.visible, wanted[f"{prefix}_visible"][:, index])


@pytest.mark.parametrize("name", ["tapir-offline", "tapir-online"])
def test_every_stage_of_a_whole_clip(name):
    prefix, frames = ("boots", 14) if name == "tapir-offline" else ("causal", 8)
    wanted, walked = golden("tapir_offline"), engine(name)
    pyramids = [walked.encode(image) for image in clip_a()[:frames]]
    xy = POINTS[:, :0:-1].copy()
    described = [
        walked.describe(pyramids[int(t)], xy[n : n + 1]) for n, t in enumerate(POINTS[:, 0])
    ]
    known = (torch.from_numpy(POINTS[:, 0]).long(), torch.from_numpy(xy))
    with torch.inference_mode():
        stages = walked.network.clip(pyramids, torch.cat(described), known, 20.0)
    for stage, kind in ((stages[0], "init_"), (stages[1], "iter1_"), (stages[-1], "")):
        close(stage.xy.view(10, frames, 2), wanted[f"{prefix}_{kind}tracks"], PIXELS)
        logits = stage.logits.view(10, frames, 2)
        close(logits[..., 0], wanted[f"{prefix}_{kind}occlusion"], LOGITS)
        if kind != "iter1_":
            close(logits[..., 1], wanted[f"{prefix}_{kind}distance"], LOGITS)
