"""The tracker without weights: what it follows, when it lets go, and when it finds again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsam_video.frame import Frame
from rvsam_video.trackers import QueryPoints, TrackedPoints, create_tracker
from rvsam_video.trackers.lucas_kanade.patches import cut_patches, patch_similarity
from rvsam_video.trackers.lucas_kanade.tracker import (
    LucasKanade,
    LucasKanadeSettings,
    LucasKanadeState,
    follow,
    grey_of,
)

WIDTH, HEIGHT = 240, 180


def _texture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)


def _shifted(picture: np.ndarray, dx: float, dy: float) -> np.ndarray:
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (picture.shape[1], picture.shape[0])
    moved = cv2.warpAffine(
        picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def _queries(xy: object, *, frame: int = 0, first_id: int = 0) -> QueryPoints:
    places = np.asarray(xy, np.float32).reshape(-1, 2)
    count = len(places)
    return QueryPoints(first_id + np.arange(count), np.full(count, frame, np.int64), places)


def _start(size: tuple[int, int] = (WIDTH, HEIGHT)) -> LucasKanadeState:
    return LucasKanade().start(size)


def _push(state: LucasKanadeState, index: int, image: np.ndarray) -> TrackedPoints:
    (tracked,) = state.push(Frame(index, index / 25, image))
    return tracked


def _occlusion_clip() -> list[np.ndarray]:
    """A texture that stands still while a grey bar passes over its middle."""
    frames = []
    for index in range(20):
        image = _shifted(_texture(3), 0, 0)
        left = -60 + 20 * index
        image[:, max(left, 0) : max(left + 60, 0)] = 90
        frames.append(image)
    return frames


def _equal(first: TrackedPoints, second: TrackedPoints) -> None:
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(first.xy, second.xy)
    np.testing.assert_array_equal(first.visible, second.visible)
    np.testing.assert_array_equal(first.confidence, second.confidence)


def test_is_found_under_its_registry_name() -> None:
    tracker = create_tracker("lucas-kanade")
    assert tracker.name == "lucas-kanade"
    assert tracker.lookahead == 0


@settings(max_examples=15, deadline=None)
@given(dx=st.floats(-3, 3), dy=st.floats(-3, 3))
def test_follows_sub_pixel_shifts_to_a_tenth_of_a_pixel(dx: float, dy: float) -> None:
    start = np.array([[80, 70], [120, 90], [150, 100]], np.float32)
    state = _start()
    state.add(_queries(start))
    for index in range(4):
        tracked = _push(state, index, _shifted(_texture(1), dx * index, dy * index))
    assert tracked.visible.all()
    np.testing.assert_allclose(tracked.xy, start + 3 * np.array([dx, dy]), atol=0.1)


def test_follows_a_jump_of_many_pixels() -> None:
    state = _start()
    state.add(_queries([[100, 90]]))
    _push(state, 0, _shifted(_texture(1), 0, 0))
    tracked = _push(state, 1, _shifted(_texture(1), 25, -14))
    np.testing.assert_allclose(tracked.xy, [[125, 76]], atol=0.1)


def test_a_point_is_where_it_was_asked_for_in_its_own_frame() -> None:
    state = _start()
    state.add(_queries([[33.25, 71.5]]))
    tracked = _push(state, 0, _shifted(_texture(1), 0, 0))
    np.testing.assert_array_equal(tracked.xy, np.array([[33.25, 71.5]], np.float32))
    assert tracked.visible.all()
    assert tracked.confidence.tolist() == [1.0]


def test_hides_behind_an_occluder_and_is_found_again() -> None:
    state = _start()
    state.add(_queries([[120, 90]]))
    tracked = [_push(state, index, image) for index, image in enumerate(_occlusion_clip())]
    visible = [bool(item.visible[0]) for item in tracked]
    assert visible[0]
    assert not visible[7]
    assert visible[-1]
    np.testing.assert_allclose(tracked[-1].xy, [[120, 90]], atol=0.5)


def test_a_hidden_point_has_no_confidence() -> None:
    state = _start()
    state.add(_queries([[120, 90]]))
    tracked = [_push(state, index, image) for index, image in enumerate(_occlusion_clip())]
    hidden = [item for item in tracked if not item.visible[0]]
    assert hidden
    assert all(item.confidence[0] == 0 for item in hidden)


def test_does_not_take_another_texture_for_its_own() -> None:
    state = _start()
    state.add(_queries([[120, 90], [60, 50]]))
    _push(state, 0, _shifted(_texture(1), 0, 0))
    for index in range(1, 6):
        tracked = _push(state, index, _shifted(_texture(99), 0, 0))
    assert not tracked.visible.any()


def test_leaves_the_picture_and_comes_back() -> None:
    state = _start()
    state.add(_queries([[215, 90]]))
    texture = _texture(2, WIDTH + 200)
    offsets = [0, 8, 16, 24, 32, 32, 24, 16, 8, 0, 0]
    tracked = [
        _push(state, index, np.ascontiguousarray(_shifted(texture, offset, 0)[:, :WIDTH]))
        for index, offset in enumerate(offsets)
    ]
    assert not tracked[5].visible[0]
    assert tracked[-1].visible[0]
    np.testing.assert_allclose(tracked[-1].xy, [[215, 90]], atol=0.5)


def _hidden_walk(state: LucasKanadeState, frames: int) -> np.ndarray:
    """Push a picture that moves 4 pixels a frame, then nothing but grey; return the places."""
    tracked = [_push(state, index, _shifted(_texture(1), 4 * index, 0)) for index in range(6)]
    assert tracked[-1].visible.all()
    grey = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    hidden = [_push(state, 6 + index, grey) for index in range(frames)]
    assert not any(item.visible.any() for item in hidden)
    return np.stack([item.xy[0] for item in [tracked[-1], *hidden]])


def test_a_hidden_point_goes_on_and_comes_to_rest() -> None:
    """What was not seen for long has most likely stopped, or it is anywhere."""
    state = _start()
    state.add(_queries([[60, 90]]))
    steps = np.diff(_hidden_walk(state, 60), axis=0)
    assert 3 < steps[0, 0] < 4
    np.testing.assert_allclose(steps[1:, 0], 0.9 * steps[:-1, 0], atol=1e-3)
    assert np.abs(steps[-1]).max() < 0.01
    assert np.abs(steps[:, 1]).max() < 0.2


def test_a_point_on_flat_ground_is_not_taken_to_be_back() -> None:
    """A patch almost without contrast fits in many places, so finding it says nothing."""
    wall = _texture(3)
    wall[:, :120] = 128 + (wall[:, :120] - 128) / 25
    scene = _shifted(wall, 0, 0)
    state = _start()
    state.add(_queries([[60, 90], [180, 90]]))
    assert _push(state, 0, scene).visible.all()
    black = np.zeros_like(scene)
    assert not any(_push(state, index, black).visible.any() for index in (1, 2))
    tracked = [_push(state, index, scene) for index in range(3, 8)]
    assert [item.visible.tolist() for item in tracked] == [[False, True]] * 5


@pytest.mark.parametrize(
    ("dark", "shift", "expected"),
    [(1, 9, 1), (1, 15, 3), (2, 15, 2), (3, 15, 1), (1, 25, 8), (30, 49, 1), (30, 52, None)],
)
def test_the_longer_a_point_is_hidden_the_farther_it_is_looked_for(
    dark: int, shift: int, expected: int | None
) -> None:
    """8 pixels around its place at first, 2 more in each frame, and 48 at most.

    A picture goes dark and comes back moved; expected is the frame, counted from when it is back,
    in which the point is found. So smooth a texture is known again a pixel away from its place.
    """
    state = _start()
    state.add(_queries([[100, 90]]))
    for index in range(3):
        _push(state, index, _shifted(_texture(1), 0, 0))
    for index in range(3, 3 + dark):
        _push(state, index, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    back = _shifted(_texture(1), shift, 0)
    tracked = [_push(state, 3 + dark + number, back) for number in range(30)]
    visible = [bool(item.visible[0]) for item in tracked]
    first = visible.index(True) + 1 if any(visible) else None
    assert first == expected
    if first is not None:
        assert all(visible[first - 1 :])
        np.testing.assert_allclose(tracked[-1].xy, [[100 + shift, 90]], atol=1.1)


def test_the_search_begins_anew_each_time_a_point_is_hidden() -> None:
    state = _start()
    state.add(_queries([[100, 90]]))
    here, there = _shifted(_texture(1), 0, 0), _shifted(_texture(1), 21, 0)
    dark = np.zeros_like(here)
    clip = [here, *[dark] * 20, here, here, dark, there]
    visible = [bool(_push(state, index, image).visible[0]) for index, image in enumerate(clip)]
    assert visible == [True, *[False] * 20, True, True, False, False]


def _fade(state: LucasKanadeState, frames: int) -> list[TrackedPoints]:
    """Push a picture that turns into another one in so many frames."""
    shares = np.linspace(0, 1, frames + 1)
    images = [_shifted((1 - share) * _texture(1) + share * _texture(99), 0, 0) for share in shares]
    return [_push(state, index, image) for index, image in enumerate(images)]


def test_slow_changes_of_a_point_are_learnt_and_its_first_look_is_not_forgotten() -> None:
    state = _start()
    state.add(_queries([[120, 90], [60, 60], [180, 120]]))
    tracked = _fade(state, 40)
    tracked.append(_push(state, 41, _shifted(_texture(1), 0, 0)))
    assert all(item.visible.all() for item in tracked)


def test_what_takes_a_points_place_quickly_is_not_learnt() -> None:
    state = _start()
    state.add(_queries([[180, 120]]))
    tracked = _fade(state, 12)
    assert tracked[4].visible.all()
    assert not tracked[12].visible.any()


def test_confidence_is_how_alike_a_point_looks_less_how_far_the_way_back_misses() -> None:
    places = np.array([[60, 60], [120, 90], [180, 120]], np.float32)
    before = _shifted(_texture(1), 0, 0)
    noise = np.random.default_rng(0).normal(25, 20, before.shape)
    now = np.clip(before + noise, 0, 255).astype(np.uint8)
    state = _start()
    state.add(_queries(places))
    _push(state, 0, before)
    tracked = _push(state, 1, now)
    assert tracked.visible.all()
    settings = LucasKanadeSettings()
    new, error = follow(grey_of(before), grey_of(now), places, settings)
    patches = [
        cut_patches(image, xy, settings.patch) for image, xy in ((before, places), (now, new))
    ]
    expected = patch_similarity(*patches) * np.exp(-error / 1.5)
    assert error.min() > 0.02
    np.testing.assert_allclose(tracked.confidence, expected, atol=1e-5)
    assert ((tracked.confidence > 0.4) & (tracked.confidence < 0.95)).all()


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        ((-0.5, 90), True),
        ((-0.6, 90), False),
        ((100, -0.5), True),
        ((100, -0.6), False),
        ((WIDTH - 0.5, HEIGHT - 0.5), True),
        ((WIDTH - 0.4, 90), False),
        ((100, HEIGHT - 0.4), False),
    ],
)
def test_a_picture_reaches_half_a_pixel_beyond_the_centres_of_its_outer_pixels(
    place: tuple[float, float], inside: bool
) -> None:
    state = _start()
    state.add(_queries([place]))
    tracked = _push(state, 0, _shifted(_texture(1), 0, 0))
    assert bool(tracked.visible[0]) == inside
    assert float(tracked.confidence[0]) == inside


def test_a_restored_state_knows_which_frame_was_last() -> None:
    state, resumed = _start(), _start()
    image = _shifted(_texture(1), 0, 0)
    _push(state, 3, image)
    resumed.restore(state.snapshot())
    with pytest.raises(ValueError, match="frame 3 came after frame 3"):
        _push(resumed, 3, image)
    with pytest.raises(ValueError, match=r"query frame 2 .* 3"):
        resumed.add(_queries([[50, 50]], frame=2))


def test_points_added_later_equal_points_given_at_the_start() -> None:
    clip = [_shifted(_texture(1), 1.5 * index, index) for index in range(8)]
    early, late = _start(), _start()
    early.add(_queries([[70, 60]]))
    early.add(_queries([[110, 80]], frame=4, first_id=7))
    late.add(_queries([[70, 60]]))
    for index, image in enumerate(clip):
        first, second = _push(early, index, image), _push(late, index, image)
        if index == 4:
            late.add(_queries([[110, 80]], frame=4, first_id=7))
        elif index > 4:
            _equal(first, second)


def test_a_query_for_a_coming_frame_waits_for_it() -> None:
    state = _start()
    state.add(_queries([[50, 50]], frame=2))
    image = _shifted(_texture(1), 0, 0)
    counts = [len(_push(state, index, image).ids) for index in range(4)]
    assert counts == [0, 0, 1, 1]


def test_a_query_for_a_frame_that_could_not_be_read_starts_with_the_next() -> None:
    state = _start()
    state.add(_queries([[50, 50]], frame=1))
    image = _shifted(_texture(1), 0, 0)
    _push(state, 0, image)
    assert _push(state, 2, image).ids.tolist() == [0]


def test_refuses_queries_that_come_too_late() -> None:
    state = _start()
    for index in range(3):
        _push(state, index, _shifted(_texture(1), 0, 0))
    with pytest.raises(ValueError, match=r"query frame 1 .* 2"):
        state.add(_queries([[50, 50]], frame=1))


@pytest.mark.parametrize("again", [[0], [5, 5]])
def test_refuses_ids_that_are_not_new(again: list[int]) -> None:
    state = _start()
    state.add(_queries([[50, 50]]))
    places = np.full((len(again), 2), 60, np.float32)
    with pytest.raises(ValueError, match="unique"):
        state.add(QueryPoints(np.array(again), np.zeros(len(again), np.int64), places))


def test_refuses_frames_out_of_order_or_of_another_size() -> None:
    state = _start()
    image = _shifted(_texture(1), 0, 0)
    _push(state, 3, image)
    with pytest.raises(ValueError, match="in order"):
        _push(state, 3, image)
    with pytest.raises(ValueError, match="pixels"):
        _push(state, 4, image[:-2])


def test_other_points_change_nothing_even_while_hidden() -> None:
    alone, crowded = _start(), _start()
    alone.add(_queries([[120, 90]]))
    crowded.add(_queries([[120, 90]]))
    others = np.random.default_rng(0).uniform(0, [WIDTH, HEIGHT], (40, 2))
    crowded.add(_queries(others, first_id=1))
    for index, image in enumerate(_occlusion_clip()):
        one, many = _push(alone, index, image), _push(crowded, index, image)
        np.testing.assert_array_equal(one.xy, many.xy[:1])
        np.testing.assert_array_equal(one.visible, many.visible[:1])
        np.testing.assert_array_equal(one.confidence, many.confidence[:1])


def test_removed_points_are_gone_and_unknown_ids_are_ignored() -> None:
    state = _start()
    state.add(_queries([[50, 50], [60, 60], [70, 70]]))
    state.remove([1, 999])
    assert _push(state, 0, _shifted(_texture(1), 0, 0)).ids.tolist() == [0, 2]


@pytest.mark.parametrize("at", [0, 6, 12])
def test_goes_on_from_a_snapshot_to_the_last_bit(at: int) -> None:
    clip = _occlusion_clip()
    whole, resumed = _start(), _start()
    whole.add(_queries([[120, 90], [30, 40]]))
    whole.add(_queries([[200, 100]], frame=15, first_id=5))
    for index in range(at):
        _push(whole, index, clip[index])
    resumed.restore({name: np.array(item) for name, item in whole.snapshot().items()})
    for index in range(at, len(clip)):
        _equal(_push(whole, index, clip[index]), _push(resumed, index, clip[index]))


def test_a_snapshot_does_not_change_with_later_frames() -> None:
    state = _start()
    state.add(_queries([[120, 90]]))
    _push(state, 0, _shifted(_texture(1), 0, 0))
    before = {name: np.array(item) for name, item in state.snapshot().items()}
    kept = state.snapshot()
    _push(state, 1, _shifted(_texture(1), 4, 0))
    for name, item in kept.items():
        np.testing.assert_array_equal(item, before[name])


@pytest.mark.parametrize("place", [(0, 0), (WIDTH - 1, HEIGHT - 1), (-40, 5), (1e6, 1e6)])
def test_any_place_can_be_asked_for(place: tuple[float, float]) -> None:
    state = _start()
    state.add(_queries([place]))
    for index in range(4):
        tracked = _push(state, index, _shifted(_texture(1), index, 0))
    assert np.isfinite(tracked.xy).all()


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (16, 16)])
def test_tiny_pictures_do_no_harm(size: tuple[int, int]) -> None:
    state = _start(size)
    state.add(_queries([[0, 0]]))
    image = np.full((size[1], size[0], 3), 80, np.uint8)
    for index in range(3):
        assert len(_push(state, index, image).ids) == 1


def test_a_black_frame_hides_points_for_its_own_time_only() -> None:
    image = _shifted(_texture(1), 0, 0)
    state = _start()
    state.add(_queries([[120, 90]]))
    clip = [image, image, np.zeros_like(image), image, image]
    visible = [bool(_push(state, index, item).visible[0]) for index, item in enumerate(clip)]
    assert visible == [True, True, False, True, True]


def test_memory_does_not_grow_with_the_video() -> None:
    state = _start()
    state.add(_queries([[120, 90]]))
    sizes = []
    for index in range(12):
        _push(state, index, _shifted(_texture(1), index, 0))
        sizes.append(sum(item.nbytes for item in state.snapshot().values()))
    assert len(set(sizes)) == 1
