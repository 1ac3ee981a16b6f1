"""Which points an object has while its video runs: corrected, refilled, bounded and forgotten."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rvsam_video import Prompt, SegmentationSettings, Session

FEW = SegmentationSettings(
    positive_points=4, negative_points=2, refill_below=0, add_points_to_clicks=False
)


def box_mask(x, y, width=12, height=12):
    mask = np.zeros((48, 64), np.bool_)
    mask[y : y + height, x : x + width] = True
    return mask


@pytest.fixture
def blinking(fakes):
    """A tracker that stands still and does not see what `hidden(id, frame)` says."""

    def build(hidden, lookahead=0):
        class Tracker(fakes.DriftTracker):
            def start(self, frame_size):
                state = super().start(frame_size)
                answer = state._answer

                def blink(index):
                    found = answer(index)
                    marks = [not hidden(key, index) for key in found.ids.tolist()]
                    return replace(found, visible=np.array(marks, np.bool_))

                state._answer = blink
                return state

        return Tracker(lookahead, (0, 0))

    return build


@pytest.fixture
def session(fakes):
    def build(prompts=(), *, settings=FEW, tracker=None, lookahead=0, score=0.9):
        tracker = tracker or fakes.DriftTracker(lookahead, (0, 0))
        return Session(tracker, fakes.DiscSegmenter(score=score), settings, prompts)

    return build


def run(session, frames):
    results = [result for frame in frames for result in session.push(frame)]
    return results + session.flush()


def kinds(points):
    """How many of an object's points are on it, and how many off it."""
    return int((points.labels == 1).sum()), int((points.labels == 0).sum())


@pytest.mark.parametrize("lookahead", [0, 2])
def test_a_correction_takes_back_the_chosen_points_it_contradicts(session, make_frames, lookahead):
    """They would pull the mask back to where it was."""
    frames = make_frames(8)
    live = session([Prompt.create(mask=box_mask(8, 18))], lookahead=lookahead)
    results = [result for frame in frames[:4] for result in live.push(frame)]
    before = results[0].points
    assert kinds(before) == (4, 2)
    clicks = np.tile([[52, 24]], (20, 1)) + np.arange(20)[:, None] % 3
    live.add(1, points=clicks)
    results += run(live, frames[4:])
    after = results[-1].points
    # The mask has moved to the clicks: the points on its old place are wrong now, those off it
    # are as right as before, and what the user clicked is never taken back.
    wrong = before.ids[before.labels == 1]
    assert not np.isin(wrong, after.ids).any()
    assert np.isin(before.ids[before.labels == 0], after.ids).all()
    assert kinds(after) == (20, 2)
    assert results[-1].masks[1][24, 53]
    assert not results[-1].masks[1][24, 14]


@pytest.mark.parametrize("lookahead", [0, 2])
def test_a_correction_leaves_the_chosen_points_it_agrees_with(session, make_frames, lookahead):
    frames = make_frames(8)
    mask = box_mask(20, 20, 5, 5)
    live = session([Prompt.create(mask=mask)], lookahead=lookahead)
    results = [result for frame in frames[:4] for result in live.push(frame)]
    live.add(1, points=[[22, 22]])
    results += run(live, frames[4:])
    assert set(results[0].points.ids.tolist()) < set(results[-1].points.ids.tolist())


def test_a_correction_takes_back_chosen_negatives_that_are_on_the_object(session, make_frames):
    frames = make_frames(3)
    live = session([Prompt.create(mask=box_mask(20, 18))])
    (first,) = live.push(frames[0])
    off = first.points.xy[first.points.labels == 0]
    live.add(1, points=np.tile(off[:1], (60, 1)))
    (second,) = live.push(frames[1])
    left = second.points.xy[second.points.labels == 0]
    assert second.masks[1][tuple(off[0][::-1].astype(int))]
    assert left.tolist() == [place for place in off[1:].tolist()]


