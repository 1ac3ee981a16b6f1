"""A session: push frames, add and remove objects while it runs, get one result per frame."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video import Prompt, PromptError, SegmentationSettings, Session, UsageError
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.results import PointState
from rvsam_video.streaming.engine import VideoSegmenter

CLICKS_ONLY = SegmentationSettings(add_points_to_clicks=False, refill_below=0)


def click(x: float, y: float, object_id: int = 1, frame: int = 0) -> Prompt:
    return Prompt.create(object_id=object_id, frame=frame, points=[[x, y]])


def centre(mask: np.ndarray) -> tuple[float, float]:
    y, x = np.nonzero(mask)
    return float(x.mean()), float(y.mean())


@pytest.fixture
def session(fakes):
    def build(prompts=(), *, lookahead=0, settings=CLICKS_ONLY, **tracker):
        return Session(
            fakes.DriftTracker(lookahead, **tracker), fakes.DiscSegmenter(), settings, prompts
        )

    return build


def run(session, frames):
    results = [result for frame in frames for result in session.push(frame)]
    return results + session.flush()


def test_the_mask_follows_the_clicked_point(session, make_frames):
    results = run(session([click(20, 24)]), make_frames(10))
    assert [result.index for result in results] == list(range(10))
    assert [result.time for result in results] == pytest.approx([i / 10 for i in range(10)])
    for result in results:
        assert centre(result.masks[1]) == pytest.approx((20 + result.index, 24))


@pytest.mark.parametrize("lookahead", [0, 1, 3, 7, 100])
def test_lookahead_delays_results_but_does_not_change_them(session, make_frames, lookahead):
    frames = make_frames(12)
    prompts = [click(20, 24), click(10, 10, object_id=2, frame=5)]
    delayed = session(prompts, lookahead=lookahead)
    pushed = [len(delayed.push(frame)) for frame in frames]
    assert pushed == [0] * min(lookahead, 12) + [1] * max(12 - lookahead, 0)
    assert len(delayed.flush()) == min(lookahead, 12)
    want = run(session(prompts), frames)
    got = run(session(prompts, lookahead=lookahead), frames)
    for a, b in zip(want, got, strict=True):
        assert np.array_equal(a.index_map(), b.index_map())
        assert np.array_equal(a.points.xy, b.points.xy)


def test_an_object_starts_in_the_frame_of_its_prompt(session, make_frames):
    results = run(session([click(20, 24), click(40, 30, object_id=7, frame=4)]), make_frames(6))
    assert [sorted(result.masks) for result in results] == [[1]] * 4 + [[1, 7]] * 2
    assert set(np.unique(results[4].index_map())) == {0, 1, 7}


def test_a_prompt_for_a_frame_that_was_not_read_holds_for_the_next(session, make_frames):
    frames = [frame for frame in make_frames(6) if frame.index != 3]
    results = run(session([click(20, 24, frame=3)]), frames)
    assert [sorted(result.masks) for result in results] == [[], [], [], [1], [1]]


@pytest.mark.parametrize("lookahead", [0, 2])
def test_prompts_can_be_added_for_frames_to_come(session, make_frames, lookahead):
    live = session(lookahead=lookahead)
    assert live.add(1, points=[[20, 24]]) is None
    frames = make_frames(6)
    results = live.push(frames[0])
    assert live.add(2, points=[[40, 30]], frame=3) is None
    assert [prompt.object_id for prompt in live.pending] == [2]
    results += run(live, frames[1:])
    assert [sorted(result.masks) for result in results] == [[1]] * 3 + [[1, 2]] * 3
    assert live.pending == ()


def test_objects_are_added_and_removed_while_it_runs(session, make_frames):
    live = session([click(20, 24)])
    seen = []
    for frame in make_frames(9):
        (result,) = live.push(frame)
        seen.append(sorted(result.masks))
        if frame.index == 3:
            shown = live.add(2, points=[[50, 40]])
            assert shown is not None
            assert centre(shown.mask) == pytest.approx((50, 40))
        if frame.index == 6:
            live.remove(1)
    assert seen == [[1]] * 4 + [[1, 2]] * 3 + [[2]] * 2
    assert live.object_ids == [2]


def test_an_untouched_object_does_not_notice_the_others(session, make_frames):
    frames = make_frames(9)
    alone = run(session([click(20, 24)]), frames)
    live = session([click(20, 24)])
    for frame, expected in zip(frames, alone, strict=True):
        (result,) = live.push(frame)
        assert np.array_equal(result.masks[1], expected.masks[1])
        if frame.index == 2:
            live.add(2, points=[[50, 40]])
        if frame.index == 5:
            live.remove(2)


def test_a_correction_acts_at_once_and_stays(session, make_frames):
    live = session([click(20, 24)], step=(0, 0))
    frames = make_frames(5)
    live.push(frames[0])
    corrected = live.add(1, points=[[30, 24]])
    assert corrected is not None
    assert centre(corrected.mask) == pytest.approx((25, 24))
    (result,) = live.push(frames[1])
    assert centre(result.masks[1]) == pytest.approx((25, 24))
    live.remove_points(result.points.ids[:1].tolist())
    (result,) = live.push(frames[2])
    assert centre(result.masks[1]) == pytest.approx((30, 24))


def test_a_box_or_mask_starts_an_object_afresh(session, make_frames):
    mask = np.zeros((48, 64), np.bool_)
    mask[30:40, 30:40] = True
    live = session([click(20, 24)], step=(0, 0))
    frames = make_frames(3)
    live.push(frames[0])
    shown = live.add(1, mask=mask)
    assert shown is not None
    assert np.array_equal(shown.mask, mask)
    (result,) = live.push(frames[1])
    assert centre(result.masks[1])[0] > 29
    assert not (result.points.xy == [20, 24]).all(axis=1).any()


@pytest.mark.parametrize("lookahead", [0, 3])
def test_a_given_mask_is_the_result_of_its_frame(session, make_frames, lookahead):
    mask = np.zeros((48, 64), np.bool_)
    mask[10:20, 10:30] = True
    prompt = Prompt.create(object_id=3, frame=2, mask=mask)
    results = run(session([prompt], lookahead=lookahead), make_frames(5))
    assert np.array_equal(results[2].masks[3], mask)
    own = results[2].points
    inside = mask[own.xy[:, 1].astype(int), own.xy[:, 0].astype(int)]
    assert np.array_equal(inside, own.labels == 1)
    assert (own.labels == 1).sum() == CLICKS_ONLY.positive_points


def test_points_say_why_they_were_not_used(session, make_frames):
    settings = SegmentationSettings(add_points_to_clicks=False, refill_below=0, border=0.1)
    results = run(session([click(50, 24)], settings=settings), make_frames(20))
    states = [PointState(result.points.states[0]) for result in results]
    assert states == [PointState.VISIBLE] * 8 + [PointState.OUTSIDE] * 12
    assert not results[-1].masks[1].any()
    assert results[-1].scores[1] == 0


def test_other_objects_are_negatives(fakes, make_frames):
    segmenter = fakes.DiscSegmenter()
    prompts = [click(20, 24), click(40, 24, object_id=2)]
    run(Session(fakes.DriftTracker(), segmenter, CLICKS_ONLY, prompts), make_frames(2))
    first, second = segmenter.batches[-1]
    assert first.labels.tolist() == [1, 0]
    assert first.points.tolist() == [[21, 24], [41, 24]]
    assert second.points.tolist() == [[41, 24], [21, 24]]
    assert first.point_ids[1] == -1


def test_what_is_clicked_as_another_object_is_not_this_one(fakes, make_frames):
    segmenter = fakes.DiscSegmenter()
    prompts = [click(20, 24), click(40, 24, object_id=2)]
    live = Session(fakes.DriftTracker(), segmenter, CLICKS_ONLY, prompts)
    live.push(make_frames(1)[0])
    (first,), (second,) = segmenter.batches[:2]
    assert (first.points.tolist(), first.labels.tolist()) == ([[20, 24], [40, 24]], [1, 0])
    assert second.points.tolist() == [[40, 24], [20, 24]]
    live.add(3, points=[[30, 40]])
    (third,) = segmenter.batches[-1]
    assert third.points.tolist() == [[30, 40], [20, 24], [40, 24]]
    assert third.labels.tolist() == [1, 0, 0]


def test_a_frame_is_embedded_once_for_all_objects_and_not_without(fakes, make_frames):
    segmenter = fakes.DiscSegmenter()
    prompts = [click(20, 24, frame=2), click(40, 24, object_id=2, frame=2)]
    run(Session(fakes.DriftTracker(), segmenter, CLICKS_ONLY, prompts), make_frames(5))
    assert segmenter.embeds == 3
    assert [len(batch) for batch in segmenter.batches] == [1, 1, 2, 2]


def test_points_that_left_are_replaced_from_the_mask(fakes, make_frames):
    mask = np.zeros((48, 64), np.bool_)
    mask[10:40, 30:60] = True
    settings = SegmentationSettings(positive_points=8, negative_points=0, refill_below=1)
    session = Session(
        fakes.DriftTracker(step=(4, 0)), fakes.DiscSegmenter(), settings, [Prompt.create(mask=mask)]
    )
    counts = [len(result.points) for result in run(session, make_frames(30))]
    assert max(counts) <= 16
    results = run(
        Session(
            fakes.DriftTracker(step=(4, 0)),
            fakes.DiscSegmenter(),
            settings,
            [Prompt.create(mask=mask)],
        ),
        make_frames(4),
    )
    assert results[-1].points.ids.max() >= 8


@pytest.mark.parametrize("lookahead", [0, 2, 5])
def test_a_restored_session_goes_on_as_if_nothing_happened(session, make_frames, lookahead):
    frames = make_frames(12)
    mask = np.zeros((48, 64), np.bool_)
    mask[5:15, 5:15] = True
    prompts = [
        click(20, 24),
        Prompt.create(object_id=2, frame=4, mask=mask),
        click(40, 30, object_id=3, frame=9),
    ]
    settings = SegmentationSettings(positive_points=4)
    want = run(session(prompts, lookahead=lookahead, settings=settings), frames)
    for cut in range(1, 12):
        first = session(prompts, lookahead=lookahead, settings=settings)
        got = [result for frame in frames[:cut] for result in first.push(frame)]
        second = session(prompts, lookahead=lookahead, settings=settings)
        second.restore({key: value.copy() for key, value in first.snapshot().items()})
        assert second.last_index == cut - 1
        got += run(second, frames[cut:])
        assert len(got) == len(want)
        for a, b in zip(want, got, strict=True):
            assert np.array_equal(a.index_map(), b.index_map())
            assert np.array_equal(a.points.xy, b.points.xy)
            assert a.scores == b.scores


def test_adding_an_object_does_not_change_the_points_of_another(session, make_frames):
    mask = np.zeros((48, 64), np.bool_)
    mask[5:25, 5:25] = True
    own = Prompt.create(object_id=2, mask=mask)
    frames = make_frames(2)
    alone = run(session([own]), frames)[0].points
    both = run(session([click(40, 40), own]), frames)[0].points
    assert np.array_equal(alone.xy, both.xy[both.object_ids == 2])


def test_bare_images_are_counted_and_timed(session, make_frames):
    live = session([click(20, 24)])
    images = [frame.image for frame in make_frames(3)]
    results = [live.push(image)[0] for image in images]
    assert [result.index for result in results] == [0, 1, 2]
    assert 0 <= results[0].time <= results[1].time <= results[2].time < 60
    assert live.push(images[0], time=99.5)[0].time == 99.5


def test_what_does_not_fit_is_refused_with_the_value_and_the_range(session, make_frames):
    frames = make_frames(3)
    with pytest.raises(PromptError, match=r"\(64, 24\).*0 to 63"):
        session([click(64, 24)]).push(frames[0])
    with pytest.raises(PromptError, match="0 to 63"):
        session([click(20, 24), click(64, 24, frame=2)]).push(frames[0])
    live = session([click(20, 24)])
    live.push(frames[0])
    live.push(frames[1])
    with pytest.raises(PromptError, match="frame 0 is gone"):
        live.add(2, points=[[1, 1]], frame=0)
    with pytest.raises(PromptError, match="0 to 63"):
        live.add(2, points=[[70, 1]])
    with pytest.raises(UsageError, match="no object 9"):
        live.remove(9)
    with pytest.raises(UsageError, match="indices must rise"):
        live.push(frames[1])
    with pytest.raises(UsageError, match="32x20 pixels, those before it 64x48"):
        live.push(make_frames(3, (32, 20))[2])
    with pytest.raises(UsageError, match="uint8"):
        live.push(frames[2].image.astype(np.float32))
    (result,) = live.push(frames[2])
    assert sorted(result.masks) == [1]


def test_prompts_of_frames_that_never_came_are_named(session, make_frames):
    live = session([click(20, 24), click(1, 1, object_id=2, frame=50)])
    run(live, make_frames(3))
    assert [prompt.frame for prompt in live.pending] == [50]
    live.remove(2)
    assert live.pending == ()


def test_points_are_tracked_in_groups_of_objects(fakes, make_frames):
    groups = []

    class Noting(fakes.DriftTracker):
        def start(self, frame_size):
            state = super().start(frame_size)
            add = state.add

            def note(queries):
                groups.append(queries.group)
                add(queries)

            state.add = note
            return state

    settings = SegmentationSettings(add_points_to_clicks=False, refill_below=0, group_size=2)
    prompts = [click(20, 24, object_id=key) for key in (1, 2, 3)]
    live = Session(Noting(), fakes.DiscSegmenter(), settings, prompts)
    frames = make_frames(2)
    live.push(frames[0])
    live.add(1, points=[[30, 30]])
    live.add(7, points=[[40, 30]])
    live.add(8, points=[[10, 30]])
    assert groups == [0, 0, 1, 0, 1, 2]


@pytest.mark.parametrize("known_before", [True, False])
def test_a_correction_holds_in_its_own_frame(known_before):
    """Two things were taken for one; a background click on the second sets it right at once."""
    clip = SyntheticClip(frames=5, size=(320, 180))
    rows, columns = np.nonzero(clip.truth(3) == 2)
    correction = Prompt.create(1, 3, points=[[columns.mean(), rows.mean()]], labels=[0])
    start = Prompt.create(1, 0, mask=(clip.truth(0) == 1) | (clip.truth(0) == 2))
    session = VideoSegmenter().session([start, correction] if known_before else [start])
    shares = []
    for frame in clip:
        (result,) = session.push(frame)
        mask = result.masks[1]
        if frame.index == 3 and not known_before:
            shown = session.add(1, points=correction.points, labels=correction.labels)
            assert shown is not None
            mask = shown.mask
        shares.append(mask[clip.truth(frame.index) == 2].mean())
    assert min(shares[:3]) > 0.8
    assert max(shares[3:]) < 0.2


@pytest.mark.parametrize("lookahead", [0, 3])
def test_an_object_can_be_corrected_in_the_frame_it_starts_in(session, make_frames, lookahead):
    frames = make_frames(6)
    live = session(lookahead=lookahead, step=(0, 0))
    results = live.push(frames[0])
    live.add(1, points=[[20, 24]])
    live.add(1, points=[[30, 24]])
    results += run(live, frames[1:])
    first = results[1 if lookahead == 0 else 0]
    assert centre(first.masks[1]) == pytest.approx((25, 24))


def test_a_mask_after_a_correction_of_the_same_frame_is_its_result(session, make_frames):
    mask = np.zeros((48, 64), np.bool_)
    mask[30:40, 30:40] = True
    frames = make_frames(8)
    live = session([click(20, 24)], lookahead=3, step=(0, 0))
    results = [result for frame in frames[:3] for result in live.push(frame)]
    assert live.add(1, points=[[30, 24]]) is None
    live.add(1, mask=mask)
    results += run(live, frames[3:])
    assert centre(results[1].masks[1]) == pytest.approx((20, 24))
    assert np.array_equal(results[2].masks[1], mask)