def test_a_correction_of_one_object_leaves_the_points_of_others(session, make_frames):
    frames = make_frames(3)
    prompts = [
        Prompt.create(mask=box_mask(8, 18)),
        Prompt.create(object_id=2, mask=box_mask(30, 18)),
    ]
    live = session(prompts)
    (first,) = live.push(frames[0])
    live.add(1, points=np.tile([[52, 24]], (20, 1)))
    (second,) = live.push(frames[1])
    other = first.points.object_ids == 2
    assert np.isin(first.points.ids[other], second.points.ids).all()


@pytest.mark.parametrize(("hidden", "new"), [(1, 0), (2, 0), (3, 3), (4, 0)])
def test_points_are_added_when_fewer_than_the_share_are_visible(
    session, blinking, make_frames, hidden, new
):
    """Two of four are enough for a half; with none there is no mask to take new ones from."""
    settings = replace(FEW, negative_points=0, refill_below=0.5)
    live = session(
        [Prompt.create(mask=box_mask(20, 18))],
        settings=settings,
        tracker=blinking(lambda key, frame: frame >= 2 and key < hidden),
    )
    results = run(live, make_frames(5))
    assert [len(result.points) for result in results] == [4, 4, 4, 4 + new, 4 + new]
    fresh = results[-1].points.xy[4:].astype(int)
    assert results[2].masks[1][fresh[:, 1], fresh[:, 0]].all()


@pytest.mark.parametrize(("score", "new"), [(0.49, 0), (0.5, 3)])
def test_points_are_only_taken_from_masks_that_are_scored_well(
    session, blinking, make_frames, score, new
):
    live = session(
        [Prompt.create(mask=box_mask(20, 18))],
        settings=replace(FEW, negative_points=0, refill_below=0.5, refill_score=0.5),
        tracker=blinking(lambda key, frame: frame >= 2 and key < 3),
        score=score,
    )
    assert len(run(live, make_frames(5))[-1].points) == 4 + new


def test_with_a_lookahead_points_are_added_too_but_not_at_the_end(session, blinking, make_frames):
    """A tracker takes no queries of frames before the one given out last."""
    settings = replace(FEW, negative_points=0, refill_below=1)
    live = session(
        [Prompt.create(mask=box_mask(20, 18))],
        settings=settings,
        tracker=blinking(lambda key, frame: key == 0 and frame >= 2, lookahead=2),
    )
    pushed = [result for frame in make_frames(6) for result in live.push(frame)]
    assert [len(result.points) for result in pushed] == [4, 4, 4, 5]
    assert [len(result.points) for result in live.flush()] == [5, 5]


def test_of_too_many_points_the_longest_hidden_are_forgotten(session, blinking, make_frames):
    since = {2: 1, 0: 2, 1: 3}
    live = session(
        [Prompt.create(mask=box_mask(20, 18))],
        settings=replace(FEW, negative_points=0, refill_below=0.5, keep_points=1.5),
        tracker=blinking(lambda key, frame: frame >= since.get(key, 99)),
    )
    results = run(live, make_frames(8))
    # In frame 3 only one is seen: three come, and one of seven is too many.
    assert [result.points.ids.tolist() for result in results[3:5]] == [
        [0, 1, 2, 3],
        [0, 1, 3, 4, 5, 6],
    ]
    assert max(len(result.points) for result in results) == 6


def test_a_point_seen_again_is_kept_rather_than_one_hidden_later(session, blinking, make_frames):
    spans = {0: (1, 6), 1: (5, 99), 2: (7, 99), 3: (7, 99)}

    def hidden(key, frame):
        first, last = spans.get(key, (99, 99))
        return first <= frame < last

    live = session(
        [Prompt.create(mask=box_mask(20, 18))],
        settings=replace(FEW, negative_points=0, refill_below=0.5, keep_points=1.5),
        tracker=blinking(hidden),
    )
    results = run(live, make_frames(9))
    assert results[-2].points.ids.tolist() == [0, 1, 2, 3]
    assert results[-1].points.ids.tolist() == [0, 2, 3, 4, 5, 6]


def test_an_object_started_afresh_has_none_of_its_old_points(session, make_frames):
    frames = make_frames(4)
    live = session([Prompt.create(mask=box_mask(8, 18)), Prompt.create(2, points=[[40, 40]])])
    (first,) = live.push(frames[0])
    live.add(1, box=[40, 10, 50, 20])
    (second,) = live.push(frames[1])
    kept = np.isin(first.points.ids, second.points.ids)
    assert np.array_equal(kept, first.points.object_ids == 2)
    assert second.masks[1][15, 45]
    assert not second.masks[1][24, 14]


def test_points_go_with_their_object_and_one_by_one(session, make_frames):
    frames = make_frames(3)
    live = session([Prompt.create(mask=box_mask(8, 18)), Prompt.create(2, mask=box_mask(40, 18))])
    (first,) = live.push(frames[0])
    live.remove(1)
    other = first.points.ids[first.points.object_ids == 2]
    live.remove_points([*other[:2].tolist(), 12345])
    live.remove_points([])
    (second,) = live.push(frames[1])
    assert second.points.ids.tolist() == other[2:].tolist()


def test_an_object_that_comes_back_is_a_new_one(session, make_frames):
    frames = make_frames(3)
    live = session([Prompt.create(mask=box_mask(8, 18))])
    (first,) = live.push(frames[0])
    live.remove(1)
    live.add(1, points=[[50, 24]])
    (second,) = live.push(frames[1])
    assert not np.isin(second.points.ids, first.points.ids).any()
    assert second.masks[1][24, 50]


@pytest.mark.parametrize("lookahead", [0, 3])
def test_covered_points_stay_refused_in_a_restored_session(session, make_frames, lookahead):
    """What points look like, and which of them differed, is part of what is stored."""
    rng = np.random.default_rng(5)
    texture = rng.integers(0, 255, (48, 64, 3), np.uint8)
    covered = texture.copy()
    covered[:, :20] = 255 - covered[:, :20]
    images = [texture] * 3 + [covered] * 2 + [texture] * 4
    frames = [
        replace(frame, image=image) for frame, image in zip(make_frames(9), images, strict=True)
    ]
    settings = replace(FEW, patch_threshold=0.01, positive_points=6, group_size=1)
    prompts = [
        Prompt.create(mask=box_mask(12, 18, 16)),
        Prompt.create(object_id=2, frame=2, mask=box_mask(40, 18)),
    ]
    want = run(session(prompts, settings=settings, lookahead=lookahead), frames)
    states = np.unique(want[-1].points.states)
    assert states.tolist() == [-4, 1]
    for cut in range(1, 9):
        first = session(prompts, settings=settings, lookahead=lookahead)
        got = [result for frame in frames[:cut] for result in first.push(frame)]
        second = session(prompts, settings=settings, lookahead=lookahead)
        second.restore(first.snapshot())
        got += run(second, frames[cut:])
        for a, b in zip(want, got, strict=True):
            assert np.array_equal(a.points.ids, b.points.ids)
            assert np.array_equal(a.points.states, b.points.states)
            assert np.array_equal(a.index_map(), b.index_map())


def test_nothing_stored_grows_however_often_points_are_renewed(session, make_frames):
    """Points that ended, answers that were given and corrections that were made are let go of."""
    settings = replace(
        FEW,
        refill_below=1,
        restart_every=3,
        patch_threshold=0.01,
        add_points_to_clicks=True,
    )
    live = session([Prompt.create(mask=box_mask(20, 18))], settings=settings, lookahead=2)
    image = make_frames(1)[0]
    sizes = []
    for number in range(80):
        live.push(replace(image, index=number))
        if number % 10 == 3:
            live.add(1, mask=box_mask(20, 18))
        if number % 10 == 6:
            live.add(1, points=[[24, 22]])
        if number % 10 == 9:
            sizes.append(sum(item.nbytes for item in live.snapshot().values()))
    assert max(sizes[4:]) <= max(sizes[:4])


def test_points_that_ended_are_followed_no_more(fakes, session, make_frames):
    states = []

    class Noting(fakes.DriftTracker):
        def start(self, frame_size):
            states.append(super().start(frame_size))
            return states[-1]

    frames = make_frames(4)
    live = session([Prompt.create(mask=box_mask(20, 18))], tracker=Noting(step=(0, 0)))
    live.push(frames[0])
    live.add(1, mask=box_mask(30, 18))
    (second,) = live.push(frames[1])
    assert list(states[0].points) == second.points.ids.tolist()
    live.remove_points(second.points.ids[:2].tolist())
    assert list(states[0].points) == second.points.ids[2:].tolist()


def test_only_what_is_surely_on_another_object_is_held_against_a_new_one(
    fakes, blinking, make_frames
):
    segmenter = fakes.DiscSegmenter()
    prompts = [
        Prompt.create(1, points=[[20, 24], [30, 24], [40, 24]], labels=[1, 1, 0]),
        Prompt.create(2, points=[[50, 24]]),
    ]
    live = Session(blinking(lambda key, _: key == 1), segmenter, FEW, prompts)
    live.push(make_frames(1)[0])
    live.add(3, points=[[10, 10]])
    (asked,) = segmenter.batches[-1]
    assert asked.points.tolist() == [[10, 10], [20, 24], [50, 24]]
    live.add(2, box=[40, 10, 60, 30])
    (asked,) = segmenter.batches[-1]
    assert asked.points.tolist() == [[20, 24]]


@pytest.mark.parametrize("x", [8, 50])
def test_a_correction_looks_at_a_points_own_place(session, make_frames, x):
    """Here the mask stays on some of the chosen points, and leaves the others."""
    frames = make_frames(2)
    settings = replace(FEW, positive_points=16)
    live = session([Prompt.create(mask=box_mask(x, 4, 10, 40))], settings=settings)
    (first,) = live.push(frames[0])
    live.add(1, points=np.tile([[x + 5, 12]], (40, 1)))
    (second,) = live.push(frames[1])
    on = first.points.labels == 1
    places = first.points.xy[on]
    middle = (places.sum(axis=0) + 40 * np.array([x + 5, 12])) / (len(places) + 40)
    near = np.hypot(*(places - middle).T) < 6
    assert near.any()
    assert not near.all()
    assert np.array_equal(np.isin(first.points.ids[on], second.points.ids), near)


def test_a_point_on_the_very_edge_can_be_contradicted(fakes, session, make_frames):
    frames = make_frames(3)
    live = session(
        [Prompt.create(mask=box_mask(63, 20, 1, 4))], tracker=fakes.DriftTracker(step=(0.25, 0))
    )
    for frame in frames:
        (result,) = live.push(frame)
    chosen = result.points.ids[result.points.labels == 1]
    assert result.points.xy[:4, 0].tolist() == [63.5] * 4
    live.add(1, points=np.tile([[20, 24]], (40, 1)))
    (result,) = live.push(make_frames(4)[3])
    assert not np.isin(chosen, result.points.ids).any()


def test_a_restored_session_takes_prompts_as_the_first_would(fakes, make_frames):
    """Groups count on, and the points of the last frame are known."""
    settings = replace(FEW, group_size=2)
    groups, segmenter = [], fakes.DiscSegmenter()

    class Noting(fakes.DriftTracker):
        def start(self, frame_size):
            state = super().start(frame_size)
            add = state.add

            def note(queries):
                groups.append(queries.group)
                add(queries)

            state.add = note
            return state

    prompts = [Prompt.create(object_id=key, points=[[10 * key, 24]]) for key in (1, 2, 3)]
    asked = []
    for stored in (False, True):
        live = Session(Noting(step=(0, 0)), segmenter, settings, prompts)
        live.push(make_frames(1)[0])
        if stored:
            other = Session(Noting(step=(0, 0)), segmenter, settings, prompts)
            other.restore(live.snapshot())
            live = other
        groups.clear()
        live.add(5, points=[[50, 40]])
        live.add(2, points=[[24, 24]])
        live.add(6, points=[[50, 10]])
        asked.append(
            [(item.points.tolist(), item.point_ids.tolist()) for (item,) in segmenter.batches[-3:]]
        )
        assert groups == [1, 0, 2]
    assert asked[0] == asked[1]
    assert asked[0][0][0] == [[50, 40], [10, 24], [20, 24], [30, 24]]
    assert asked[0][1][0] == [[20, 24], [24, 24]]
